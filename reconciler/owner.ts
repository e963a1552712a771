// Owner: who a uid on Fly belongs to, as the database says. What orphan search and adoption ask before they believe
// anything. Types only.
import type { Intent } from '../specs/tenant.ts'

export interface LiveOwner {
  readonly kind: 'tenant'
  readonly uid: string
  readonly name: string
  readonly machine: string | undefined
  readonly volume: string | undefined
  readonly fenced: readonly string[]
  /** Volumes that a restore has put aside. */
  readonly retired: readonly string[]
  readonly intent: Pick<Intent, 'kind' | 'name'> | undefined
}

/** A purged tenant: its uid is never used again, so whatever still carries it is a leftover of ours. */
export interface Tombstone {
  readonly kind: 'tombstone'
  readonly uid: string
  readonly name: string
  /** The volume that the purge destroyed. */
  readonly volume: string | undefined
}

export type Owner = LiveOwner | Tombstone

export interface Owners {
  /** By uid, read now and by majority; a uid that was never used is missing. */
  of(uids: readonly string[]): Promise<ReadonlyMap<string, Owner>>
}
