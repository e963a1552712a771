// Documents that are meant to break something: each is refused in a moment, with a sentence, and changes nothing.
import test from 'ava'
import fc from 'fast-check'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

const mebi = 1_048_576
const times = (count: number, write: (index: number) => string, glue = '') =>
  Array.from({ length: count }, (_, index) => write(index)).join(glue)
const json = (config: string) => `{"kind":"Tenant","name":"acme","spec":{"config":${config}}}`
const yaml = (config: string) => `kind: Tenant\nname: acme\nspec:\n  config:\n    ${config}\n`

/** Each level holds the one before it 30 times. */
const bombLevel = (index: number) => {
  const [name, before] = ['bcd'.charAt(index), 'abc'.charAt(index)]
  return `${name}: &${name} [${times(30, () => `*${before}`, ', ')}]`
}

/** What is sent, the path that must be named, and a word of the reason. */
const rows: readonly (readonly [name: string, type: 'json' | 'yaml', body: string, path: string, reason: RegExp])[] = [
  ['a prototype', 'json', json('{"__proto__":{"a":1}}'), 'spec.config.__proto__', /reserved/],
  ['a prototype, deep', 'json', json('{"a":[{"__proto__":1}]}'), 'spec.config.a[0].__proto__', /reserved/],
  ['a constructor', 'json', json('{"constructor":{"prototype":{"a":1}}}'), 'spec.config.constructor', /reserved/],
  ['a prototype in YAML', 'yaml', yaml('__proto__: 1'), 'spec.config.__proto__', /reserved/],
  ['a BSON type', 'json', json('{"a":{"_bsontype":"ObjectId"}}'), 'spec.config.a._bsontype', /reserved/],
  ['a database reference', 'json', json('{"a":{"$ref":"x","$id":1}}'), 'spec.config.a.$ref', /reserved/],
  ['a list that is read back as bytes', 'json', json('{"toString":[{"a":1}]}'), 'spec.config.toString', /reserved/],
  ['a null character in a key', 'json', json('{"a\\u0000b":1}'), 'spec.config.a\0b', /null character/],
  ['a null character in a value', 'json', json('{"a":"b\\u0000"}'), 'spec.config.a', /null character/],
  ['a null character in YAML', 'yaml', yaml('a: "b\\0"'), 'spec.config.a', /null character/],
  ['half a character', 'json', json('{"a":"\\ud800"}'), 'spec.config.a', /Unicode/],
  ['half a character in a key', 'json', json('{"\\udc00":1}'), 'spec.config.\udc00', /Unicode/],
  ['a key twice in JSON', 'json', '{"kind":"Tenant","name":"acme","name":"acme","spec":{}}', '', /unique/],
  ['a key twice, deep in JSON', 'json', json('{"a":{"b":1,"b":2}}'), '', /unique/],
  ['a number too large', 'json', json('{"a":1e999}'), 'spec.config.a', /./],
  ['not a number', 'yaml', yaml('a: .nan'), 'spec.config.a', /./],
  ['a date', 'yaml', yaml('a: !!timestamp 2020-01-01'), 'spec.config.a', /./],
  ['an unknown tag', 'yaml', yaml('a: !ruby/object {}'), '', /tag/],
  ['an alias without an anchor', 'yaml', yaml('a: *nowhere'), '', /alias/],
  ['an alias of itself', 'yaml', 'kind: Tenant\nname: acme\nspec:\n  config: &a\n    b: *a\n', '', /nested/],
  ['many aliases', 'yaml', `a: &a 1\nb: [${times(101, () => '*a', ', ')}]\n`, '', /aliases/],
  ['a bomb of aliases', 'yaml', `a: &a [${times(50, () => 'x', ', ')}]\n${times(3, bombLevel, '\n')}\n`, '', /aliases/],
  ['brackets without end', 'json', '['.repeat(mebi), '', /nested/],
  ['brackets in YAML', 'yaml', '{a: '.repeat(mebi / 4), '', /nested/],
  ['lists in lists without brackets', 'yaml', '- '.repeat(9_000), '', /nested/],
  ['one level too many', 'json', json(`${'{"a":'.repeat(64)}1${'}'.repeat(64)}`), '', /nested/],
  ['a megabyte of keys', 'yaml', times(80_000, (i) => `k${i}: 1`, '\n'), '', /fields/],
  ['a megabyte of numbers', 'json', json(`{"a":[${times(300_000, () => '1', ',')}]}`), '', /fields/],
  ['a megabyte of anchors', 'yaml', '&a '.repeat(mebi / 3), '', /fields/],
  ['a megabyte of wrong escapes', 'yaml', `"${'\\q'.repeat(mebi / 2 - 2)}"`, '', /escapes/],
  ['two documents', 'yaml', 'kind: Tenant\n---\nkind: Tenant\n', '', /several/],
  ['a comment and nothing else', 'yaml', '# nothing\n', '', /empty/],
  ['YAML that says it is JSON', 'json', 'kind: Tenant\nname: acme\nspec: {}\n', '', /not JSON/],
]

