// What changes of the tenants, for those who watch: one watch of the store for all of them, and the last changes kept so that
// who was away for a moment goes on where they were.
import type { Tenant } from '../../specs/tenant.ts'
import { selects, type Selection } from '../store/selection.ts'
import type { Tenants } from '../store/tenants.ts'

export interface Change {
  readonly position: number
  /** Undefined: it is new. */
  readonly before: Tenant | undefined
  /** Undefined: it is gone. */
  readonly after: Tenant | undefined
}

export interface Notice {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly tenant: Tenant
}

const mostKept = 5_000
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

export class TenantFeed {
  readonly #tenants: Tenants
  readonly #listeners = new Set<(change: Change) => void>()
  #known = new Map<string, Tenant>()
  #changes: Change[] = []
  #position = 0

  private constructor(tenants: Tenants) {
    this.#tenants = tenants
  }

  /** Follows the store from now on; `failed` hears when it could not be read again. */
  static async open(tenants: Tenants, failed: (error: unknown) => void) {
    const feed = new TenantFeed(tenants)
    const watch = await tenants.watch({
      changed: (tenant) => feed.#take(tenant.uid, tenant),
      removed: (uid) => feed.#take(uid, undefined),
      missed: () => void feed.#readAgain().catch(failed),
    })
    await feed.#readAgain()
    return { feed, close: () => watch.close() }
  }

  get position(): number {
    return this.#position
  }

  all(): readonly Tenant[] {
    return [...this.#known.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** The changes after a position; undefined where they are no longer kept. */
  since(position: number): readonly Change[] | undefined {
    const oldest = this.#position - this.#changes.length
    if (position < oldest || position > this.#position) return undefined
    return this.#changes.slice(position - oldest)
  }

  /** Tells of every change from now on, until the answer is called. */
  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #take(uid: string, after: Tenant | undefined): void {
    const before = this.#known.get(uid)
    if (before === undefined && after === undefined) return
    // A look-up after the fact may bring the same twice, or what is older than what is known.
    if (before !== undefined && after !== undefined && after.revision <= before.revision) return
    if (after === undefined) this.#known.delete(uid)
    else this.#known.set(uid, after)
    this.#position += 1
    const change = { position: this.#position, before, after }
    this.#changes.push(change)
    if (this.#changes.length > mostKept) this.#changes = this.#changes.slice(-mostKept / 2)
    for (const listener of this.#listeners) listener(change)
  }

  async #readAgain(): Promise<void> {
    const found = await everyTenant(this.#tenants)
    for (const [uid, tenant] of found) this.#take(uid, tenant)
    for (const uid of [...this.#known.keys()]) if (!found.has(uid)) this.#take(uid, undefined)
  }
}
