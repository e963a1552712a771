// What the planner knows of the whole fleet: the mode, the doubts about lists, the ledger of destructive steps, and the
// waits that many tenants share. Types and an empty view; pure.
import type { Instant } from '../../specs/clock.ts'

/** What a destructive step counts as. */
export type DestructiveKind = 'replace' | 'delete' | 'stray' | 'purge' | 'orphan'

export interface LedgerEntry {
  readonly at: Instant
  readonly kind: DestructiveKind
  readonly uid: string
  readonly region: string
}

/** A failure that every tenant in its scope would meet: one of them tries again at `notBefore`, the others wait for it. */
export interface Hold {
  readonly reason: string
  readonly message: string
  readonly attempts: number
  readonly since: Instant
  readonly notBefore: Instant
  /** The uid whose step is under way as the probe. */
  readonly probe: string | undefined
}

export interface FleetView {
  readonly mode: 'normal' | 'observe-only'
  /** Set while the lists of the fleet cannot be believed. */
  readonly suspect: { readonly since: Instant; readonly message: string } | undefined
  /** Destructive steps of the last day, oldest first. */
  readonly ledger: readonly LedgerEntry[]
  /** Live tenants: what the budget is a share of. */
  readonly tenants: number
  /** By scope key. */
  readonly holds: ReadonlyMap<string, Hold>
}

/** A fleet that holds nothing back. */
export const freeFleet: FleetView = { mode: 'normal', suspect: undefined, ledger: [], tenants: 0, holds: new Map() }
