// Wrong input is answered with 4xx problem+json that names each wrong field, and changes nothing.
import test from 'ava'
import fc from 'fast-check'
import { startTestApi, tenantDocument } from './fixture.ts'

const guest = { cpuKind: 'shared', cpus: 1, memoryMb: 2048 }

/** A document, and the paths that must be named. */
const documents: readonly (readonly [document: unknown, paths: readonly string[]])[] = [
  [null, ['']],
  [[], ['']],
  ['text', ['']],
  [1, ['']],
  [{}, ['kind', 'name', 'spec']],
  [{ kind: 'Tenant', name: 'acme' }, ['spec']],
  [{ kind: 'Pool', name: 'acme', spec: {} }, ['kind']],
  [{ kind: 'tenant', name: 'acme', spec: {} }, ['kind']],
  [{ kind: 'Tenant', name: 'other', spec: {} }, ['name']],
  [{ kind: 'Tenant', name: 7, spec: {} }, ['name']],
  [{ kind: 'Tenant', name: 'acme', spec: {}, stat: {} }, ['stat']],
  [{ kind: 'Tenant', name: 'acme', spec: { size: 1 }, uid: 'x' }, ['uid', 'spec.size']],
  [{ kind: 'Tenant', name: 'acme', labels: [], spec: {} }, ['labels']],
  [{ kind: 'Tenant', name: 'acme', labels: { 'a b': 'x' }, spec: {} }, ['labels.a b']],
  [{ kind: 'Tenant', name: 'acme', labels: { a: 'not ok' }, spec: {} }, ['labels.a']],
  [{ kind: 'Tenant', name: 'acme', labels: { a: 1 }, spec: {} }, ['labels.a']],
  [{ kind: 'Tenant', name: 'acme', spec: [] }, ['spec']],
  [tenantDocument('acme', { state: 'runnning' }), ['spec.state']],
  [tenantDocument('acme', { state: 'pool-warm' }), ['spec.state']],
  [tenantDocument('acme', { state: null }), ['spec.state']],
  [tenantDocument('acme', { state: 'Running' }), ['spec.state']],
  [tenantDocument('acme', { class: 'nope' }), ['spec.class']],
  [tenantDocument('acme', { class: '' }), ['spec.class']],
  [tenantDocument('acme', { region: 'IAD' }), ['spec.region']],
  [tenantDocument('acme', { region: 'iads' }), ['spec.region']],
  [tenantDocument('acme', { region: 7 }), ['spec.region']],
  [tenantDocument('acme', { image: '' }), ['spec.image']],
  [tenantDocument('acme', { image: 'openclaw' }), ['spec.image']],
  [tenantDocument('acme', { image: 'ghcr.io/x/y:tag with space' }), ['spec.image']],
  [tenantDocument('acme', { image: 'ghcr.io/x/y@sha256:abc' }), ['spec.image']],
  [tenantDocument('acme', { guest: {} }), ['spec.guest.cpuKind', 'spec.guest.cpus', 'spec.guest.memoryMb']],
  [tenantDocument('acme', { guest: { ...guest, memoryMb: 2000 } }), ['spec.guest.memoryMb']],
  [tenantDocument('acme', { guest: { ...guest, memoryMb: 4096 } }), ['spec.guest.memoryMb']],
  [tenantDocument('acme', { guest: { ...guest, memoryMb: 2048.5 } }), ['spec.guest.memoryMb']],
  [tenantDocument('acme', { guest: { ...guest, memoryMb: -256 } }), ['spec.guest.memoryMb']],
  [tenantDocument('acme', { guest: { ...guest, cpus: 3 } }), ['spec.guest.cpus']],
  [tenantDocument('acme', { guest: { ...guest, cpuKind: 'fast' } }), ['spec.guest.cpuKind']],
  [tenantDocument('acme', { guest: { ...guest, cpuKind: 'performance', memoryMb: 1024 } }), ['spec.guest.memoryMb']],
  [tenantDocument('acme', { guest: { ...guest, swapMb: 512 } }), ['spec.guest.swapMb']],
  [tenantDocument('acme', { volume: {} }), ['spec.volume.sizeGb']],
  [tenantDocument('acme', { volume: { sizeGb: 0 } }), ['spec.volume.sizeGb']],
  [tenantDocument('acme', { volume: { sizeGb: 501 } }), ['spec.volume.sizeGb']],
  [tenantDocument('acme', { volume: { sizeGb: '1' } }), ['spec.volume.sizeGb']],
  [tenantDocument('acme', { config: [] }), ['spec.config']],
  [tenantDocument('acme', { config: 'x' }), ['spec.config']],
  [tenantDocument('acme', { domains: 'a.test' }), ['spec.domains']],
  [tenantDocument('acme', { domains: ['A.test'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { domains: ['a.test', 'b.test:80'] }), ['spec.domains[1]']],
  [tenantDocument('acme', { domains: ['*.a.test'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { domains: ['a.test.'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { domains: ['localhost'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { domains: ['127.0.0.1'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { domains: ['a_b.test'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { domains: ['a.test', 'a.test'] }), ['spec.domains']],
  [tenantDocument('acme', { domains: ['x.example.com'] }), ['spec.domains[0]']],
  [tenantDocument('acme', { idle: { afterMinutes: -1 } }), ['spec.idle.afterMinutes']],
  [tenantDocument('acme', { idle: 15 }), ['spec.idle']],
  [tenantDocument('acme', { bogus: 1 }), ['spec.bogus']],
  [tenantDocument('acme', { state: 'x', region: 'y', bogus: 1 }), ['spec.bogus', 'spec.region', 'spec.state']],
]

/** Bodies that are no document at all: content type, body, status. */
const bodies: readonly (readonly [type: string | undefined, body: string | Buffer, status: number])[] = [
  ['application/json', '', 400],
  ['application/json', '{', 400],
  ['application/json', '{"kind":"Tenant",}', 400],
  ['application/json', `${'['.repeat(50_000)}${']'.repeat(50_000)}`, 400],
  ['application/json', `{"spec":${'{"a":'.repeat(200)}1${'}'.repeat(201)}`, 400],
  ['application/json', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 400],
  ['application/json', '{"kind":"Tenant","name":"acme","spec":{"__proto__":{"state":"deleted"}}}', 400],
  ['application/json', 'x'.repeat(1_100_000), 413],
  ['application/yaml', 'kind: [', 400],
  ['application/yaml', 'kind: Tenant\nkind: Tenant\nname: acme\nspec: {}\n', 400],
  ['application/yaml', 'kind: Tenant\nname: acme\nspec: {}\n---\nkind: Tenant\nname: b\nspec: {}\n', 400],
  ['application/yaml', 'kind: !!js/function "x"\nname: acme\nspec: {}\n', 400],
  ['application/yaml', '\0', 400],
  [
    'application/yaml',
    `a: &a [x, x]\n${Array.from({ length: 30 }, (_, i) => `k${i}: [*a, *a, *a, *a, *a, *a]`).join('\n')}\n`,
    400,
  ],
  ['text/plain', 'kind: Tenant', 415],
  [undefined, '{}', 415],
]

test('each wrong field is named by its path, and nothing changes', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const before = await api.tenants.byName('acme')
  for (const [document, paths] of documents) {
    const answer = await api.putJson('acme', document)
    const where = JSON.stringify(document)
    t.is(answer.status, 400, where)
    t.regex(answer.headers['content-type'] ?? '', /application\/problem\+json/, where)
    const { errors, code, type } = answer.json() as {
      errors: { path: string; detail: string }[]
      code: string
      type: string
    }
    t.deepEqual([...new Set(errors.map(({ path }) => path))].sort(), [...paths].sort(), where)
    t.true(errors.every(({ detail }) => detail.length > 0))
    t.is(type, `/problems/${code}`)
  }
  t.deepEqual(await api.tenants.byName('acme'), before)
  t.deepEqual(await api.tenants.uids(), [before?.uid])
})

test('bodies that are no document are refused, and nothing changes', async (t) => {
  const api = await startTestApi(t)
  for (const [type, body, status] of bodies) {
    const answer = await api.call('/v1/tenants/acme', {
      method: 'PUT',
      body: body as string,
      headers: type === undefined ? {} : { 'content-type': type },
    })
    t.is(answer.status, status, `${type ?? 'no type'}: ${body.toString().slice(0, 60)}`)
    t.regex(answer.headers['content-type'] ?? '', /application\/problem\+json/)
  }
  t.deepEqual(await api.tenants.uids(), [])
})

test('names that cannot be a host, unknown addresses and methods', async (t) => {
  const api = await startTestApi(t)
  for (const name of ['Acme', 'a_b', '-a', 'a-', 'a.b', 'x'.repeat(64), '%00', 'a%2Fb', '..%2f'])
    t.true([400, 404].includes((await api.putJson(name, tenantDocument(name))).status), name)
  t.deepEqual(await api.tenants.uids(), [])
  for (const path of ['/', '/v1', '/v1/nothing', '/v1/tenants/a/b/c', '/%', '/v1/tenants/%E0%A4%A'])
    t.true([400, 404].includes((await api.call(path)).status), path)
  const wrong = await api.call('/v1/tenants/acme', { method: 'POST' })
  t.is(wrong.status, 405)
  t.regex(wrong.headers.allow ?? '', /PUT/)
})

test('YAML problems come with line and column', async (t) => {
  const api = await startTestApi(t)
  const answer = await api.putYaml('acme', 'kind: Tenant\nname: acme\nspec:\n  guest:\n    cpus: 5\n')
  const { errors } = answer.json() as { errors: { path: string; line: number; column: number }[] }
  t.like(
    errors.find(({ path }) => path === 'spec.guest.cpus'),
    { line: 5, column: 11 },
  )
  const syntax = (await api.putYaml('acme', 'kind: Tenant\nname: "acme\n')).json() as { errors: { line: number }[] }
  t.true((syntax.errors[0]?.line ?? 0) >= 2)
})

test('random documents never break it: no 5xx, and nothing changes where it was refused', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const field = fc.constantFrom(
    'kind',
    'name',
    'labels',
    'spec',
    'state',
    'region',
    'class',
    'domains',
    'config',
    '__proto__',
    '',
  )
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      fc.dictionary(field, tie('any')),
      fc.constantFrom('Tenant', 'acme'),
    ),
  })).any
  await fc.assert(
    fc.asyncProperty(value, async (document) => {
      const before = await api.tenants.byName('acme')
      const answer = await api.putJson('acme', document)
      t.true(answer.status < 500)
      if (answer.status >= 400) t.deepEqual(await api.tenants.byName('acme'), before)
    }),
    { numRuns: 300, seed: 7 },
  )
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (text) => {
      t.true((await api.putYaml('acme', text)).status < 500)
    }),
    { numRuns: 300, seed: 7 },
  )
})
