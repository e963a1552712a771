// Pools as this process serves them: what the API shows and changes, claims, and the keeper's store.
import type { Db } from 'mongodb'
import { cameLately, expectedRate, historyMs, stockFor, type Arrivals } from '../reconciler/pool/demand.ts'
import { PoolKeeper, type PoolEvent, type PoolPorts } from '../reconciler/pool/keeper.ts'
import { newMember, standingOf, type Standing } from '../reconciler/pool/member.ts'
import { targetOf } from '../reconciler/pool/plan.ts'
import type { Ports } from '../reconciler/ports.ts'
import type { ClassBook } from '../reconciler/rollout/book.ts'
import { resolveSpec } from '../specs/class.ts'
import type { Clock, Instant } from '../specs/clock.ts'
import type { StoredPool } from '../specs/pool.ts'
import type { Prices } from '../specs/prices.ts'
import type { Tenant } from '../specs/tenant.ts'
import { claiming } from './claims.ts'
import { changeEvent } from './events/change.ts'
import type { TenantEvent } from './events/event.ts'
import { arrivalsIn, type ArrivalCounts, type ArrivalKind, type ArrivalStore } from './store/arrivals.ts'
import { membersIn, type Members } from './store/members.ts'
import { poolsIn, type PoolStore } from './store/pools.ts'
import type { Tenants } from './store/tenants.ts'
import { readPrices } from './usage/prices.ts'
import { dailyCost } from './usage/standing.ts'

const dayMs = 86_400_000

export interface PoolStatus extends Readonly<Record<Standing, number>> {
  readonly target: number
  readonly lastDay: ArrivalCounts
  /** The share of the new tenants of the last day that found a machine ready; undefined when nobody came. */
  readonly hitRatio: number | undefined
  /** New tenants an hour: as many as the sizing expects now, and as many as came in the last one. */
  readonly arrivals: { readonly expectedPerHour: number; readonly lastHour: number }
  /** What its members cost in a day as they are now, by the price table. */
  readonly costPerDay: { readonly micros: number; readonly currency: string }
}

export interface PoolWithStatus {
  readonly pool: StoredPool
  readonly status: PoolStatus
}

/** What the API needs of pools. */
export interface PoolService {
  readonly store: PoolStore
  status(pool: StoredPool, now: Instant): Promise<PoolStatus>
  /** Every pool. */
  all(): Promise<readonly PoolWithStatus[]>
  /** Makes a member the new tenant's, where one fits. */
  claim(tenant: Tenant): Promise<Tenant | undefined>
  /** A tenant has been created, with a member or without. */
  arrived(tenant: Tenant): void
}

/** Where pools, members and arrivals are kept. */
export interface PoolStores {
  readonly pools: PoolStore
  readonly members: Members
  readonly arrivals: ArrivalStore
}

export const poolStoresIn = (db: Db): PoolStores => ({
  ...{ pools: poolsIn(db), members: membersIn(db), arrivals: arrivalsIn(db) },
})

export interface PoolOptions {
  readonly stores: PoolStores
  readonly classes: ClassBook
  readonly clock: Clock
  /** The simulator's pace; 1 on Fly. */
  readonly scale: number
  readonly note: (event: TenantEvent) => void
  readonly log: { warn(fields: object, message: string): void }
}

function cameTo(arrivals: ArrivalStore, { spec }: StoredPool, now: Instant): Promise<readonly Arrivals[]> {
  return arrivals.since(spec.region, spec.class, now - historyMs)
}

function costOf(
  prices: Prices,
  classes: ClassBook,
  pool: StoredPool,
  own: readonly Tenant[],
): PoolStatus['costPerDay'] {
  const defaults = classes.classOf(newMember(pool, '', 0))
  const micros = (member: Tenant) => {
    if (defaults === undefined) return 0
    const asleep = member.pool?.tier === 'suspended' && member.status.warm !== undefined
    return dailyCost(prices, resolveSpec(member.spec, defaults), asleep ? 'resting' : 'running')
  }
  return { micros: Math.round(own.reduce((sum, member) => sum + micros(member), 0)), currency: prices.currency }
}

const hitRatioOf = ({ warm, cold }: ArrivalCounts) => (warm + cold === 0 ? undefined : warm / (warm + cold))

/** The pools as the API has them. */
export function openPools({ stores, classes, clock, scale, note, log }: PoolOptions): PoolService {
  const { pools: store, members, arrivals } = stores
  const prices = readPrices()
  const claim = claiming({ members, classes, clock })
  const status = async (pool: StoredPool, now: Instant): Promise<PoolStatus> => {
    const { region, class: className, ratio } = pool.spec
    const [own, came, lastDay] = await Promise.all([
      members.ofPool(pool.name),
      cameTo(arrivals, pool, now),
      arrivals.counts(region, className, now - dayMs),
    ])
    const standings = own.map((member) => standingOf(member).standing)
    const count = (wantedStanding: Standing) => standings.filter((each) => each === wantedStanding).length
    return {
      ...{ target: targetOf(pool.spec, stockFor(came, ratio, now, scale)), lastDay, hitRatio: hitRatioOf(lastDay) },
      ...{ warm: count('warm'), making: count('making'), failing: count('failing'), leaving: count('leaving') },
      arrivals: { expectedPerHour: expectedRate(came, now), lastHour: cameLately(came, now) },
      costPerDay: costOf(prices, classes, pool, own),
    }
  }
  return {
    store,
    status,
    all: async () => {
      const found = await store.all()
      return Promise.all(found.map(async (pool) => ({ pool, status: await status(pool, clock.now()) })))
    },
    claim: async (tenant) => {
      const found = await claim(tenant)
      const event = found && changeEvent(undefined, found, clock.now())
      if (event !== undefined) note(event)
      return found
    },
    arrived: ({ spec, claim: taken }) => {
      const kind: ArrivalKind = taken === undefined ? 'cold' : 'warm'
      // A count that is lost makes a pool a little smaller; nobody's creation fails for it.
      void arrivals.note(spec.region, spec.class, kind, clock.now()).catch((error: unknown) => {
        log.warn({ err: error }, 'an arrival was not counted')
      })
    },
  }
}

/** The keeper of the pools, for the process that leads. */
export function poolKeeper(
  ports: Ports,
  { pools, members, arrivals }: PoolStores,
  tenants: Pick<Tenants, 'add'>,
  told: (event: PoolEvent) => void,
) {
  const store: PoolPorts = {
    pools: () => pools.all(),
    members: () => members.all(),
    retired: (since) => members.retired(since),
    claimed: (since) => members.claimed(since),
    add: (member) => tenants.add(member),
    retire: (member, now) => members.retire(member, now),
    wanted: async (pool, now) =>
      stockFor(await cameTo(arrivals, pool, now), pool.spec.ratio, now, ports.settings.scale),
  }
  return new PoolKeeper({ ports, store, told })
}
