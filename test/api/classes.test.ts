// Classes over REST: who may change what, and that an image which others could move is refused.
import test, { type ExecutionContext } from 'ava'
import { openBook } from '../../src/class-book.ts'
import { until } from '../helpers/processes.ts'
import { startTestApi, tenantDocument, type ApiUnderTest } from './fixture.ts'

const digest = (letter: string) => `ghcr.io/openclaw/openclaw@sha256:${letter.repeat(64)}`

const spec = {
  image: digest('a'),
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 },
  volume: { sizeGb: 1 },
  idle: { afterMinutes: 15 },
  llmProxy: true,
  price: { monthlyMicros: 1, currency: 'USD' },
}

const classDocument = (name: string, part: object = {}): object => ({ kind: 'Class', name, spec: { ...spec, ...part } })

function putClass(api: ApiUnderTest, name: string, document: unknown, headers: Record<string, string> = {}) {
  const body = typeof document === 'string' ? document : JSON.stringify(document)
  const type = typeof document === 'string' ? 'application/yaml' : 'application/json'
  return api.call(`/v1/classes/${name}`, { method: 'PUT', body, headers: { 'content-type': type, ...headers } })
}

interface ClassAnswer {
  readonly spec: typeof spec
  readonly status: { readonly image: string; readonly rollout?: string }
  readonly generation: number
}

const classAt = async (api: ApiUnderTest, name: string) =>
  (await api.call(`/v1/classes/${name}`)).json() as unknown as ClassAnswer

test('201 for a new class, 200 for a changed one, and the same again changes nothing', async (t) => {
  const api = await startTestApi(t)
  const created = await putClass(api, 'large', classDocument('large'))
  t.is(created.status, 201)
  t.is(created.headers.location, '/v1/classes/large')
  t.like(created.json(), { kind: 'Class', name: 'large', generation: 1, status: { image: digest('a') } })
  t.is((await api.putJson('acme', tenantDocument('acme', { class: 'large' }))).status, 201)
  const again = await putClass(api, 'large', classDocument('large'))
  t.is(again.status, 200)
  t.is(again.headers.etag, created.headers.etag)
  const yaml = `kind: Class
name: large
spec:
  image: ${digest('a')}
  guest: { cpuKind: shared, cpus: 2, memoryMb: 4096 }
  volume: { sizeGb: 1 }
  idle: { afterMinutes: 0 }
  llmProxy: true
  price: { monthlyMicros: 1, currency: USD }
`
  t.like((await putClass(api, 'large', yaml)).json(), { generation: 2, spec: { guest: { cpus: 2 } } })
  const fresh = await api.call('/v1/classes/large')
  t.is((await api.call('/v1/classes/large', { headers: { 'if-none-match': fresh.headers.etag ?? '' } })).status, 304)
})

test('wrong documents are refused with the path of each wrong field, and change nothing', async (t) => {
  const api = await startTestApi(t)
  const before = await api.stores.classes.all()
  const wrong: readonly (readonly [unknown, readonly string[]])[] = [
    [{}, ['kind', 'name', 'spec']],
    [{ kind: 'Tenant', name: 'standard', spec }, ['kind']],
    [classDocument('other'), ['name']],
    [classDocument('standard', { image: undefined }), ['spec.image']],
    [classDocument('standard', { image: 'ghcr.io/openclaw/openclaw:latest' }), ['spec.image']],
    [classDocument('standard', { image: 'ghcr.io/openclaw/openclaw@sha256:abc' }), ['spec.image']],
    [classDocument('standard', { guest: { cpuKind: 'shared', cpus: 1, memoryMb: 1 } }), ['spec.guest.memoryMb']],
    [classDocument('standard', { volume: { sizeGb: 0 } }), ['spec.volume.sizeGb']],
    [
      classDocument('standard', { price: { monthlyMicros: -1, currency: 'usd' } }),
      ['spec.price.currency', 'spec.price.monthlyMicros'],
    ],
    [classDocument('standard', { stable: digest('b') }), ['spec.stable']],
    [{ ...classDocument('standard'), stat: {} }, ['stat']],
  ]
  for (const [document, paths] of wrong) {
    const answer = await putClass(api, 'standard', document)
    const where = JSON.stringify(document)
    t.is(answer.status, 400, where)
    t.regex(answer.headers['content-type'] ?? '', /application\/problem\+json/)
    const { errors } = answer.json() as { errors: { path: string }[] }
    t.deepEqual([...new Set(errors.map(({ path }) => path))].sort(), [...paths].sort(), where)
  }
  t.is((await putClass(api, 'standard', 'kind: [')).status, 400)
  t.is((await putClass(api, 'standard?dryRun=server', classDocument('standard'))).status, 400)
  t.is((await api.call('/v1/classes/browser?dryRun=server', { method: 'DELETE' })).status, 400)
  t.is((await api.call('/v1/classes/standard', { method: 'PUT', body: '{}' })).status, 415)
  t.deepEqual(await api.stores.classes.all(), before)
})

