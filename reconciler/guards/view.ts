// What the planner knows of the whole fleet: the mode, the doubts about lists, the ledger of destructive steps, and the
// waits that many tenants share. Types and an empty view; pure.
import type { Instant } from '../../specs/clock.ts'
import type { FaultKind } from '../../specs/faults.ts'

export type FleetMode = 'normal' | 'observe-only'

/** What a destructive step counts as. */
export type DestructiveKind = 'replace' | 'delete' | 'stray' | 'purge' | 'orphan' | 'retire'

export interface LedgerEntry {
  readonly at: Instant
  readonly kind: DestructiveKind
  readonly uid: string
  readonly region: string
  /** The id of the machine or volume: trying again to destroy the same one is the same act. */
  readonly target: string
}

/** A failure that every tenant in its scope would meet: one of them tries again at `notBefore`, the others wait for it. */
export interface Hold {
  readonly kind: FaultKind
  readonly reason: string
  readonly message: string
  /** Failures in a row, of whoever was the probe. */
  readonly attempts: number
  readonly since: Instant
  /** The last failure, of anybody. */
  readonly failedAt: Instant
  readonly notBefore: Instant
  /** The uid whose step or look is under way as the probe. */
  readonly probe: string | undefined
  /** A probe that has not ended by then is given up. */
  readonly probeUntil?: Instant | undefined
}

export interface FleetDoubt {
  readonly since: Instant
  readonly message: string
}

export interface FleetView {
  readonly mode: FleetMode
  /** Set while the lists of the fleet cannot be believed. */
  readonly suspect: FleetDoubt | undefined
  /** Destructive steps of the last day, oldest first. */
  readonly ledger: readonly LedgerEntry[]
  /** Live tenants: what the budget is a share of. */
  readonly tenants: number
  /** By scope key (holds.ts). */
  readonly holds: ReadonlyMap<string, Hold>
  /** When the last hold of a key ended: a tenant's own wait for the same failure is over then, too. */
  readonly lifted: ReadonlyMap<string, Instant>
}

/** A fleet that holds nothing back. */
export const freeFleet: FleetView = {
  mode: 'normal',
  suspect: undefined,
  ledger: [],
  tenants: 0,
  holds: new Map(),
  lifted: new Map(),
}
