// Service tokens over REST: made, used, limited by a selector, rotated, revoked, and all of it in the audit.
import test from 'ava'
import { ChainCheck } from '../../src/audit/chain.ts'
import { ask, type Answer, type Asked } from '../helpers/client.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

const json = { 'content-type': 'application/json' }
const post = (api: ApiUnderTest, path: string, body: object) =>
  api.call(path, { method: 'POST', headers: json, body: JSON.stringify(body) })

interface Made {
  readonly id: string
  readonly secret: string
  call(path: string, asked?: Asked): Promise<Answer>
  put(path: string, body: unknown): Promise<Answer>
}

async function made(api: ApiUnderTest, wanted: object): Promise<Made> {
  const answer = await post(api, '/v1/tokens', { name: 'ci', ...wanted })
  if (answer.status !== 201) throw new Error(answer.text)
  const { token, secret } = answer.json() as { token: { id: string }; secret: string }
  const call = (path: string, asked: Asked = {}) =>
    ask(`${api.url}${path}`, { ...asked, headers: { authorization: `Bearer ${secret}`, ...asked.headers } })
  const put = (path: string, body: unknown) => call(path, { method: 'PUT', headers: json, body: JSON.stringify(body) })
  return { id: token.id, secret, call, put }
}

const names = (answer: Answer) => (answer.json()['items'] as { name: string }[]).map(({ name }) => name)

test('a token is shown with its secret once, and listed without it', async (t) => {
  const api = await startTestApi(t)
  const answer = await post(api, '/v1/tokens', { name: 'deploy bot', role: 'viewer', expiresInDays: 7 })
  t.is(answer.status, 201)
  t.is(answer.headers['cache-control'], 'no-store')
  const { token, secret } = answer.json() as { token: Record<string, unknown>; secret: string }
  t.like(token, { name: 'deploy bot', role: 'viewer', state: 'active', createdBy: 'admin-token', version: 1 })
  t.is(answer.headers['location'], `/v1/tokens/${String(token['id'])}`)
  const listed = await api.call('/v1/tokens')
  t.deepEqual((listed.json()['items'] as object[]).length, 1)
  for (const text of [listed.text, (await api.call('/v1/audit')).text, api.logged.join('\n')])
    t.false(text.includes(secret.slice(-43)))
  const who = await ask(`${api.url}/v1/whoami`, { headers: { authorization: `Bearer ${secret}` } })
  t.deepEqual(who.json(), { id: `token:${String(token['id'])}`, name: 'deploy bot', role: 'viewer' })
  t.like((await api.call('/v1/whoami')).json(), { id: 'admin-token', role: 'admin' })
})

test('what no token can be is refused, and makes none', async (t) => {
  const api = await startTestApi(t)
  for (const [wrong, path] of [
    [{ role: 'root' }, 'role'],
    [{ role: 'viewer', name: '' }, 'name'],
    [{ role: 'viewer', expiresInDays: 0 }, 'expiresInDays'],
    [{ role: 'viewer', expiresInDays: 367 }, 'expiresInDays'],
    [{ role: 'viewer', labelSelector: 'plan in ()' }, 'labelSelector'],
    [{ role: 'viewer', labelSelector: '' }, 'labelSelector'],
    [{ role: 'viewer', secret: 'x' }, 'secret'],
  ] as const) {
    const answer = await post(api, '/v1/tokens', { name: 'x', ...wrong })
    t.is(answer.status, 400, answer.text)
    t.like(answer.json(), { errors: [{ path }] })
  }
  t.deepEqual((await api.call('/v1/tokens')).json(), { items: [] })
})

