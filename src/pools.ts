// Pools as this process serves them: what the API shows and changes, claims, and the keeper's store.
import type { Db } from 'mongodb'
import { historyMs, stockFor } from '../reconciler/pool/demand.ts'
import { PoolKeeper, type PoolEvent, type PoolPorts } from '../reconciler/pool/keeper.ts'
import { standingOf, type Standing } from '../reconciler/pool/member.ts'
import { targetOf } from '../reconciler/pool/plan.ts'
import type { Ports } from '../reconciler/ports.ts'
import type { ClassBook } from '../reconciler/rollout/book.ts'
import type { Clock, Instant } from '../specs/clock.ts'
import type { StoredPool } from '../specs/pool.ts'
import type { Tenant } from '../specs/tenant.ts'
import { claiming } from './claims.ts'
import { changeEvent } from './events/change.ts'
import type { TenantEvent } from './events/event.ts'
import { arrivalsIn, type ArrivalCounts, type ArrivalKind, type ArrivalStore } from './store/arrivals.ts'
import { membersIn } from './store/members.ts'
import { poolsIn, type PoolStore } from './store/pools.ts'
import type { Tenants } from './store/tenants.ts'

const dayMs = 86_400_000

export interface PoolStatus extends Readonly<Record<Standing, number>> {
  readonly target: number
  readonly lastDay: ArrivalCounts
}

/** What the API needs of pools. */
export interface PoolService {
  readonly store: PoolStore
  status(pool: StoredPool, now: Instant): Promise<PoolStatus>
  /** Makes a member the new tenant's, where one fits. */
  claim(tenant: Tenant): Promise<Tenant | undefined>
  /** A tenant has been created, with a member or without. */
  arrived(tenant: Tenant): void
}

export interface PoolOptions {
  readonly db: Db
  readonly classes: ClassBook
  readonly clock: Clock
  /** The simulator's pace; 1 on Fly. */
  readonly scale: number
  readonly note: (event: TenantEvent) => void
  readonly log: { warn(fields: object, message: string): void }
}

async function wantedOf(arrivals: ArrivalStore, { spec }: StoredPool, now: Instant, scale: number): Promise<number> {
  const came = await arrivals.since(spec.region, spec.class, now - historyMs)
  return stockFor(came, spec.ratio, now, scale)
}

/** The pools of a database. */
export function openPools({ db, classes, clock, scale, note, log }: PoolOptions): PoolService {
  const [store, members, arrivals] = [poolsIn(db), membersIn(db), arrivalsIn(db)]
  const claim = claiming({ members, classes, clock })
  return {
    store,
    status: async (pool, now) => {
      const { region, class: className } = pool.spec
      const [own, wanted, lastDay] = await Promise.all([
        members.ofPool(pool.name),
        wantedOf(arrivals, pool, now, scale),
        arrivals.counts(region, className, now - dayMs),
      ])
      const standings = own.map((member) => standingOf(member).standing)
      const count = (wantedStanding: Standing) => standings.filter((each) => each === wantedStanding).length
      return {
        ...{ target: targetOf(pool.spec, wanted), lastDay, warm: count('warm'), making: count('making') },
        ...{ failing: count('failing'), leaving: count('leaving') },
      }
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
export function poolKeeper(ports: Ports, db: Db, tenants: Pick<Tenants, 'add'>, told: (event: PoolEvent) => void) {
  const [pools, members, arrivals] = [poolsIn(db), membersIn(db), arrivalsIn(db)]
  const store: PoolPorts = {
    pools: () => pools.all(),
    members: () => members.all(),
    retired: (since) => members.retired(since),
    claimed: (since) => members.claimed(since),
    add: (member) => tenants.add(member),
    retire: (member, now) => members.retire(member, now),
    wanted: (pool, now) => wantedOf(arrivals, pool, now, ports.settings.scale),
  }
  return new PoolKeeper({ ports, store, told })
}
