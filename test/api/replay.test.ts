// Idempotency-Key: once is once, however often the same request comes. And how many requests a caller may make.
import test from 'ava'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

const retry = (api: ApiUnderTest, key: string, body?: string, name = 'acme') =>
  api.call(`/v1/tenants/${name}/actions/retry`, {
    ...{ method: 'POST', body },
    headers: {
      'idempotency-key': key,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) }),
    },
  })

test('the same request with the same key gets the first answer and changes nothing more', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const first = await retry(api, 'one')
  const after = await stored(api.tenants, 'acme')
  t.is(first.status, 202)
  t.is(first.headers['idempotent-replayed'], undefined)
  await new Promise((resolve) => setTimeout(resolve, 5))
  const again = await retry(api, 'one')
  t.is(again.headers['idempotent-replayed'], 'true')
  for (const what of ['status', 'text'] as const) t.is(again[what], first[what])
  t.is(again.headers.etag, first.headers.etag)
  t.is(again.headers['content-type'], first.headers['content-type'])
  t.deepEqual(await stored(api.tenants, 'acme'), after)
  t.is((await retry(api, 'two')).headers['idempotent-replayed'], undefined)
  t.true((await stored(api.tenants, 'acme')).generation > after.generation)
})

test('another body under the same key is a 422; another route or caller has keys of its own', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  await api.putJson('other', tenantDocument('other'))
  await retry(api, 'one')
  const before = await stored(api.tenants, 'acme')
  t.like((await retry(api, 'one', '{}')).json(), { status: 422, code: 'key-reused' })
  t.deepEqual(await stored(api.tenants, 'acme'), before)
  const elsewhere = await retry(api, 'one', undefined, 'other')
  t.is(elsewhere.headers['idempotent-replayed'], undefined)
  t.is(elsewhere.json()['name'], 'other')
  t.is((await retry(api, 'ö')).status, 400)
})

test('of many at once one is carried out; the others wait for its answer or are told that it is under way', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const { generation } = await stored(api.tenants, 'acme')
  const answers = await Promise.all(Array.from({ length: 12 }, () => retry(api, 'one')))
  t.true(answers.every(({ status }) => status === 202 || status === 409))
  for (const answer of answers.filter(({ status }) => status === 409)) t.like(answer.json(), { code: 'in-progress' })
  t.is((await stored(api.tenants, 'acme')).generation, generation + 1)
})

test('a refusal is an answer too and is kept; a failure of ours is not', async (t) => {
  const failing = { now: false }
  const api = await startTestApi(t, ({ tenants }) => ({
    tenants: {
      ...tenants,
      byName: async (name) => {
        if (failing.now) throw new Error('a defect')
        return tenants.byName(name)
      },
    },
  }))
  const refused = await retry(api, 'early')
  t.is(refused.status, 404)
  await api.putJson('acme', tenantDocument('acme'))
  const again = await retry(api, 'early')
  t.is(again.text, refused.text)
  t.is(again.headers['content-type'], refused.headers['content-type'])
  failing.now = true
  t.is((await retry(api, 'later')).status, 500)
  failing.now = false
  t.is((await retry(api, 'later')).status, 202)
})

test('whoever asks too often is told when to go on, reads and writes apart', async (t) => {
  const api = await startTestApi(t, () => ({ rates: { readsPerMinute: 3, writesPerMinute: 1 } }))
  const first = await api.call('/v1/tenants')
  t.is(first.headers['ratelimit-policy'], '"read";q=3;w=60')
  t.regex(String(first.headers['ratelimit']), /^"read";r=2;t=\d+$/)
  t.is((await api.putJson('acme', tenantDocument('acme'))).status, 201)
  const late = await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }))
  t.like(late.json(), { status: 429, code: 'too-many-requests' })
  t.regex(String(late.headers['retry-after']), /^([1-9]|[1-5]\d|60)$/)
  t.is((await stored(api.tenants, 'acme')).spec.state, 'running')
  t.is((await api.call('/v1/tenants')).status, 200)
  t.is((await api.call('/v1/tenants')).status, 200)
  t.is((await api.call('/v1/tenants')).status, 429)
  t.is((await api.call('/livez')).headers['ratelimit'], undefined)
  t.is((await api.call('/livez')).status, 200)
})