test('rotation keeps the id and takes both secrets for a while; revocation ends both', async (t) => {
  const api = await startTestApi(t)
  const first = await made(api, { role: 'viewer' })
  const rotated = await post(api, `/v1/tokens/${first.id}/actions/rotate`, { graceHours: 1 })
  const { token, secret } = rotated.json() as { token: Record<string, unknown>; secret: string }
  t.like(token, { id: first.id, version: 2 })
  const status = async (bearer: string) =>
    (await ask(`${api.url}/v1/tenants`, { headers: { authorization: `Bearer ${bearer}` } })).status
  t.deepEqual([await status(first.secret), await status(secret)], [200, 200])
  t.is((await api.call(`/v1/tokens/${first.id}`, { method: 'DELETE' })).status, 204)
  t.deepEqual([await status(first.secret), await status(secret)], [401, 401])
  t.is((await api.call(`/v1/tokens/${first.id}`, { method: 'DELETE' })).status, 204)
  t.like((await post(api, `/v1/tokens/${first.id}/actions/rotate`, {})).json(), { code: 'wrong-state' })
  t.like((await api.call(`/v1/tokens/${first.id}`)).json(), { state: 'revoked' })
  t.is((await api.call('/v1/tokens/nothing', { method: 'DELETE' })).status, 404)
})

test('to a limited token the other tenants do not exist', async (t) => {
  const api = await startTestApi(t)
  for (const [name, plan] of [
    ['a', 'free'],
    ['b', 'pro'],
    ['c', 'free'],
    ['d', 'pro'],
    ['e', 'free'],
    ['f', 'pro'],
  ] as const)
    // prettier-ignore
    await api.putJson(name, tenantDocument(name, {}, { plan }))
  const pro = await made(api, { role: 'admin', labelSelector: 'plan=pro' })
  t.deepEqual(names(await pro.call('/v1/tenants')), ['b', 'd', 'f'])
  const page = await pro.call('/v1/tenants?limit=2')
  t.deepEqual(names(page), ['b', 'd'])
  t.deepEqual(names(await pro.call(`/v1/tenants?limit=2&cursor=${String(page.json()['nextCursor'])}`)), ['f'])
  const before = await stored(api.tenants, 'a')
  for (const [method, path, body] of [
    ['GET', '/v1/tenants/a', undefined],
    ['GET', '/v1/tenants/a/why', undefined],
    ['GET', '/v1/tenants/a/events', undefined],
    ['GET', '/v1/tenants/a/timeline', undefined],
    ['GET', '/v1/tenants/a/plan', undefined],
    ['DELETE', '/v1/tenants/a', undefined],
    ['POST', '/v1/tenants/a/actions/retry', {}],
    ['POST', '/v1/tenants/a/actions/restart', {}],
    ['PUT', '/v1/tenants/a/entitlement', { state: 'suspended' }],
  ] as const) {
    const sent = body === undefined ? {} : { headers: json, body: JSON.stringify(body) }
    const answer = await pro.call(path, { method, ...sent })
    t.is(answer.status, 404, `${method} ${path}`)
    t.like(answer.json(), { code: 'not-found' })
  }
  t.deepEqual(await stored(api.tenants, 'a'), before)
})

test('a limited token makes no tenant outside its limit and moves none out, and takes no name that it cannot see', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('other', tenantDocument('other', {}, { plan: 'free' }))
  const pro = await made(api, { role: 'admin', labelSelector: 'plan=pro' })
  const put = (name: string, plan: string, query = '') =>
    pro.put(`/v1/tenants/${name}${query}`, tenantDocument(name, {}, { plan }))
  t.is((await put('mine', 'pro')).status, 201)
  for (const answer of [await put('mine', 'free'), await put('new', 'free'), await put('other', 'free')])
    t.like(answer.json(), { status: 403, code: 'forbidden' })
  t.like((await put('other', 'pro')).json(), {
    status: 409,
    code: 'conflict',
    detail: 'The name other cannot be used.',
  })
  t.deepEqual((await stored(api.tenants, 'mine')).labels, { plan: 'pro' })
  t.deepEqual((await stored(api.tenants, 'other')).labels, { plan: 'free' })
  t.is(await api.tenants.byName('new'), undefined)
})

