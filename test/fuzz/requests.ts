// Requests made from the API's own description: most of them nearly right, some of them broken in one place or in many.
import fc from 'fast-check'
import { description } from '../helpers/described.ts'

/** Whose token it is sent with. */
export type Sender = 'admin' | 'billing' | 'viewer' | 'limited'

export interface FuzzRequest {
  readonly as: Sender
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

type Schema = Readonly<Record<string, unknown>>

interface Parameter {
  readonly $ref?: string
  readonly in: string
  readonly name: string
  readonly schema: Schema
}

interface Described {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Readonly<Record<string, { schema: Schema }>> }
}

/** Stands in an address for the id of something that is there when the request is sent. */
export const knownId = 'known-id'

const names = ['acme', 'acme', 'beta', 'gamma', 'standard', 'byok']
/** What tends to break things. */
const nasty = fc.constantFrom<unknown>(
  ...['', ' ', '\0', '__proto__', 'constructor', '../x', '%00', 'é', '\ud83d\ude00', 'a'.repeat(300), '-1', '1e999'],
  ...[null, true, -1, 0, 1.5, 1e300, [], {}, [[[]]], { $gt: '' }, { a: { $ref: 'x' } }],
)

function resolved<T extends { readonly $ref?: string | undefined }>(value: T): T {
  if (value.$ref === undefined) return value
  const keys = value.$ref.slice(2).split('/')
  return keys.reduce<unknown>((inner, key) => new Map(Object.entries(inner as object)).get(key), description) as T
}

const texts = [
  ...[
    ...names,
    '*',
    '*',
    'plan=pro',
    'spec.region=iad',
    'iad',
    'ams',
    'a.example.org',
    'b.example.org',
    'vs_1',
    'USD',
    '7',
  ],
  ...[
    'ghcr.io/a/b:1',
    `ghcr.io/a/b@sha256:${'0'.repeat(64)}`,
    '2026-11',
    '2026-11-01T00:00:00.000Z',
    'tenants/acme',
    'Ready',
    'https://hooks.example/',
  ],
]

/** Of the texts that are at hand those that the pattern allows: fast-check would have to invert it. */
function textFor({ pattern, enum: words }: Schema): fc.Arbitrary<unknown> {
  if (Array.isArray(words)) return fc.constantFrom<unknown>(...(words as unknown[]))
  const allowed = typeof pattern === 'string' ? texts.filter((text) => new RegExp(pattern, 'u').test(text)) : texts
  return fc.constantFrom(...(allowed.length > 0 ? allowed : names))
}

function objectFor(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const { properties, required, additionalProperties } = schema
  const known = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>)
  const fields = Object.fromEntries(known.map(([key, inner]) => [key, valueFor(inner, depth + 1)]))
  const requiredKeys = ((required ?? []) as string[]).filter((key) => Object.hasOwn(fields, key))
  if (Object.hasOwn(fields, 'memoryMb')) fields['memoryMb'] = fc.constantFrom(512, 1024, 2048, 2048, 257)
  if (Object.hasOwn(fields, 'class')) fields['class'] = fc.constantFrom('standard', 'byok', 'none')
  const object = fc.record(fields, { requiredKeys })
  if (typeof additionalProperties !== 'object' || known.length > 0) return object
  return fc.dictionary(
    fc.constantFrom('plan', 'tier', 'a', 'b.c/d'),
    valueFor(additionalProperties as Schema, depth + 1),
    {
      maxKeys: 3,
    },
  )
}

/** A value as the schema has it, or now and then one that it does not. */
function valueFor(unresolved: Schema, depth = 0): fc.Arbitrary<unknown> {
  const schema = resolved(unresolved)
  if (depth > 6) return fc.constant(null)
  const right = ((): fc.Arbitrary<unknown> => {
    const { type, anyOf, oneOf, const: fixed, minimum, items } = schema
    const choices = (anyOf ?? oneOf) as Schema[] | undefined
    if (choices !== undefined) return fc.oneof(...choices.map((one) => valueFor(one, depth + 1)))
    if (fixed !== undefined) return fc.constant(fixed)
    if (Array.isArray(schema['enum'])) return fc.constantFrom<unknown>(...(schema['enum'] as unknown[]))
    if (type === 'object') return objectFor(schema, depth)
    if (type === 'array') return fc.array(valueFor((items ?? {}) as Schema, depth + 1), { maxLength: 3 })
    if (type === 'string') return textFor(schema)
    if (type === 'boolean') return fc.boolean()
    if (type === 'integer' || type === 'number') {
      const least = typeof minimum === 'number' ? minimum : 0
      const whole = Math.ceil(least)
      return fc.oneof(fc.constantFrom(least, 1, 2, 256, 512, 1024, 2048), fc.integer({ min: whole, max: whole + 600 }))
    }
    return fc.jsonValue({ maxDepth: 1 })
  })()
  return fc.oneof({ weight: 60, arbitrary: right }, { weight: 1, arbitrary: nasty })
}

/** The name in a document, where it is to stand in the address too. */
function nameIn(text: string | undefined): string | undefined {
  const [, name] = /^\{"kind":"(?:Tenant|Class|Pool)","name":"([a-z]+)"/.exec(text ?? '') ?? []
  return name
}

const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

/** Header values are Latin-1 without controls: what cannot be sent cannot be tried. */
const sendable = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, '?').trim()

