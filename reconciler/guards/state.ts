// What of the guards is written down: by people for the controller, and by the controller for people and its next start.
import type { Instant } from '../../specs/clock.ts'
import type { KnownMachine } from './suspicion.ts'
import type { FleetDoubt, FleetMode, Hold, LedgerEntry } from './view.ts'

/** What operators want of the fleet (the API writes it). */
export interface FleetWish {
  readonly mode: FleetMode
  /** When an operator last said that the lists are right. */
  readonly acknowledgedAt?: Instant | undefined
  /** When an operator last asked to try everything again. */
  readonly retryRequestedAt?: Instant | undefined
}

export type KeptHold = Omit<Hold, 'probe' | 'probeUntil'> & { readonly key: string }

/** What the controller last knew (the controller writes it). */
export interface FleetState {
  readonly at: Instant
  /** In force: what operators want, unless the process's own setting is stricter. */
  readonly mode: FleetMode
  readonly suspect?: FleetDoubt | undefined
  readonly holds: readonly KeptHold[]
}

export interface GuardRecord {
  readonly wish: FleetWish
  /** Undefined before the first controller. */
  readonly state: FleetState | undefined
  /** Oldest first. */
  readonly ledger: readonly LedgerEntry[]
  readonly tenants: number
  /** Machines that tenants' records say are there. */
  readonly machines: readonly KnownMachine[]
}

/** Where the guards are kept. */
export interface GuardStore {
  /** Everything, with the ledger from `since` on. */
  load(since: Instant): Promise<GuardRecord>
  /** Tenants that are not deleted. */
  liveTenants(): Promise<number>
  /** Resolves once the entry is safe; the same act again is no second entry. */
  charge(entry: LedgerEntry): Promise<void>
  saveState(state: FleetState): Promise<void>
}
