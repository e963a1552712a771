// Conditions: what the controller has to say about a tenant, one statement per type, for people and programs.
import type { Instant } from './clock.ts'

export const conditionTypes = [
  'Ready',
  'Synced',
  'VolumeReady',
  'MachineReady',
  'Prepared',
  'CertificateReady',
  'Reconciling',
  'Stalled',
  // The rest is abnormal: present only while it is true.
  'HostUnreachable',
  'Drifted',
  'Stuck',
  'Paused',
  'PendingApproval',
  'ObservationSuspect',
] as const

export type ConditionType = (typeof conditionTypes)[number]

export interface Condition {
  readonly type: ConditionType
  readonly status: 'True' | 'False' | 'Unknown'
  /** One PascalCase word, stable: programs may match on it. */
  readonly reason: string
  /** A sentence for people; never matched. */
  readonly message: string
  readonly observedGeneration: number
  /** Moves only when status, reason or message move. */
  readonly lastTransitionTime: Instant
  /** When the controller acts on this again by itself. */
  readonly nextTryAt?: Instant | undefined
}

export type Statement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

const longestMessage = 1024

function same(a: Condition, b: Statement): boolean {
  return a.status === b.status && a.reason === b.reason && a.message === b.message
}

/**
 * The conditions after the controller has made `statements`: sorted by type, each stamped with `generation`.
 * A type that no statement names disappears; a transition time survives as long as a reader sees no change.
 */
export function stateConditions(
  before: readonly Condition[],
  statements: readonly Statement[],
  generation: number,
  now: Instant,
): Condition[] {
  const known = new Map(before.map((condition) => [condition.type, condition]))
  return statements
    .map((raw): Condition => {
      const statement = { ...raw, message: raw.message.slice(0, longestMessage) }
      const old = known.get(statement.type)
      const lastTransitionTime = old !== undefined && same(old, statement) ? old.lastTransitionTime : now
      return { ...statement, observedGeneration: generation, lastTransitionTime }
    })
    .sort((a, b) => (a.type < b.type ? -1 : 1))
}

/** The condition of one type, if the tenant has it. */
export function findCondition(conditions: readonly Condition[], type: ConditionType): Condition | undefined {
  return conditions.find((condition) => condition.type === type)
}
