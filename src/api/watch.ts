// What operators see of the API itself: each answer counted and, where traces are kept, each request a span.
import type { Context, Middleware } from 'koa'
import type { Clock } from '../../specs/clock.ts'
import type { Answered } from '../metrics/open.ts'
import type { Scrape } from '../operations.ts'
import type { Tracing } from '../tracing/open.ts'

export interface ApiWatch {
  /** The metrics of this process, for whoever scrapes with a token. */
  readonly scrape: () => Promise<Scrape>
  readonly answered: (answer: Answered) => void
  readonly tracing: Pick<Tracing, 'request' | 'traceparent'>
}

/** Probes and scrapes would fill the traces with nothing. */
const isTraced = ({ path }: Context) => path.startsWith('/v1/')

/** The route that took the request, as @koa/router leaves it: `/v1/tenants/:name`. */
const routeOf = (context: Context) => (context as Context & { readonly _matchedRoute?: unknown })._matchedRoute

/** Goes around everything else. */
export function watching({ answered, tracing }: ApiWatch, clock: Clock): Middleware {
  return async (context, next) => {
    const { method, path } = context
    const started = clock.now()
    const serve = async () => {
      await next()
      answered({ method, status: context.status, ms: clock.now() - started })
    }
    if (!isTraced(context)) return serve()
    await tracing.request({ method, path, traceparent: context.get('traceparent') }, async (span) => {
      await serve()
      const route = routeOf(context)
      if (typeof route === 'string') span.route(method, route)
      span.set({ 'http.response.status_code': context.status })
      if (context.status >= 500) span.failed(`HTTP ${context.status}`)
    })
  }
}
