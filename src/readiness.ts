// Whether this process can do its work, check by check. What is broken outside and heals without a restart, such as Fly, is
// told of and is no reason: else one outage of Fly's would take every process out of service at once.
import type { Clock } from '../specs/clock.ts'

export interface Readiness {
  readonly ok: boolean
  /** By name: `ok`, `ok: ` and more about it, or why not. Whoever asks needs no token, so nothing here tells of a tenant. */
  readonly checks: Readonly<Record<string, string>>
}

/** Answers `ok`, `ok: ...`, or why not; one that throws or hangs is a no. */
export type Check = () => Promise<string> | string

const passes = (said: string) => said === 'ok' || said.startsWith('ok: ')

async function answerOf(check: Check, clock: Clock, patienceMs: number): Promise<string> {
  const late = Promise.withResolvers<string>()
  const cancel = clock.after(patienceMs, () => late.resolve(`no answer in ${patienceMs} ms`))
  try {
    return await Promise.race([Promise.resolve().then(check), late.promise])
  } catch (error) {
    // The message may say where the database is.
    return error instanceof Error ? error.name : 'failed'
  } finally {
    cancel()
  }
}

/** Asks all at once, each for `patienceMs` at most. Never rejects. */
export async function readinessOf(
  checks: Readonly<Record<string, Check>>,
  clock: Clock,
  patienceMs = 3_000,
): Promise<Readiness> {
  const asked = Object.entries(checks).map(async ([name, check]) => [name, await answerOf(check, clock, patienceMs)])
  const answers = Object.fromEntries(await Promise.all(asked)) as Record<string, string>
  return { ok: Object.values(answers).every(passes), checks: answers }
}

/** As Kubernetes prints it: one line for each check, and the verdict. */
export function verboseReadiness({ ok, checks }: Readiness): string {
  const lines = Object.entries(checks).map(([name, said]) =>
    passes(said) ? `[+]${name} ${said}` : `[-]${name} failed: ${said}`,
  )
  return [...lines, `readyz check ${ok ? 'passed' : 'failed'}`, ''].join('\n')
}