const patch = fc.record(
  {
    labels: fc.dictionary(fc.constantFrom('plan', 'tier'), fc.constantFrom('pro', 'x', null)),
    spec: fc.record(
      {
        ...{
          state: fc.constantFrom('running', 'suspended', 'deleted'),
          class: fc.constantFrom('standard', null, 'none'),
        },
        idle: fc.oneof(fc.record({ afterMinutes: fc.integer({ min: -1, max: 99 }) }), nasty),
        config: fc.dictionary(fc.constantFrom('a', 'b'), fc.jsonValue({ maxDepth: 1 })),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
)

/** What billing sends; the description only says that its bytes are signed. */
const billingWords = fc.array(
  fc.record({
    tenant: fc.constantFrom(...names),
    entitlement: fc.constantFrom<unknown>('active', 'suspended', 'ended', 'active', 7),
    occurredAt: fc.constantFrom<unknown>(
      '2026-01-01T00:00:00Z',
      '2026-02-01T00:00:00+01:00',
      '9999-01-01T00:00:00Z',
      'now',
    ),
  }),
  { maxLength: 4 },
)

function bodyFor(path: string, { requestBody }: Described): fc.Arbitrary<{ type?: string; text?: string }> {
  if (requestBody === undefined) return fc.constant({})
  const types = Object.entries(requestBody.content)
  const right = fc.constantFrom(...types).chain(([type, { schema }]) => {
    const value: fc.Arbitrary<unknown> =
      path === '/v1/hooks/billing' ? billingWords : type.includes('merge-patch') ? patch : valueFor(schema)
    return value.map((sent) => ({ type, text: JSON.stringify(sent) }))
  })
  const type = fc.constantFrom('application/json', 'application/yaml', 'text/plain', 'nonsense')
  const text = fc.oneof(
    fc.json({ maxDepth: 2 }),
    fc.string(),
    fc.constantFrom('', '{', '[]', '- - -', '&a *a', '---\n---'),
  )
  const broken = fc.record({ type, text })
  return fc.oneof(
    { weight: 8, arbitrary: right },
    { weight: 1, arbitrary: broken },
    { weight: 1, arbitrary: fc.constant({}) },
  )
}

const namesOf: Readonly<Record<string, readonly string[]>> = {
  tenants: ['acme', 'acme', 'beta', 'gamma'],
  classes: ['standard', 'byok', 'acme'],
  pools: ['acme', 'beta'],
  schemas: ['Tenant', 'Class', 'Pool'],
  problems: ['not-found', 'conflict'],
  docs: ['swagger-ui.css', 'start.js'],
}

/** For each name in an address: one that may be there, and now and then anything. */
function namesIn(path: string): fc.Arbitrary<unknown>[] {
  const collection = /^(?:\/v1)?\/([\w-]+)/.exec(path)?.[1] ?? ''
  const named = namesOf[collection] ?? [knownId]
  return [...path.matchAll(/\{\w+\}/g)].map((_, index) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...(index === 0 ? named : [knownId])) },
      { weight: 1, arbitrary: nasty },
    ),
  )
}

/** Left out three times of four: all at once are refused for one of them. */
const seldom = (value: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })

const given = (values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

function requestFor(path: string, method: string, described: Described): fc.Arbitrary<FuzzRequest> {
  const parameters = (described.parameters ?? []).map((one) => resolved(one))
  // A stream has no end that could be waited for.
  const of = (place: string) => parameters.filter((one) => one.in === place && one.name !== 'watch')
  const optional = (place: string) => {
    const fields = of(place).map(({ name, schema }): [string, fc.Arbitrary<unknown>] => [
      name,
      seldom(valueFor(schema)),
    ])
    return fc.record(Object.fromEntries(fields)).map(given)
  }
  const inPath = fc.tuple(...namesIn(path))
  const as: fc.Arbitrary<Sender> = fc.oneof(
    { weight: 12, arbitrary: fc.constant('admin') },
    ...(['billing', 'viewer', 'limited'] as const).map((who) => ({ weight: 1, arbitrary: fc.constant(who) })),
  )
  const more = fc.constantFrom('bogus=1', 'dryRun=server', 'limit=0', 'output=table', '%', '&&=')
  const extra = fc.oneof({ weight: 9, arbitrary: fc.constant('') }, { weight: 1, arbitrary: more })
  return fc
    .tuple(inPath, optional('query'), extra, optional('header'), bodyFor(path, described), as)
    .map(([values, query, added, header, { type, text }, sender]) => {
      let next = 0
      const own = nameIn(text)
      const filled = path.replaceAll(/\{\w+\}/g, () =>
        encodeURIComponent(asText(next === 0 ? (own ?? values[next++]) : values[next++]).toWellFormed()),
      )
      const search = Object.entries(query).map(
        ([key, value]) => `${key}=${encodeURIComponent(asText(value).toWellFormed())}`,
      )
      const queries = [...search, ...(added === '' ? [] : [added])].join('&')
      return {
        as: sender,
        method: method.toUpperCase(),
        path: queries === '' ? filled : `${filled}?${queries}`,
        headers: {
          ...Object.fromEntries(
            Object.entries(header).map(([key, value]) => [key.toLowerCase(), sendable(asText(value))]),
          ),
          ...(type === undefined ? {} : { 'content-type': type }),
          ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
        },
        body: text,
      }
    })
}

const all = Object.entries(description.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item).map(([method, described]) => requestFor(path, method, described as unknown as Described)),
)

/** One request of any operation. */
export const fuzzRequest: fc.Arbitrary<FuzzRequest> = fc.oneof(...all)
