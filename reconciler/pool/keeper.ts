// Keeps the pools filled: after each reading of the fleet, every pool's members are counted and the plan is carried out.
// Each step is one write; what it asks for is done by the members' own passes.
import type { Instant } from '../../specs/clock.ts'
import { newUid } from '../../specs/names.ts'
import type { StoredPool } from '../../specs/pool.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Wish } from '../decision.ts'
import type { FleetReading, ObservedMachine } from '../observed.ts'
import type { Ports } from '../ports.ts'
import { wishOf } from '../wish.ts'
import { memberOf, newMember, type Member } from './member.ts'
import { mostMaking, planPool, successMs, type PoolPlan, type Retirement } from './plan.ts'

/** Where pools, members and arrivals are kept. */
export interface PoolPorts {
  pools(): Promise<readonly StoredPool[]>
  /** Members of all pools that are not purged. */
  members(): Promise<readonly Tenant[]>
  /** When members of each pool were retired since then. */
  retired(since: Instant): Promise<readonly { readonly pool: string; readonly at: Instant }[]>
  /** The pools of the members that were claimed since then, one entry each. */
  claimed(since: Instant): Promise<readonly string[]>
  add(member: Tenant): Promise<'added' | 'taken'>
  /** Gives a member up, unless somebody wrote it (a claim, above all) since it was read. */
  retire(member: Tenant, now: Instant): Promise<Tenant | undefined>
  /** How many members of the pool are to stand ready, as the demand says. */
  wanted(pool: StoredPool, now: Instant): Promise<number>
}

export interface PoolEvent {
  readonly pool: string
  readonly uid: string
  readonly what: 'member-made' | 'member-retired'
  readonly why: string
}

export interface PoolKeeperOptions {
  readonly ports: Ports
  readonly store: PoolPorts
  readonly told: (event: PoolEvent) => void
}

type Machines = ReadonlyMap<string, ObservedMachine>

interface Seen {
  readonly byId: Machines
  readonly room: number
  readonly claimedLately: number
}

/** How far back retirements matter (plan.ts). */
const windowMs = 300_000

export class PoolKeeper {
  readonly #options: PoolKeeperOptions
  /** What is wanted of a member, by uid; the key tells when that may have changed. */
  readonly #wishes = new Map<string, { readonly key: string; readonly wish: Wish }>()

  constructor(options: PoolKeeperOptions) {
    this.#options = options
  }

  /** One look at every pool. A sweep of the controller. */
  async sweep({ machines }: FleetReading): Promise<void> {
    if (!this.#mayAct()) return
    const { store } = this.#options
    // Members before pools: a member whose pool is found to be missing was made when there was one.
    const members = await store.members()
    const pools = await store.pools()
    this.#forget(members)
    if (pools.length === 0 && members.length === 0) return
    const { scale } = this.#options.ports.settings
    const retired = await store.retired(this.#now() - windowMs)
    const claimed = await store.claimed(this.#now() - successMs * scale)
    const byId = new Map(machines.map((machine) => [machine.id, machine]))
    await this.#endOrphans(members, pools)
    let room = mostMaking - members.filter(({ spec, status }) => spec.state !== 'deleted' && !status.warm).length
    for (const pool of pools) {
      const own = members.filter((member) => member.pool?.name === pool.name)
      const at = retired.filter((each) => each.pool === pool.name).map((each) => each.at)
      const claimedLately = claimed.filter((name) => name === pool.name).length
      const plan = await this.#planFor(pool, own, at, { byId, room, claimedLately })
      room -= await this.#carryOut(pool, own, plan)
    }
  }

  /** Nothing is decided on a doubtful view of the fleet, or without the lease. */
  #mayAct(): boolean {
    const { ports } = this.#options
    const { mode, suspect } = ports.guards.view()
    return mode === 'normal' && suspect === undefined && ports.term() !== undefined
  }

  async #planFor(
    pool: StoredPool,
    own: readonly Tenant[],
    retiredAt: readonly Instant[],
    { byId, room, claimedLately }: Seen,
  ): Promise<PoolPlan> {
    const { ports, store } = this.#options
    const now = this.#now()
    const wanted = await store.wanted(pool, now)
    const members = own.map((tenant) => this.#memberOf(tenant, pool, byId))
    // A member whose class is gone could not even be begun.
    const classGone = ports.classOf(newMember(pool, '', now)) === undefined
    const { scale } = ports.settings
    const counts = { wanted, retiredAt, claimedLately, room: Math.max(0, room) }
    const plan = planPool({ spec: pool.spec, members, ...counts, now, scale })
    return classGone ? { ...plan, create: 0 } : plan
  }

  #memberOf(tenant: Tenant, pool: StoredPool, byId: Machines): Member {
    return memberOf(tenant, pool, this.#wishOf(tenant), byId.get(tenant.status.machine?.id ?? ''))
  }

  /** The hashes of a wish cost a millisecond, and what is wanted of a member seldom changes. */
  #wishOf(tenant: Tenant): Wish {
    const { ports } = this.#options
    const key = JSON.stringify([tenant.generation, ports.classOf(tenant)])
    const known = this.#wishes.get(tenant.uid)
    if (known?.key === key) return known.wish
    const wish = wishOf(ports, tenant, undefined)
    this.#wishes.set(tenant.uid, { key, wish })
    return wish
  }

  /** Answers how many were begun. */
  async #carryOut(pool: StoredPool, own: readonly Tenant[], { create, retire }: PoolPlan): Promise<number> {
    for (const each of retire) await this.#retire(own, each)
    let made = 0
    for (; made < create && this.#mayAct(); made += 1) await this.#make(pool)
    return made
  }

  async #make(pool: StoredPool): Promise<void> {
    const { ports, store, told } = this.#options
    const uid = newUid((length) => ports.clock.bytes(length))
    if ((await store.add(newMember(pool, uid, this.#now()))) === 'added')
      told({ pool: pool.name, uid, what: 'member-made', why: 'demand' })
  }

  async #retire(members: readonly Tenant[], { uid, why }: Retirement): Promise<void> {
    const { store, told } = this.#options
    const member = members.find((each) => each.uid === uid)
    if (member === undefined || !this.#mayAct()) return
    if ((await store.retire(member, this.#now())) !== undefined)
      told({ pool: member.pool?.name ?? '', uid, what: 'member-retired', why })
  }

  /** The members of a pool that was deleted go at once; the budget of the guards spreads it. */
  async #endOrphans(members: readonly Tenant[], pools: readonly StoredPool[]): Promise<void> {
    const names = new Set(pools.map(({ name }) => name))
    const left = members.filter(({ pool, spec }) => spec.state !== 'deleted' && !names.has(pool?.name ?? ''))
    for (const { uid } of left) await this.#retire(left, { uid, why: 'pool-gone' })
  }

  #forget(members: readonly Tenant[]): void {
    const uids = new Set(members.map(({ uid }) => uid))
    for (const uid of this.#wishes.keys()) if (!uids.has(uid)) this.#wishes.delete(uid)
  }

  #now(): Instant {
    return this.#options.ports.clock.now()
  }
}
