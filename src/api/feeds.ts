// The feeds of this process, each opened with its first watcher and shared by all. A feed is opened outside the request of the
// first: it would have that caller's limits for everybody. Each watcher is limited where it is told (`limitOf`).
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from 'koa'
import { openEventFeed, type EventFeed } from './event-feed.ts'
import { TenantFeed } from './feed.ts'
import type { ApiOptions } from './server.ts'

export interface Feeds {
  readonly tenants: (context: Context) => Promise<TenantFeed>
  readonly events: (context: Context) => Promise<EventFeed>
}

type Options = Pick<ApiOptions, 'tenants' | 'events' | 'clock' | 'log'>

interface Closable {
  close(): Promise<void>
}

function once<F extends Closable>(open: () => Promise<F>, failed: (error: unknown) => void) {
  const outside = AsyncLocalStorage.snapshot()
  let opened: Promise<F> | undefined
  const start = async ({ app }: Context): Promise<F> => {
    const feed = await outside(open)
    app.once('closing', () => void feed.close().catch(failed))
    return feed
  }
  return (context: Context): Promise<F> => {
    opened ??= start(context).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }
}

/** Nothing of the options is looked at before somebody watches. */
export function feedsOf(options: Options): Feeds {
  const failed = (error: unknown) => options.log.error({ err: error }, 'what is watched could not be read again')
  return {
    tenants: once(() => TenantFeed.open({ ...options, failed }), failed),
    events: once(() => openEventFeed({ ...options, failed }), failed),
  }
}