test('a tag says why it is refused; the tag that the tenants have already may stay', async (t) => {
  const api = await startTestApi(t)
  const shipped = (await classAt(api, 'standard')).spec
  const tag = await putClass(api, 'standard', classDocument('standard', { image: 'ghcr.io/openclaw/openclaw:new' }))
  t.like(tag.json(), { status: 400, code: 'invalid', errors: [{ path: 'spec.image', pointer: '/spec/image' }] })
  t.regex(String(tag.json()['detail']), /digest.*a tag can be moved/)
  t.is((await putClass(api, 'new', classDocument('new', { image: 'ghcr.io/x/y:1' }))).status, 400)
  const sleepier = { kind: 'Class', name: 'standard', spec: { ...shipped, idle: { afterMinutes: 5 } } }
  t.like((await putClass(api, 'standard', sleepier)).json(), { generation: 2, spec: { image: shipped.image } })
  // Back to the tag from an unfinished rollout: it is what nearly everybody runs.
  t.is((await putClass(api, 'standard', classDocument('standard'))).status, 200)
  const back = await putClass(api, 'standard', { kind: 'Class', name: 'standard', spec: shipped })
  t.deepEqual(back.json()['status'], { image: shipped.image })
})

test('If-Match guards a class, and of many writers one wins', async (t) => {
  const api = await startTestApi(t)
  const { headers } = await api.call('/v1/classes/standard')
  const guard = { 'if-match': headers.etag ?? '' }
  const race = await Promise.all(
    ['a', 'b', 'c', 'd'].map((letter) =>
      putClass(api, 'standard', classDocument('standard', { image: digest(letter) }), guard),
    ),
  )
  t.deepEqual(race.map(({ status }) => status).sort(), [200, 412, 412, 412])
  t.is((await putClass(api, 'standard', classDocument('standard'), guard)).status, 412)
  t.is((await putClass(api, 'standard', classDocument('standard'), { 'if-none-match': '*' })).status, 412)
  t.is((await putClass(api, 'fresh', classDocument('fresh'), { 'if-match': '*' })).status, 412)
  t.is((await api.call('/v1/classes/standard', { method: 'DELETE', headers: guard })).status, 412)
})

test('a class in use stays, and says how many use it; one that nobody uses goes', async (t) => {
  const api = await startTestApi(t)
  await putClass(api, 'large', classDocument('large'))
  for (const name of ['acme', 'hooli']) await api.putJson(name, tenantDocument(name, { class: 'large' }))
  const refusal = await api.call('/v1/classes/large', { method: 'DELETE' })
  t.like(refusal.json(), { status: 409, code: 'in-use', tenants: 2 })
  t.regex(String(refusal.json()['detail']), /^2 tenants/)
  for (const name of ['acme', 'hooli']) await api.putJson(name, tenantDocument(name, { class: 'byok' }))
  t.is((await api.call('/v1/classes/large', { method: 'DELETE' })).status, 204)
  t.is((await api.call('/v1/classes/large')).status, 404)
  t.is((await api.call('/v1/classes/large', { method: 'DELETE' })).status, 404)
  t.like((await api.putJson('late', tenantDocument('late', { class: 'large' }))).json(), {
    errors: [{ path: 'spec.class' }],
  })
})

async function anotherProcess(t: ExecutionContext, api: ApiUnderTest) {
  const other = await openBook(api.stores, (error) => t.fail(String(error)))
  t.teardown(() => other.close())
  return other.book
}

test('what one process writes, every process knows', async (t) => {
  const api = await startTestApi(t)
  const book = await anotherProcess(t, api)
  await putClass(api, 'large', classDocument('large'))
  await until('the class is known', 10_000, () => Promise.resolve(book.get('large')))
  await putClass(api, 'large', classDocument('large', { image: digest('b') }))
  const entry = await until('the rollout is known', 10_000, () => {
    const found = book.entry('large')
    return Promise.resolve(found?.rollout === undefined ? undefined : found)
  })
  t.like(entry, { class: { stable: digest('a') }, rollout: { from: digest('a'), to: digest('b'), state: 'rolling' } })
  await api.call('/v1/classes/large', { method: 'DELETE' })
  await until('it is gone', 10_000, () => Promise.resolve(book.get('large') === undefined ? true : undefined))
  t.deepEqual(book.names(), ['browser', 'byok', 'standard'])
})
