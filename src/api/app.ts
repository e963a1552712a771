// The Koa app: request id, errors as problems, the token, the routes.
import { AsyncLocalStorage } from 'node:async_hooks'
import Koa, { type Context, type Middleware } from 'koa'
import { adminAuthenticator, bearer } from './auth.ts'
import { traceFields } from '../tracing/traceparent.ts'
import { asProblem } from './failure.ts'
import { guarded, type RequestNow } from './guarded.ts'
import { allOperations } from './operations.ts'
import { Problem, problemBody } from './problem.ts'
import { rateLimits } from './rates.ts'
import { openPaths, routerOf } from './router.ts'
import type { ApiOptions } from './server.ts'
import { watching } from './watch.ts'

/** A client that goes away in the middle of an answer is no error of ours. */
const clientGone = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET'])

const everyAnswer = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-cache',
}

function answerProblem(context: Context, problem: Problem, requestId: string): void {
  context.status = problem.status
  context.set(problem.details.headers ?? {})
  context.body = problemBody(problem, requestId)
  context.type = 'application/problem+json'
}

/** No route took the request, or none takes its method; the Allow header has been set then. */
function nothingServed({ status, path, method }: Context): void {
  if (status === 404) throw new Problem(404, 'not-found', `There is nothing at ${path}.`)
  if (status === 405 || status === 501)
    throw new Problem(405, 'method-not-allowed', `${method} is not known at ${path}.`)
}

/** Every answer has an id, and every error is a problem. Neither queries nor headers nor bodies are logged. */
function outermost({ clock, log, watch }: ApiOptions): Middleware {
  return async (context, next) => {
    const requestId = Buffer.from(clock.bytes(12)).toString('hex')
    const started = clock.now()
    // Our own span where traces are kept, else the caller's.
    const traced = traceFields(watch?.tracing.traceparent() ?? context.get('traceparent'))
    context.set({ 'X-Request-Id': requestId, ...everyAnswer })
    try {
      await next()
      if (!context.body) nothingServed(context)
    } catch (error) {
      const problem = asProblem(error)
      if (problem.status >= 500) log.error({ requestId, ...traced, err: error, path: context.path }, 'a request failed')
      answerProblem(context, problem, requestId)
    }
    const { method, path, status } = context
    log.info({ requestId, ...traced, method, path, status, tookMs: clock.now() - started }, 'request')
  }
}

/** The app. */
export function apiApp(options: ApiOptions): Koa {
  const app = new Koa()
  app.on('error', (error: Error & { code?: string }) => {
    if (!clientGone.has(error.code ?? '')) options.log.error({ err: error }, 'the API had an error')
  })
  const requestNow: RequestNow = new AsyncLocalStorage()
  const operations = allOperations(guarded(options, requestNow))
  if (options.watch !== undefined) app.use(watching(options.watch, options.clock))
  app.use(outermost(options))
  app.use((context, next) => requestNow.run(context, next))
  const authenticators = [adminAuthenticator(options.adminToken), ...(options.authenticators ?? [])]
  app.use(bearer(authenticators, openPaths(operations)))
  const router = routerOf(operations, {
    trail: options.audit.trail,
    takeRate: rateLimits(options.rates ?? { readsPerMinute: undefined, writesPerMinute: undefined }),
    replay: options,
  })
  app.use(router.routes()).use(router.allowedMethods())
  return app
}
