// The sweep: documents past the time of their TTL index, idle cursors, and sessions that nobody uses any more.
import type { Collection, Index } from './catalog.ts'
import { parseFilter } from './filter.ts'
import { selectAll } from './select.ts'
import type { Store } from './store.ts'

/** Documents removed in one go, so that a long list does not keep clients waiting. */
const portion = 500

/** Sweeps once; answers whether documents are left to remove. */
export function sweep(store: Store): boolean {
  store.cursors.expire()
  return store.turn.write(() => {
    store.retries.expire()
    const removed = store.catalog.all().map((collection) => expireIn(store, collection))
    return removed.some((count) => count >= portion)
  })
}

function expireIn(store: Store, collection: Collection): number {
  const counts = collection.indexes.map((index) => expireBy(store, collection, index))
  return Math.max(...counts)
}

/** A document expires by its date, or by the earliest of an array of dates; anything else never expires. */
function expireBy(store: Store, collection: Collection, index: Index): number {
  const [field] = index.fields
  if (index.expireAfterSeconds === undefined || field === undefined) return 0
  const before = new Date(store.now().getTime() - index.expireAfterSeconds * 1000)
  const due = parseFilter({ [field.name]: { $lte: before } })
  const filter = index.partial === undefined ? due : ({ kind: 'and', parts: [due, index.partial] } as const)
  const query = { filter, sort: [], skip: 0, limit: portion }
  const rows = selectAll(store, collection.db, collection.name, query, () => undefined)
  for (const row of rows) store.records.remove(collection, row)
  return rows.length
}

/** Sweeps every `intervalMs`, and at once again while there is more to do; the answer ends it. */
export function startSweeps(store: Store, intervalMs: number): () => void {
  let timer: NodeJS.Timeout
  const run = () => {
    const hasMore = sweep(store)
    timer = setTimeout(run, hasMore ? 0 : intervalMs)
  }
  timer = setTimeout(run, intervalMs)
  return () => clearTimeout(timer)
}
