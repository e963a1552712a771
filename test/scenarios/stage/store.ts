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
  const read =
    <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
    (...args: A): Promise<T> =>
      stillness.busy(call(...args))
  const write =
    <A extends readonly [{ readonly uid: string }, ...unknown[]], T>(
      call: (...args: A) => Promise<T>,
      wrote: (answer: T) => boolean,
    ) =>
    async (...args: A): Promise<T> => {
      written.add(args[0].uid)
      // Counted before: the change may be told before the write is answered.
      const expected = listening ? 1 : 0
      stillness.events(expected)
      const answer = await stillness.busy(call(...args))
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
    get: read(inner.get),
    byName: read(inner.byName),
    page: read(inner.page),
    uids: read(inner.uids),
    withDomain: read(inner.withDomain),
    claimsOf: read(inner.claimsOf),
    add: write(inner.add, (answer) => answer === 'added'),
    change: write(inner.change, (answer) => answer !== undefined),
    saveStatus: write(inner.saveStatus, (answer) => answer !== undefined),
    purge: write(inner.purge, (answer) => answer),
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
