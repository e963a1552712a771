// The routes that are about Moorage rather than about a tenant: health, keys, schemas, and what a problem means.
import Router from '@koa/router'
import type { Clock } from '../../specs/clock.ts'
import { jsonSchemas } from '../../specs/parse.ts'
import { isProblemCode, Problem, titles } from './problem.ts'
import type { ApiOptions, Readiness } from './server.ts'

const readyMs = 5_000

/** A check that fails or hangs is a reason too: whoever asks for readiness waits no longer than `readyMs`. */
async function readiness(ready: () => Promise<Readiness>, clock: Clock): Promise<Readiness> {
  const late = Promise.withResolvers<Readiness>()
  const cancel = clock.after(readyMs, () => late.resolve({ ok: false, checks: { all: `no answer in ${readyMs} ms` } }))
  try {
    return await Promise.race([ready(), late.promise])
  } catch (error) {
    return { ok: false, checks: { all: error instanceof Error ? error.name : 'failed' } }
  } finally {
    cancel()
  }
}

function healthRoutes(router: Router, { ready, clock }: ApiOptions): void {
  router.get('/livez', (context) => {
    context.body = { ok: true }
  })
  router.get('/readyz', async (context) => {
    const { ok, checks } = await readiness(ready, clock)
    const lines = Object.entries(checks).map(([name, said]) => `${name}: ${said}`)
    if (!ok)
      throw new Problem(503, 'not-ready', lines.join('; '), { headers: { 'Retry-After': '5' }, extra: { checks } })
    context.body = 'verbose' in context.query ? `${lines.join('\n')}\nready\n` : { ok, checks }
  })
}

/** The routes. Which of them need no token is decided in auth.ts. */
export function platformRouter(options: ApiOptions): Router {
  const { jwks } = options
  const router = new Router({ sensitive: true })
  healthRoutes(router, options)
  router.get('/.well-known/jwks.json', async (context) => {
    context.set('Cache-Control', 'public, max-age=300')
    context.body = await jwks()
  })
  router.get('/problems/:code', (context) => {
    const { code = '' } = context.params
    if (!isProblemCode(code)) throw new Problem(404, 'not-found', 'There is no such problem.')
    context.body = `${code}: ${titles[code]}.\n`
  })
  const schemas = new Map(Object.entries(jsonSchemas()))
  router.get('/v1/schemas', (context) => {
    context.body = Object.fromEntries(schemas)
  })
  router.get('/v1/schemas/:kind', (context) => {
    const found = schemas.get(context.params['kind'] ?? '')
    if (found === undefined)
      throw new Problem(404, 'not-found', `There is a schema of ${[...schemas.keys()].join(', ')}.`)
    context.body = found
  })
  return router
}
