// What a list call shows. By default that is the truth; the faults of this file make it stale, short or empty.
import type { Call } from './call.ts'
import type { World } from './world.ts'

interface Listed {
  readonly id: string
  readonly createdAt: number
}

/** How a list call looks at the records. */
export interface View {
  /** Does the list already know of this one? */
  knows(record: Listed): boolean
  /** Does the list still show this one, which is gone since `at`? */
  lingers(record: Listed, at: number): boolean
}

/** Draws once per call which faults apply to it. */
export function viewOf(world: World, call: Call): View {
  const subject = { action: call.action, app: call.params['app'] }
  const now = world.clock.now()
  const empty = world.faults.take('emptyList', subject) !== undefined
  const partial = world.faults.take('partialList', subject)
  const slow = world.faults.take('listLag', subject)
  const lag = (id: string): number => (slow === undefined ? 0 : (slow.ms ?? world.latency.of('listLag', id)))
  return {
    knows: (record) =>
      !empty &&
      (partial === undefined || world.latency.random('partialList') >= (partial.fraction ?? 0.5)) &&
      (slow === undefined || record.createdAt + lag(record.id) <= now),
    lingers: (record, at) => slow !== undefined && at + lag(record.id) > now,
  }
}