test('a limited token reaches nothing that concerns more than its tenants', async (t) => {
  const api = await startTestApi(t)
  const pro = await made(api, { role: 'admin', labelSelector: 'plan=pro' })
  for (const operation of api.operations) {
    const method = operation.method.toUpperCase()
    const address = operation.path.replaceAll(/\{\w+\}/g, 'none')
    const { status } = await pro.call(address, {
      method,
      ...(operation.body === undefined ? {} : { headers: { 'content-type': 'text/plain' }, body: 'x' }),
    })
    t.is(status === 403, operation.roles !== 'open' && !operation.limited, `${method} ${operation.path}: ${status}`)
  }
  const open = api.operations.filter(({ limited, path }) => limited && !path.startsWith('/v1/tenants'))
  t.deepEqual(open.map(({ id }) => id).sort(), [
    'applyAll',
    'getClass',
    'getCosts',
    'getSchema',
    'listClasses',
    'listEvents',
    'listSchemas',
    'putEntitlements',
    'whoami',
  ])
})

test('every write is in the audit, with who, why and what; the chain holds', async (t) => {
  const api = await startTestApi(t)
  const ann = await made(api, { name: 'ann', role: 'admin' })
  const eve = await made(api, { name: 'eve', role: 'viewer' })
  const config = { key: 'canary-secret' }
  const put = (spec: object, headers: Record<string, string> = {}) =>
    ann.call('/v1/tenants/acme', {
      ...{ method: 'PUT', headers: { ...json, ...headers } },
      body: JSON.stringify(tenantDocument('acme', spec)),
    })
  t.is((await put({ config })).status, 201)
  t.is((await put({ config: { key: 'canary-2' }, state: 'suspended' }, { 'x-reason': 'ticket 7' })).status, 200)
  t.is((await put({}, { 'if-match': '"x.1.1"' })).status, 412)
  t.is((await eve.call('/v1/tenants/acme', { method: 'DELETE' })).status, 403)
  t.is((await ask(`${api.url}/v1/tenants/acme`, { method: 'DELETE' })).status, 401)
  await ann.call('/v1/tenants/acme?dryRun=server', { method: 'DELETE' })
  await ann.call('/v1/tenants')
  const found = await api.call('/v1/audit?object=tenants/acme&order=oldest')
  const items = found.json()['items'] as Record<string, unknown>[]
  t.deepEqual(
    items.map(({ outcome, status, code }) => [outcome, status, code]),
    [
      ['intended', undefined, undefined],
      ['done', 201, undefined],
      ['intended', undefined, undefined],
      ['done', 200, undefined],
      ['intended', undefined, undefined],
      ['refused', 412, 'precondition-failed'],
      ['refused', 403, 'forbidden'],
    ],
  )
  const uid = (await stored(api.tenants, 'acme')).uid
  t.like(items[3], {
    caller: { id: `token:${ann.id}`, name: 'ann', role: 'admin', address: '127.0.0.1' },
    request: { operation: 'putTenant', method: 'PUT', path: '/v1/tenants/acme' },
    ...{ object: 'tenants/acme', reason: 'ticket 7' },
    changes: [
      {
        ...{ object: 'tenants/acme', uid, generation: { from: 1, to: 2 } },
        fields: [
          { path: 'spec.config', changed: true },
          { path: 'spec.state', from: 'running', to: 'suspended' },
        ],
      },
    ],
  })
  t.is((items[6]?.['caller'] as { id: string }).id, `token:${eve.id}`)
  const all = (await api.call('/v1/audit?order=oldest&limit=500')).json()
  t.notRegex(JSON.stringify(all), /canary/)
  const check = new ChainCheck([all['head'] as { seq: number; hash: string }])
  for (const entry of all['items'] as Parameters<ChainCheck['take']>[0][]) t.true(check.take(entry))
  t.like(check.report(), { fault: undefined, open: [] })
})

test('when the audit cannot be written, nothing is changed', async (t) => {
  const api = await startTestApi(t, ({ audit }) => ({
    audit: { ...audit, trail: { ...audit.trail, attempt: () => Promise.reject(new Error('the audit is full')) } },
  }))
  t.is((await api.putJson('acme', tenantDocument('acme'))).status, 500)
  t.is(await api.tenants.byName('acme'), undefined)
})
