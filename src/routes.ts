// Feeds the proxy's table from the tenants' observed state: everything once, then each change as it is written.
import type { RouteSource, RouteSink } from '../proxy/ports.ts'
import type { TenantRoute } from '../specs/route.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Tenants } from './store/tenants.ts'

function routeOf({ uid, name, revision, status }: Tenant): TenantRoute {
  return { uid, name, revision, hosts: status.hosts, route: status.route }
}

const pageSize = 500

async function* everyTenant(tenants: Tenants): AsyncGenerator<Tenant> {
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
  readonly #tenants: Tenants
  readonly #sink: RouteSink
  readonly #known = new Set<string>()
  #touched = new Set<string>()

  constructor(tenants: Tenants, sink: RouteSink) {
    this.#tenants = tenants
    this.#sink = sink
  }

  changed(tenant: Tenant): void {
    this.#known.add(tenant.uid)
    this.#touched.add(tenant.uid)
    this.#sink.put(routeOf(tenant))
  }

  removed(uid: string): void {
    this.#known.delete(uid)
    this.#sink.drop(uid)
  }

  /** Reads everything again. A tenant that is not there any more is dropped, unless it was written meanwhile. */
  async reload(): Promise<void> {
    this.#touched = new Set()
    const listed = new Set<string>()
    for await (const tenant of everyTenant(this.#tenants)) {
      listed.add(tenant.uid)
      this.#known.add(tenant.uid)
      this.#sink.put(routeOf(tenant))
    }
    for (const uid of this.#known) if (!listed.has(uid) && !this.#touched.has(uid)) this.removed(uid)
  }
}

/** The routes of the tenants in a store. `failed` hears of a reload that did not work; the table stays as it was. */
export function routesOf(tenants: Tenants, failed: (error: unknown) => void): RouteSource {
  return {
    follow: async (sink) => {
      const follower = new Follower(tenants, sink)
      const watch = await tenants.watch({
        changed: (tenant) => follower.changed(tenant),
        removed: (uid) => follower.removed(uid),
        missed: () => void follower.reload().catch(failed),
      })
      await follower.reload()
      return watch
    },
  }
}
