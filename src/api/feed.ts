// What changes of the tenants, for those who watch: one watch of the store for all of them.
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { selects, type Selection } from '../store/selection.ts'
import type { Tenants } from '../store/tenants.ts'
import { Backlog } from './backlog.ts'

export interface Change {
  /** Undefined: it is new. */
  readonly before: Tenant | undefined
  /** Undefined: it is gone. */
  readonly after: Tenant | undefined
}

export interface Notice {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly tenant: Tenant
}

const pageSize = 500

/** What a change is to somebody who sees only a selection: who leaves it is gone, who enters it is new. */
export function noticeOf({ before, after }: Change, selection: Selection): Notice | undefined {
  const was = before !== undefined && selects(selection, before)
  const is = after !== undefined && selects(selection, after)
  if (after !== undefined && is) return { type: was ? 'MODIFIED' : 'ADDED', tenant: after }
  if (was) return { type: 'DELETED', tenant: after ?? before }
  return undefined
}

async function everyTenant(tenants: Tenants): Promise<Map<string, Tenant>> {
  const found = new Map<string, Tenant>()
  let after: string | undefined
  for (;;) {
    const page = await tenants.page({ after, limit: pageSize })
    for (const tenant of page) found.set(tenant.uid, tenant)
    after = page.at(-1)?.name
    if (page.length < pageSize) return found
  }
}

export interface FeedOptions {
  readonly tenants: Tenants
  readonly clock: Pick<Clock, 'bytes'>
  /** Hears when the store could not be read again. */
  readonly failed: (error: unknown) => void
}

export class TenantFeed {
  readonly backlog: Backlog<Change>
  readonly #tenants: Tenants
  readonly #known = new Map<string, Tenant>()
  #close: () => Promise<void> = () => Promise.resolve()

  private constructor({ tenants, clock }: FeedOptions) {
    this.#tenants = tenants
    this.backlog = new Backlog(clock)
  }

  /** Follows the store from now on. */
  static async open(options: FeedOptions): Promise<TenantFeed> {
    const feed = new TenantFeed(options)
    const watch = await options.tenants.watch({
      changed: (tenant) => feed.#take(tenant.uid, tenant),
      removed: (uid) => feed.#take(uid, undefined),
      missed: () => void feed.#readAgain().catch(options.failed),
    })
    feed.#close = () => watch.close()
    await feed.#readAgain()
    return feed
  }

  close(): Promise<void> {
    return this.#close()
  }

  get(uid: string): Tenant | undefined {
    return this.#known.get(uid)
  }

  all(): readonly Tenant[] {
    return [...this.#known.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** The members of pools are nobody's, and not for anybody to see: one is new when it is claimed. */
  #take(uid: string, found: Tenant | undefined): void {
    const after = found?.pool === undefined ? found : undefined
    const before = this.#known.get(uid)
    if (before === undefined && after === undefined) return
    // A look-up after the fact may bring the same twice, or what is older than what is known.
    if (before !== undefined && after !== undefined && after.revision <= before.revision) return
    if (after === undefined) this.#known.delete(uid)
    else this.#known.set(uid, after)
    this.backlog.add({ before, after })
  }

  async #readAgain(): Promise<void> {
    const found = await everyTenant(this.#tenants)
    for (const [uid, tenant] of found) this.#take(uid, tenant)
    for (const uid of [...this.#known.keys()]) if (!found.has(uid)) this.#take(uid, undefined)
  }
}
