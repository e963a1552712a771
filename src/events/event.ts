// Events: what happened to a tenant, one record for what is the same again, for people who look on.
import type { Instant } from '../../specs/clock.ts'
import type { JournalEntry } from '../../reconciler/ports.ts'

export const eventKinds = ['done', 'failed', 'wait', 'stalled', 'settled', 'change'] as const
/** `change` is somebody's doing, the others are the controller's. */
export type EventKind = (typeof eventKinds)[number]

/** One happening. No field of it may hold a secret. */
export interface TenantEvent {
  readonly at: Instant
  readonly uid: string
  readonly tenant: string
  readonly kind: EventKind
  /** One PascalCase word, stable. */
  readonly reason: string
  /** Which kind of step, where it is about one. */
  readonly step?: string | undefined
  readonly message: string
  /** Whose doing, as a role. */
  readonly who?: string | undefined
  readonly tookMs?: number | undefined
}

/** The same thing, once or again and again. */
export interface EventRecord extends Omit<TenantEvent, 'at'> {
  readonly id: string
  readonly firstAt: Instant
  readonly lastAt: Instant
  readonly count: number
}

/** A step and its success are events of their own each time; what repeats only says that it still is so. */
export function folds(kind: EventKind): boolean {
  return kind !== 'done' && kind !== 'settled'
}

const longestMessage = 1_024

/** The journal's entry as an event; undefined for a step's beginning, which its end tells as well. */
export function eventOf(entry: JournalEntry): TenantEvent | undefined {
  const { at, uid, tenant, kind, what, tookMs } = entry
  const common = { at, uid, tenant, message: entry.message.slice(0, longestMessage), tookMs }
  switch (kind) {
    case 'step':
      return undefined
    case 'done':
      return { ...common, kind, reason: 'Done', step: what }
    case 'failed':
      return { ...common, kind, reason: entry.reason ?? 'Failed', step: what }
    case 'wait':
    case 'stalled':
    case 'settled':
      return { ...common, kind, reason: what }
  }
}
