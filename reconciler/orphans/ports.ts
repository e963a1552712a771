// What orphan search needs of the outside. Types only.
import type { LedgerEntry } from '../guards/view.ts'
import type { Owners } from '../owner.ts'
import type { Ports } from '../ports.ts'
import type { OrphanSettings, OrphanStore } from './orphan.ts'

export interface OrphanPorts extends Pick<
  Ports,
  'cloud' | 'store' | 'guards' | 'clock' | 'journal' | 'settings' | 'term'
> {
  readonly orphans: OrphanStore
  readonly owners: Owners
  readonly orphanSettings: OrphanSettings
  /** Writes a destruction into the fleet's ledger before its call. */
  charge(entry: LedgerEntry): Promise<void>
}
