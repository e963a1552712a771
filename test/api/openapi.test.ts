// The description of the API: sound, complete, the same each time; and the page that shows it asks nobody else.
import test from 'ava'
import { openApiDocument } from '../../src/api/openapi.ts'
import { routerOf } from '../../src/api/router.ts'
import { realClock } from '../../src/clock.ts'
import { callersInMemory } from '../helpers/callers.ts'
import { description, undescribed } from '../helpers/described.ts'
import { ask } from '../helpers/client.ts'
import { startTestApi, tenantDocument } from './fixture.ts'

type Json = Readonly<Record<string, unknown>>

/** Every object in a value, with where it stands. */
function* objects(value: unknown, place = '#'): Generator<readonly [place: string, found: Json]> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield [place, value as Json]
  for (const [key, inner] of Object.entries(value))
    yield* objects(inner, `${place}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)
}

interface Parameter {
  readonly in: string
  readonly name: string
}

interface Described {
  readonly operationId: string
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[]
  readonly responses: Json
  readonly security: readonly unknown[]
}

const methods = Object.entries(description.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item).map(([method, described]) => ({ path, method, ...(described as unknown as Described) })),
)

test('every reference leads somewhere, and nothing is undefined', (t) => {
  const known = new Set([...objects(description)].map(([place]) => place))
  for (const [place, { $ref }] of objects(description))
    if (typeof $ref === 'string') t.true(known.has($ref), `${place} refers to ${$ref}`)
  t.deepEqual(JSON.parse(JSON.stringify(description)), description)
})

test('every operation has its id, its path parameters, an answer and a word on its problems', (t) => {
  t.is(new Set(methods.map(({ operationId }) => operationId)).size, methods.length)
  for (const { operationId, path, parameters = [], responses } of methods) {
    const inPath = parameters.flatMap((one) => ('in' in one && one.in === 'path' ? [one.name] : []))
    t.deepEqual(
      inPath,
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      operationId,
    )
    t.true(
      Object.keys(responses).some((status) => /^[23]/.test(status)),
      operationId,
    )
    t.true('500' in responses, operationId)
  }
  const names = Object.keys(description.components?.schemas ?? {})
  for (const name of ['Tenant', 'TenantDocument', 'Entitlement', 'Class', 'Rollout', 'Fleet', 'Orphan', 'Problem'])
    t.true(names.includes(name), `${name} is not among ${names.join(', ')}`)
})

/** Nothing is served by it here. */
const nobodysTrail = callersInMemory(realClock).audit.trail

test('what is served is described, and what is described is served', async (t) => {
  const { operations } = await startTestApi(t)
  const served = routerOf(operations, nobodysTrail).stack.flatMap(({ methods: verbs, path }) =>
    verbs.filter((verb) => verb !== 'HEAD').map((verb) => `${verb} ${String(path).replaceAll(/:(\w+)/g, '{$1}')}`),
  )
  t.deepEqual(served.sort(), methods.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort())
})

test('the document is open to all, and the same each time', async (t) => {
  const api = await startTestApi(t)
  const [one, two] = [await ask(`${api.url}/openapi.json`), await ask(`${api.url}/openapi.json`)]
  t.is(one.status, 200)
  t.is(one.text, two.text)
  t.is(one.text, JSON.stringify(openApiDocument(api.operations)))
  t.is(one.text, JSON.stringify(description))
  t.is(one.json()['openapi'], '3.1.1')
})

test('the page is served from here alone, under a policy of its own', async (t) => {
  const api = await startTestApi(t)
  const page = await ask(`${api.url}/docs`)
  t.is(page.status, 200)
  t.regex(String(page.headers['content-security-policy']), /^default-src 'none'; script-src 'self'/)
  t.notRegex(page.text, /https?:/)
  const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file)
  t.is(files.length, 4)
  for (const file of files) {
    const { status, headers } = await ask(`${api.url}${file}`)
    t.is(status, 200, file)
    t.regex(headers['content-type'] ?? '', /charset=utf-8$|image\/png/, file)
  }
  const { headers: others } = await api.call('/v1/tenants')
  t.notRegex(String(others['content-security-policy']), /script-src/)
  for (const file of ['package.json', 'constructor', '..%2fpackage.json', 'swagger-ui.css.map'])
    t.is((await ask(`${api.url}/docs/${file}`, { headers: { authorization: 'Bearer x' } })).status >= 400, true, file)
})

test('an answer that is not described is found out', async (t) => {
  const api = await startTestApi(t)
  const { headers, text } = await api.putJson('acme', tenantDocument('acme'))
  const put = (status: number, body: object) =>
    undescribed('PUT', '/v1/tenants/acme', { status, headers, text: JSON.stringify(body) })
  const made = JSON.parse(text) as object
  t.is(put(201, made), undefined)
  t.regex(put(418, made) ?? '', /not documented/)
  t.regex(put(201, { ...made, secret: 1 }) ?? '', /additional properties/)
  t.regex(put(201, { ...made, generation: '1' }) ?? '', /must be integer/)
})
