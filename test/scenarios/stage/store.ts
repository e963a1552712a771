// The real store, with every call counted as real work, and every write as a change that its watchers are still to hear of.
import type { TenantSink } from '../../../reconciler/ports.ts'
import type { Tenants } from '../../../src/store/tenants.ts'
import type { Stillness } from './stillness.ts'

/** The changes of the whole database, told to one listener at a time. */
export interface Feed {
  listen(sink: TenantSink): () => void
  close(): Promise<void>
}

/** Opening a change stream takes the driver a second of real time, so scenarios share one. */
export async function openFeed(tenants: Tenants): Promise<Feed> {
  let sink: TenantSink | undefined
  const watch = await tenants.watch({
    changed: (tenant) => sink?.changed(tenant),
    removed: (uid) => sink?.removed(uid),
    missed: () => sink?.missed(),
  })
  return {
    listen: (listener) => {
      sink = listener
      return () => (sink = undefined)
    },
    close: () => watch.close(),
  }
}

/** The store of one stage. Changes of tenants that were not written here belong to an earlier scenario. */
export function watchedTenants(inner: Tenants, feed: Feed, stillness: Stillness): Tenants {
  const written = new Set<string>()
  let listening = false
  const read = <T>(call: Promise<T>): Promise<T> => stillness.busy(call)
  const write = async <T>(uid: string, wrote: (answer: T) => boolean, call: () => Promise<T>): Promise<T> => {
    written.add(uid)
    // Counted before: the change may be told before the write is answered.
    const expected = listening ? 1 : 0
    stillness.events(expected)
    const answer = await stillness.busy(call())
    if (!wrote(answer)) stillness.events(-expected)
    return answer
  }
  const told = (sink: TenantSink): TenantSink => {
    const take = (uid: string, tell: () => void): void => {
      if (!written.has(uid)) return
      stillness.events(-1)
      tell()
    }
    return {
      changed: (tenant) => take(tenant.uid, () => sink.changed(tenant)),
      removed: (uid) => take(uid, () => sink.removed(uid)),
      missed: () => sink.missed(),
    }
  }
  return {
    get: (uid) => read(inner.get(uid)),
    byName: (name) => read(inner.byName(name)),
    page: (query) => read(inner.page(query)),
    uids: () => read(inner.uids()),
    withDomain: (domains, uid) => read(inner.withDomain(domains, uid)),
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
    watch: async (sink) => {
      const end = feed.listen(told(sink))
      listening = true
      return {
        close: async () => {
          end()
          listening = false
          stillness.noEvents()
        },
      }
    },
  }
}
