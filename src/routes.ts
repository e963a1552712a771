// Feeds the proxy's table from the tenants' observed state: everything once, then each change as it is written.
import type { RouteSource, RouteSink } from '../proxy/ports.ts'
import type { Clock } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Tenants } from './store/tenants.ts'

function routeOf({ uid, name, revision, status }: Tenant): TenantRoute {
  return { uid, name, revision, hosts: status.hosts, route: status.route }
}

const pageSize = 500
/** When a full read that failed is tried again. */
const againMs = 2_000

type Source = Pick<Tenants, 'page' | 'watch'>

export interface RoutesOptions {
  readonly clock: Pick<Clock, 'after'>
  /** Hears of a full read that did not work; the table stays as it was, and it is tried again. */
  readonly failed: (error: unknown) => void
  /** The uids that the sink has from elsewhere: those that the store does not have are dropped. */
  readonly known?: ReadonlySet<string>
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
  readonly #known: Set<string>
  /** For each full read that is asked for: what was written since. */
  readonly #touched = new Set<Set<string>>()
  #reading: Promise<void> = Promise.resolve()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(tenants: Source, sink: RouteSink, options: RoutesOptions) {
    this.#tenants = tenants
    this.#sink = sink
    this.#options = options
    this.#known = new Set(options.known)
  }

  changed(tenant: Tenant): void {
    // No address leads to a pool's member.
    if (tenant.pool !== undefined) return
    // Changes come in their order, so one after the end of a tenant is its beginning.
    if (!this.#known.has(tenant.uid)) this.#sink.revive(tenant.uid)
    this.#known.add(tenant.uid)
    for (const touched of this.#touched) touched.add(tenant.uid)
    this.#sink.put(routeOf(tenant))
  }

  removed(uid: string): void {
    this.#known.delete(uid)
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

  /** A tenant that is not there any more is dropped, unless it was written meanwhile. */
  async #readAll(touched: ReadonlySet<string>): Promise<void> {
    const listed = new Set<string>()
    for await (const tenant of everyTenant(this.#tenants)) {
      listed.add(tenant.uid)
      this.#known.add(tenant.uid)
      this.#sink.put(routeOf(tenant))
    }
    for (const uid of this.#known) if (!listed.has(uid) && !touched.has(uid)) this.removed(uid)
  }

  /** Reads everything again until it works: what was missed meanwhile is told by nobody else. */
  async reloadForSure(): Promise<void> {
    this.#cancel?.()
    try {
      await this.reload()
    } catch (error) {
      if (this.#closed) return
      this.#options.failed(error)
      this.#cancel?.()
      this.#cancel = this.#options.clock.after(againMs, () => void this.reloadForSure())
    }
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
