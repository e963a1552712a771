// The real stores, with every call counted as real work, and every write that somebody watches as an event still to come.
import type { TenantSink } from '../../../reconciler/ports.ts'
import type { Activity } from '../../../src/store/activity.ts'
import type { FleetStore } from '../../../src/store/fleet.ts'
import type { PoolStores } from '../../../src/pools.ts'
import type { Members } from '../../../src/store/members.ts'
import type { Tenants } from '../../../src/store/tenants.ts'
import type { Listener } from './feeds.ts'
import type { Database } from './database.ts'
import type { Stillness } from './stillness.ts'

export interface Stores {
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly activity: Activity
  /** Tells of changes from now on, in place of whoever was told before. */
  listen(listener: Pick<Listener, 'wish' | 'woken'>): void
  close(): void
  readonly pools: PoolStores
  retiredMembers(): Promise<ReadonlySet<string>>
  /** What no scenario is about yet, straight from the database. */
  readonly rest: Pick<Database, 'classStore' | 'rollouts' | 'orphans' | 'money' | 'replays'>
}

/** Changes of tenants that were not written here belong to an earlier scenario. */
function watchedTenants({ tenants: inner, pools }: Database, stillness: Stillness) {
  const written = new Set<string>()
  let sink: TenantSink | undefined
  const read = <T>(call: Promise<T>): Promise<T> => stillness.busy(call)
  const write: Write = async (uid, wrote, call) => {
    written.add(uid)
    // Counted before: the change may be told before the write is answered.
    stillness.events(1)
    const answer = await stillness.busy(call())
    if (!wrote(answer)) stillness.events(-1)
    return answer
  }
  const take = (uid: string, tell: (sink: TenantSink) => void): void => {
    if (!written.has(uid)) return
    stillness.events(-1)
    if (sink !== undefined) tell(sink)
  }
  const told: TenantSink = {
    changed: (tenant) => take(tenant.uid, (to) => to.changed(tenant)),
    removed: (uid) => take(uid, (to) => to.removed(uid)),
    missed: () => sink?.missed(),
  }
  const tenants: Tenants = {
    get: (uid) => read(inner.get(uid)),
    byName: (name) => read(inner.byName(name)),
    page: (query) => read(inner.page(query)),
    uids: () => read(inner.uids()),
    withDomain: (domains, uid) => read(inner.withDomain(domains, uid)),
    named: (uids) => read(inner.named(uids)),
    ofClass: (name) => read(inner.ofClass(name)),
    countOfClass: (name) => read(inner.countOfClass(name)),
    claimsOf: (volume, uid) => read(inner.claimsOf(volume, uid)),
    add: (tenant) =>
      write(
        tenant.uid,
        (answer) => answer === 'added',
        () => inner.add(tenant),
      ),
    change: (tenant, wish) =>
      write(
        tenant.uid,
        (answer) => answer !== undefined,
        () => inner.change(tenant, wish),
      ),
    saveStatus: (tenant, status) =>
      write(
        tenant.uid,
        (answer) => answer !== undefined,
        () => inner.saveStatus(tenant, status),
      ),
    purge: (tenant) =>
      write(
        tenant.uid,
        (answer) => answer,
        () => inner.purge(tenant),
      ),
    watch: (next) => {
      sink = next
      return Promise.resolve({ close: () => Promise.resolve(void (sink = undefined)) })
    },
  }
  return { tenants, told, members: watchedMembers(pools.members, stillness, write) }
}

type Write = <T>(uid: string, wrote: (answer: T) => boolean, call: () => Promise<T>) => Promise<T>

/** Members are tenants' documents: what is written to them is told as theirs is. */
function watchedMembers(inner: Members, stillness: Stillness, write: Write): Members {
  return {
    all: () => stillness.busy(inner.all()),
    ofPool: (name) => stillness.busy(inner.ofPool(name)),
    retired: (since) => stillness.busy(inner.retired(since)),
    claimed: (since) => stillness.busy(inner.claimed(since)),
    ready: (region, className) => stillness.busy(inner.ready(region, className)),
    retire: (member, now) =>
      write(
        member.uid,
        (answer) => answer !== undefined,
        () => inner.retire(member, now),
      ),
    claim: (member, tenant) =>
      write(
        member.uid,
        (answer) => answer !== undefined,
        () => inner.claim(member, tenant),
      ),
  }
}

function watchedPools({ pools, arrivals }: PoolStores, members: Members, stillness: Stillness): PoolStores {
  return {
    members,
    pools: {
      read: (name) => stillness.busy(pools.read(name)),
      all: () => stillness.busy(pools.all()),
      add: (found) => stillness.busy(pools.add(found)),
      change: (before, spec) => stillness.busy(pools.change(before, spec)),
      remove: (before) => stillness.busy(pools.remove(before)),
    },
    arrivals: {
      note: (region, className, kind, now) => stillness.busy(arrivals.note(region, className, kind, now)),
      since: (region, className, since) => stillness.busy(arrivals.since(region, className, since)),
      counts: (region, className, since) => stillness.busy(arrivals.counts(region, className, since)),
    },
  }
}

function watchedFleet({ fleet: inner }: Database, stillness: Stillness): FleetStore {
  return {
    ...inner,
    load: (since) => stillness.busy(inner.load(since)),
    liveTenants: () => stillness.busy(inner.liveTenants()),
    charge: (entry) => stillness.busy(inner.charge(entry)),
    saveState: (state) => stillness.busy(inner.saveState(state)),
    want: (change) => {
      stillness.events(1)
      return stillness.busy(inner.want(change))
    },
  }
}

function watchedActivity({ activity: inner }: Database, stillness: Stillness): Activity {
  return {
    lastUsedAt: (uid) => stillness.busy(inner.lastUsedAt(uid)),
    used: (uses) => stillness.busy(inner.used(uses)),
    wake: (uid, at) => {
      stillness.events(1)
      return stillness.busy(inner.wake(uid, at))
    },
    sleep: (uid, at, now) => stillness.busy(inner.sleep(uid, at, now)),
    watch: () => Promise.reject(new Error('the stage listens to the shared feed')),
  }
}

/** The stores of one stage over the database that all share. */
export function stageStores(database: Database, stillness: Stillness): Stores {
  const { tenants, told, members } = watchedTenants(database, stillness)
  const counted =
    <A extends readonly unknown[]>(tell: (...args: A) => void) =>
    (...args: A): void => {
      stillness.events(-1)
      tell(...args)
    }
  return {
    tenants,
    fleet: watchedFleet(database, stillness),
    activity: watchedActivity(database, stillness),
    pools: watchedPools(database.pools, members, stillness),
    retiredMembers: () => stillness.busy(database.retiredMembers()),
    rest: {
      classStore: database.classStore,
      rollouts: database.rollouts,
      orphans: database.orphans,
      money: database.money,
      replays: database.replays,
    },
    listen: ({ wish, woken }) => database.feeds.listen({ tenants: told, wish: counted(wish), woken: counted(woken) }),
    close: () => database.feeds.listen(undefined),
  }
}
