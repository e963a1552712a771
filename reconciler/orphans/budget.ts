// How many orphans may be destroyed: a small share of the fleet in a while, and few in one region. Pure.
import type { Instant } from '../../specs/clock.ts'
import type { FleetView } from '../guards/view.ts'
import type { OrphanRecord } from './orphan.ts'

const windowMs = 600_000
const share = 0.02
const inRegion = 5

export interface BudgetInput {
  readonly fleet: Pick<FleetView, 'ledger'>
  readonly tenants: number
  readonly records: readonly OrphanRecord[]
  readonly now: Instant
}

interface Spent {
  readonly at: Instant
  readonly region: string
}

/** The fleet's ledger may know of orphans as well; whichever list is longer is believed. */
function spent({ fleet, records, now }: BudgetInput, region: string | undefined): number {
  const recent = (list: readonly Spent[]) =>
    list.filter((entry) => now - entry.at < windowMs && (region === undefined || entry.region === region)).length
  // What a person asked for by deleting a tenant is not the controller's own idea.
  const ledger = fleet.ledger.filter(({ kind }) => kind !== 'delete' && kind !== 'purge')
  const own = records.flatMap(({ destroyAt, region: where }) =>
    destroyAt === undefined ? [] : [{ at: destroyAt, region: where }],
  )
  return Math.max(recent(ledger), recent(own))
}

/** Whether one more orphan in this region may be destroyed now. */
export function hasRoom(input: BudgetInput, region: string): boolean {
  const most = Math.max(1, Math.floor(input.tenants * share))
  return spent(input, undefined) < most && spent(input, region) < inRegion
}
