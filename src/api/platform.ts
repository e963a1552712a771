// The operations that are about Moorage rather than about a tenant: health, keys, schemas, and what a problem means.
import { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import { jsonSchemas } from '../../specs/parse.ts'
import { json, either, operation, text, type Operation } from './operation.ts'
import { isProblemCode, Problem, titles } from './problem.ts'
import { verboseReadiness, type Readiness } from '../readiness.ts'
import type { ApiOptions } from './server.ts'

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

const checks = z.record(z.string(), z.string())
/** A prober may add what it likes. */
const anything = z.looseObject({})

function health({ ready, clock }: ApiOptions): readonly Operation[] {
  const open = { method: 'get', tag: 'platform', roles: 'open' } as const
  return [
    operation({
      ...open,
      ...{ id: 'livez', path: '/livez', summary: 'Alive.', query: anything },
      answers: { 200: json(z.strictObject({ ok: z.literal(true) })) },
      handle: ({ context }) => {
        context.body = { ok: true }
      },
    }),
    operation({
      ...open,
      ...{ id: 'readyz', path: '/readyz', summary: 'Whether this process can serve, else 503 with the reasons.' },
      query: z.looseObject({ verbose: z.string().optional() }),
      answers: { 200: either(json(z.strictObject({ ok: z.literal(true), checks })), text(z.string())) },
      handle: async ({ context, query }) => {
        const found = await readiness(ready, clock)
        const lines = Object.entries(found.checks).map(([name, said]) => `${name}: ${said}`)
        const details = { headers: { 'Retry-After': '5' }, extra: { checks: found.checks } }
        if (!found.ok) throw new Problem(503, 'not-ready', lines.join('; '), details)
        context.body = query.verbose === undefined ? found : verboseReadiness(found)
      },
    }),
  ]
}

/** Closed, as everything is: MOORAGE_OPS_PORT serves the same without a token. */
function metrics({ watch }: ApiOptions): Operation {
  return operation({
    ...{ id: 'getMetrics', method: 'get', path: '/metrics', tag: 'platform', roles: ['admin', 'viewer'] },
    summary: 'Metrics of this process, in the text format of Prometheus.',
    query: anything,
    answers: { 200: text(z.string()) },
    problems: [404],
    handle: async ({ context }) => {
      if (watch === undefined) throw new Problem(404, 'not-found', 'This process has no metrics.')
      const { type, body } = await watch.scrape()
      context.body = body
      context.type = type
    },
  })
}

const schemaShape = z.record(z.string(), z.unknown())

function schemas(): readonly Operation[] {
  const found = new Map(Object.entries(jsonSchemas()))
  const at = { method: 'get', tag: 'platform', roles: ['admin', 'billing', 'viewer'], limited: true } as const
  return [
    operation({
      ...at,
      ...{ id: 'listSchemas', path: '/v1/schemas', summary: 'The JSON Schemas of the documents, by kind.' },
      answers: { 200: json(z.record(z.string(), schemaShape)) },
      handle: ({ context }) => {
        context.body = Object.fromEntries(found)
      },
    }),
    operation({
      ...at,
      ...{ id: 'getSchema', path: '/v1/schemas/{kind}', summary: 'The JSON Schema of one kind of document.' },
      answers: { 200: json(schemaShape) },
      problems: [404],
      handle: ({ context, params: { kind } }) => {
        const schema = found.get(kind)
        if (schema === undefined)
          throw new Problem(404, 'not-found', `There is a schema of ${[...found.keys()].join(', ')}.`)
        context.body = schema
      },
    }),
  ]
}

/** The operations. */
export function platformOperations(options: ApiOptions): readonly Operation[] {
  const open = { method: 'get', tag: 'platform', roles: 'open' } as const
  return [
    ...health(options),
    metrics(options),
    operation({
      ...open,
      ...{ id: 'getJwks', path: '/.well-known/jwks.json' },
      summary: "The public keys of the tenants' LLM tokens.",
      query: anything,
      answers: { 200: json(z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) })) },
      handle: async ({ context }) => {
        context.set('Cache-Control', 'public, max-age=300')
        context.body = await options.jwks()
      },
    }),
    operation({
      ...open,
      ...{ id: 'getProblem', path: '/problems/{code}', summary: "What a problem's code means." },
      answers: { 200: text(z.string()) },
      problems: [404],
      handle: ({ context, params: { code } }) => {
        if (!isProblemCode(code)) throw new Problem(404, 'not-found', 'There is no such problem.')
        context.body = `${code}: ${titles[code]}.\n`
      },
    }),
    ...schemas(),
  ]
}