test('hostile documents are refused at once, by path, and change nothing', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const before = await stored(api.tenants, 'acme')
  for (const [name, type, body, path, reason] of rows) {
    const started = performance.now()
    const headers = { 'content-type': `application/${type}` }
    const answer = await api.call('/v1/tenants/acme', { method: 'PUT', body, headers })
    t.is(answer.status, 400, name)
    const { errors, detail } = answer.json() as { errors: { path: string; detail: string }[]; detail: string }
    t.deepEqual([...new Set(errors.map((error) => error.path))].slice(0, 1), [path], name)
    t.regex(errors[0]?.detail ?? '', reason, name)
    t.true(errors.length <= 50 && detail.length < 2_000, name)
    t.true(performance.now() - started < 30_000, `${name} hung`)
  }
  t.deepEqual(await stored(api.tenants, 'acme'), before)
  t.false('a' in {}, 'no prototype was touched')
})

test('a document with thousands of faults is answered with 50 of them and their number', async (t) => {
  const api = await startTestApi(t)
  const answer = await api.putJson('acme', Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`k${i}`, 1])))
  const { errors, detail } = answer.json() as { errors: unknown[]; detail: string }
  t.is(errors.length, 50)
  t.regex(detail, /and 898 more$/)
})

test('content encodings, charsets and types that are not read get 415 with what is read', async (t) => {
  const api = await startTestApi(t)
  const body = JSON.stringify(tenantDocument('acme'))
  const put = (headers: Record<string, string>) => api.call('/v1/tenants/acme', { method: 'PUT', body, headers })
  for (const headers of [
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'nonsense' },
    {},
  ]) {
    const answer = await put(headers)
    t.is(answer.status, 415, JSON.stringify(headers))
    t.is(answer.headers['accept'], 'application/json, application/yaml')
  }
  t.deepEqual(await api.tenants.uids(), [])
  for (const type of [
    'application/json; charset=UTF-8',
    'application/merge-patch+json',
    'text/yaml',
    'application/x-yaml',
  ])
    t.true((await put({ 'content-type': type })).status < 300, type)
})

test('a byte order mark, tabs and escapes in JSON are read as JSON', async (t) => {
  const api = await startTestApi(t)
  const text = `\uFEFF{\n\t"kind": "Tenant",\n\t"name": "acme",\n\t"spec": {"config": {"a": "\\/\\ud83d\\ude00\\t"}}\n}`
  const headers = { 'content-type': 'application/json' }
  const answer = await api.call('/v1/tenants/acme', { method: 'PUT', body: text, headers })
  t.is(answer.status, 201)
  t.like(answer.json(), { spec: { config: { a: '/😀\t' } } })
})

test('JSON problems come with line and column too', async (t) => {
  const api = await startTestApi(t)
  const put = async (body: string) => {
    const headers = { 'content-type': 'application/json' }
    return (await api.call('/v1/tenants/acme', { method: 'PUT', body, headers })).json()
  }
  t.like(await put('{\n  "kind": "Tenant",\n  "name": "acme",\n  "spec": {"region": 7}\n}'), {
    errors: [{ path: 'spec.region', pointer: '/spec/region', line: 4, column: 22 }],
  })
  t.like(await put('{\n  "kind": "Tenant",\n}'), { errors: [{ path: '', line: 3, column: 1 }] })
})

test('every configuration that is taken comes back as it was sent, and again changes nothing', async (t) => {
  const api = await startTestApi(t)
  const key = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('$set', 'a.b', '', '_id', 'then', '__v'))
  const config = fc.dictionary(key, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 })
  let taken = 0
  await fc.assert(
    fc.asyncProperty(config, async (sent) => {
      const answer = await api.putJson('acme', tenantDocument('acme', { config: sent }))
      t.true(answer.status < 500)
      if (answer.status >= 400) return
      taken += 1
      const plain = JSON.parse(JSON.stringify(sent)) as unknown
      t.deepEqual((answer.json()['spec'] as { config: unknown }).config, plain)
      const again = await api.putJson('acme', tenantDocument('acme', { config: sent }))
      t.is(again.headers.etag, answer.headers.etag)
    }),
    { numRuns: 150, seed: 11 },
  )
  t.true(taken > 100, `only ${taken} were taken`)
})
