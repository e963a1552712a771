// Feeds the proxy's table from the tenants' observed state: everything once, then each change as it is written.
import type { RouteSource, RouteSink } from '../proxy/ports.ts'
import type { Clock, Instant } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'
import type { Tenant } from '../specs/tenant.ts'
import { countsAsLoss, judge, type Doubt } from './route-loss.ts'
import type { Tenants } from './store/tenants.ts'

function routeOf({ uid, name, revision, status }: Tenant): TenantRoute {
  return { uid, name, revision, hosts: status.hosts, route: status.route }
}

const pageSize = 500
/** When a full read that failed is tried again. */
const againMs = 2_000
/** How often a list that is not believed is read again. */
const doubtMs = 20_000

type Source = Pick<Tenants, 'page' | 'watch'>

export interface RoutesOptions {
  readonly clock: Pick<Clock, 'now' | 'after'>
  /** Hears of a full read that did not work; the table stays as it was, and it is tried again. */
  readonly failed: (error: unknown) => void
  /** What the sink has from elsewhere: what the store does not have is dropped. */
  readonly known?: Iterable<TenantRoute>
  /** When an operator last said that what is missing is gone; asked while that is doubted. */
  readonly acknowledgedAt?: () => Promise<Instant | undefined>
  /** Hears when a doubt begins, with how many of how many routes are missing, and (undefined) when it ends. */
  readonly doubted?: (missing: { readonly gone: number; readonly known: number } | undefined) => void
}

async function* everyTenant(tenants: Source): AsyncGenerator<Tenant> {
  let after: string | undefined
  for (;;) {
    const page = await tenants.page({ after, limit: pageSize })
    yield* page
    if (page.length < pageSize) return
    after = page.at(-1)?.name
  }
}

/** Keeps a sink in step with the store; what it cannot read again it leaves as it was. */
class Follower {
  readonly #tenants: Source
  readonly #sink: RouteSink
  readonly #options: RoutesOptions
  readonly #known: Map<string, TenantRoute>
  /** For each full read that is asked for: what was written since. */
  readonly #touched = new Set<Set<string>>()
  #reading: Promise<void> = Promise.resolve()
  #cancel: (() => void) | undefined
  #doubt: Doubt | undefined
  /** Not listed, and kept all the same while that is doubted. */
  #missing = new Set<string>()
  #closed = false

  constructor(tenants: Source, sink: RouteSink, options: RoutesOptions) {
    this.#tenants = tenants
    this.#sink = sink
    this.#options = options
    this.#known = new Map([...(options.known ?? [])].map((route) => [route.uid, route]))
  }

  changed(tenant: Tenant): void {
    // No address leads to a pool's member.
    if (tenant.pool !== undefined) return
    // Changes come in their order, so one after the end of a tenant, or while it is missing, is its beginning.
    if (!this.#known.has(tenant.uid) || this.#missing.delete(tenant.uid)) this.#sink.revive(tenant.uid)
    for (const touched of this.#touched) touched.add(tenant.uid)
    this.#put(routeOf(tenant))
  }

  removed(uid: string): void {
    for (const touched of this.#touched) touched.add(uid)
    this.#drop(uid)
  }

  #put(route: TenantRoute): void {
    this.#known.set(route.uid, route)
    this.#sink.put(route)
  }

  #drop(uid: string): void {
    this.#known.delete(uid)
    this.#missing.delete(uid)
    this.#sink.drop(uid)
  }

  /** Reads everything, one read at a time. */
  reload(): Promise<void> {
    const touched = new Set<string>()
    this.#touched.add(touched)
    // A former read that failed is its own caller's to hear of.
    const read = this.#reading.catch(() => undefined).then(() => this.#readAll(touched))
    this.#reading = read.finally(() => this.#touched.delete(touched))
    return this.#reading
  }

  async #readAll(touched: ReadonlySet<string>): Promise<void> {
    const acknowledgedAt = this.#doubt && (await this.#options.acknowledgedAt?.())
    const listed = new Set<string>()
    for await (const tenant of everyTenant(this.#tenants)) {
      const { uid, revision } = tenant
      listed.add(uid)
      // The watch knows better.
      if (touched.has(uid)) continue
      // An older one is from a database that was put back to an earlier day.
      if ((this.#known.get(uid)?.revision ?? 0) > revision) this.#sink.revive(uid)
      this.#put(routeOf(tenant))
    }
    this.#settle(
      [...this.#known.keys()].filter((uid) => !listed.has(uid) && !touched.has(uid)),
      acknowledgedAt,
    )
  }

  /** What is not there any more is dropped, unless it is too much to be believed. */
  #settle(gone: readonly string[], acknowledgedAt: Instant | undefined): void {
    const { clock, doubted } = this.#options
    const counted = [...this.#known.values()].filter(countsAsLoss).map(({ uid }) => uid)
    const lacks = new Set(gone)
    const facts = { known: counted.length, gone: counted.filter((uid) => lacks.has(uid)).length }
    const before = this.#doubt
    this.#doubt = judge(before, { now: clock.now(), ...facts, acknowledgedAt })
    this.#missing = new Set(this.#doubt === undefined ? [] : gone)
    if (this.#doubt === undefined) gone.forEach((uid) => this.#drop(uid))
    else this.#later(doubtMs)
    if (this.#doubt !== undefined || before !== undefined) this.#sink.doubt([...this.#missing])
    if ((this.#doubt === undefined) !== (before === undefined)) doubted?.(this.#doubt && facts)
  }

  /** Reads everything again until it works: what was missed meanwhile is told by nobody else. */
  async reloadForSure(): Promise<void> {
    this.#cancel?.()
    try {
      await this.reload()
    } catch (error) {
      if (this.#closed) return
      this.#options.failed(error)
      this.#later(againMs)
    }
  }

  #later(ms: number): void {
    if (this.#closed) return
    this.#cancel?.()
    this.#cancel = this.#options.clock.after(ms, () => void this.reloadForSure())
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }
}

/** The routes of the tenants in a store. */
export function routesOf(tenants: Source, options: RoutesOptions): RouteSource {
  return {
    follow: async (sink) => {
      const follower = new Follower(tenants, sink, options)
      const watch = await tenants.watch({
        changed: (tenant) => follower.changed(tenant),
        removed: (uid) => follower.removed(uid),
        missed: () => void follower.reloadForSure(),
      })
      const close = async () => {
        follower.close()
        await watch.close()
      }
      try {
        await follower.reload()
      } catch (error) {
        await close()
        throw error
      }
      return { close }
    },
  }
}
