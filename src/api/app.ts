// The Koa app: request id, errors as problems, the token, the routes.
import { createHash, timingSafeEqual } from 'node:crypto'
import Router from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import { MongoError } from 'mongodb'
import { Fault } from '../../specs/faults.ts'
import { jsonSchemas } from '../../specs/parse.ts'
import type { ApiOptions } from './server.ts'
import { Problem, problemBody } from './problem.ts'
import { tenantRouter } from './tenants.ts'

/** A client that goes away in the middle of an answer is no error of ours. */
const clientGone = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET'])

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const headers = { 'Retry-After': '5' }
  if (error instanceof MongoError)
    return new Problem(503, 'unavailable', 'The database cannot be reached.', { headers, cause: error })
  if (error instanceof Fault) return new Problem(503, 'unavailable', error.message, { headers, cause: error })
  if (error instanceof URIError)
    return new Problem(400, 'bad-request', 'The address cannot be decoded.', { cause: error })
  return new Problem(500, 'internal', 'The request could not be served; the log has the details.', { cause: error })
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

/** Every answer has an id, and every error is a problem. */
function outermost({ clock, log }: ApiOptions): Middleware {
  return async (context, next) => {
    const requestId = Buffer.from(clock.bytes(12)).toString('hex')
    const started = clock.now()
    context.set({ 'X-Request-Id': requestId, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache' })
    try {
      await next()
      if (!context.body) nothingServed(context)
    } catch (error) {
      const problem = asProblem(error)
      if (problem.status >= 500) log.error({ requestId, err: error, path: context.path }, 'a request failed')
      answerProblem(context, problem, requestId)
    }
    const { method, path, status } = context
    log.info({ requestId, method, path, status, tookMs: clock.now() - started }, 'request')
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** Compares digests, in constant time: neither the token nor its length shows in how long a refusal takes. */
function bearer(adminToken: string): Middleware {
  const expected = digest(adminToken)
  return async (context, next) => {
    if (!context.path.startsWith('/v1/') && context.path !== '/v1') {
      await next()
      return
    }
    const [, token] = /^Bearer +(\S+)$/i.exec(context.get('authorization')) ?? []
    if (token === undefined || !timingSafeEqual(digest(token), expected)) {
      const headers = { 'WWW-Authenticate': 'Bearer realm="moorage"' }
      throw new Problem(401, 'unauthorized', 'Send the header "Authorization: Bearer <token>".', { headers })
    }
    await next()
  }
}

function platformRouter({ jwks, ready, classes }: ApiOptions): Router {
  const router = new Router()
  router.get('/livez', (context) => {
    context.body = { ok: true }
  })
  router.get('/readyz', async (context) => {
    const { ok, checks } = await ready()
    context.status = ok ? 200 : 503
    context.body = { ok, checks }
  })
  router.get('/.well-known/jwks.json', (context) => {
    context.set('Cache-Control', 'public, max-age=300')
    context.body = jwks()
  })
  router.get('/v1/classes', (context) => {
    context.body = { items: [...classes.values()] }
  })
  router.get('/v1/classes/:name', (context) => {
    const found = classes.get(String(context.params['name']))
    if (found === undefined) throw new Problem(404, 'not-found', 'There is no such class.')
    context.body = found
  })
  router.get('/v1/schemas', (context) => {
    context.body = jsonSchemas()
  })
  return router
}

/** The app. Everything under /v1 needs the token. */
export function apiApp(options: ApiOptions): Koa {
  const app = new Koa()
  app.on('error', (error: Error & { code?: string }) => {
    if (!clientGone.has(error.code ?? '')) options.log.error({ err: error }, 'the API had an error')
  })
  const routers = [platformRouter(options), tenantRouter({ ...options, preview: options.preview })]
  app.use(outermost(options))
  app.use(bearer(options.adminToken))
  for (const router of routers) app.use(router.routes())
  for (const router of routers) app.use(router.allowedMethods())
  return app
}
