// Orphan: a resource of ours on Fly that no tenant of the database owns, what is remembered of it, and where that is kept.
// Types only.
import type { Instant } from '../../specs/clock.ts'
import type { ObservedMachine, ObservedVolume } from '../observed.ts'

/**
 * `noTenant`: its uid was never in the database. `leftover`: its tenant was purged. `duplicate`: a second volume of a
 * living tenant. `unidentified`: it has our stamp, but does not say beyond doubt whose it is.
 */
export type OrphanCause = 'noTenant' | 'leftover' | 'duplicate' | 'unidentified'

export type OrphanState = 'suspected' | 'quarantined' | 'released' | 'kept' | 'gone'

export interface OrphanRecord {
  /** Fly's id. */
  readonly id: string
  readonly kind: 'machine' | 'volume'
  readonly name: string
  readonly uid: string
  readonly region: string
  readonly cause: OrphanCause
  readonly firstSeen: Instant
  /** Within `lastSeenMs` (search.ts). */
  readonly lastSeen: Instant
  readonly state: OrphanState
  readonly reason: string
  readonly message: string
  /** Before this time nothing happens to it; undefined: the next reading, or a person, decides. */
  readonly nextAt?: Instant | undefined
  /** Calls that failed in a row. */
  readonly attempts: number
  /** Written before the snapshot is asked for, so that it is asked for once. */
  readonly snapshotAt?: Instant | undefined
  readonly quarantinedAt?: Instant | undefined
  /** Written before its destruction is asked for: what the budget counts. */
  readonly destroyAt?: Instant | undefined
  /** +1 with each write. */
  readonly revision: number
}

export type Suspect =
  | { readonly kind: 'machine'; readonly cause: OrphanCause; readonly found: ObservedMachine }
  | { readonly kind: 'volume'; readonly cause: OrphanCause; readonly found: ObservedVolume }

export interface OrphanStore {
  all(): Promise<readonly OrphanRecord[]>
  get(id: string): Promise<OrphanRecord | undefined>
  /** In the order of ids, starting after `after`. */
  page(query: { readonly after?: string | undefined; readonly limit: number }): Promise<readonly OrphanRecord[]>
  /** Adds what is not there yet. */
  add(records: readonly OrphanRecord[]): Promise<void>
  /** Compare-and-set on the revision; undefined when somebody else wrote the record since it was read. */
  save(before: OrphanRecord, after: OrphanRecord): Promise<OrphanRecord | undefined>
  remove(ids: readonly string[]): Promise<void>
}

/** Times in milliseconds. */
export interface OrphanSettings {
  /** Younger resources are never suspected of anything worse than being new. */
  readonly ageFloorMs: number
  /** How long a volume is held before a person is asked to decide. */
  readonly holdMs: number
}
