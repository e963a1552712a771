// A scrape must not hang with the database.
import type { Clock } from '../../specs/clock.ts'

const patienceMs = 2_000

/** What is read, or `otherwise` where it does not come in time: then there is no number, rather than an old one. */
export function inTime<T>(clock: Clock, read: () => Promise<T>, otherwise: T): Promise<T> {
  const late = Promise.withResolvers<T>()
  const cancel = clock.after(patienceMs, () => late.resolve(otherwise))
  // Why it does not answer is in moorage_store_commands_total and in the log of whoever needs it.
  const answer = read().catch(() => otherwise)
  return Promise.race([answer, late.promise]).finally(cancel)
}
