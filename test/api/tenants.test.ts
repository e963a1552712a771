// What an admin can do with tenants over REST: create, change, read, list, delete, and what guards each of them.
import test from 'ava'
import { startTestApi, tenantDocument, token } from './fixture.ts'
import { ask } from '../helpers/client.ts'

test('PUT creates with 201, changes with 200, and the same content again changes nothing', async (t) => {
  const api = await startTestApi(t)
  const created = await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  t.is(created.status, 201)
  t.is(created.headers.location, '/v1/tenants/acme')
  const first = created.json()
  t.regex(String(first['uid']), /^[a-z2-7]{16}$/)
  t.deepEqual(first['spec'], {
    state: 'running',
    class: 'standard',
    region: 'iad',
    domains: [],
    update: 'deferred',
    paused: false,
  })
  t.is(first['generation'], 1)
  const again = await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  t.is(again.status, 200)
  t.is(again.headers.etag, created.headers.etag)
  const changed = await api.putYaml('acme', 'kind: Tenant\nname: acme\nspec:\n  state: suspended\n')
  t.is(changed.status, 200)
  t.is(changed.json()['generation'], 2)
  t.deepEqual(changed.json()['labels'], {})
  t.not(changed.headers.etag, created.headers.etag)
})

test('an answer shows exactly what it promises', async (t) => {
  const api = await startTestApi(t)
  const tenant = (await api.putJson('acme', tenantDocument('acme'))).json()
  t.deepEqual(Object.keys(tenant), [
    ...['kind', 'name', 'uid', 'labels', 'spec', 'entitlement', 'status', 'generation', 'revision', 'createdAt'],
  ])
  t.deepEqual(tenant['status'], {
    conditions: [],
    observedGeneration: 0,
    effective: 'running',
    hosts: ['acme.example.com'],
  })
})

test('the token: none, a wrong one, another scheme; and no answer or log repeats it', async (t) => {
  const api = await startTestApi(t)
  for (const authorization of [undefined, 'Bearer wrong', `Basic ${token}`, 'Bearer', `Bearer ${token}x`]) {
    const answer = await ask(`${api.url}/v1/tenants`, authorization === undefined ? {} : { headers: { authorization } })
    t.is(answer.status, 401)
    t.is(answer.headers['www-authenticate'], 'Bearer realm="moorage"')
    t.regex(answer.headers['content-type'] ?? '', /application\/problem\+json/)
    t.is(answer.json()['code'], 'unauthorized')
    t.notRegex(answer.text, /canary/)
  }
  t.is((await ask(`${api.url}/livez`)).status, 200)
  t.is((await ask(`${api.url}/readyz`)).status, 200)
  t.is((await ask(`${api.url}/.well-known/jwks.json`)).status, 200)
  t.notRegex(api.logged.join('\n'), /canary/)
})

test('If-Match guards what is wanted, not the controller’s notes', async (t) => {
  const api = await startTestApi(t)
  const created = await api.putJson('acme', tenantDocument('acme'))
  const etag = created.headers.etag ?? ''
  const tenant = await api.tenants.byName('acme')
  if (tenant === undefined) throw new Error('it is not stored')
  await api.tenants.saveStatus(tenant, { ...tenant.status, observedGeneration: 1 })
  const guarded = await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }), { 'if-match': etag })
  t.is(guarded.status, 200)
  const stale = await api.putJson('acme', tenantDocument('acme', { state: 'running' }), { 'if-match': etag })
  t.is(stale.status, 412)
  t.is(stale.headers.etag, guarded.headers.etag)
  for (const header of [`W/${guarded.headers.etag ?? ''}`, '"x"', 'nonsense'])
    t.is((await api.putJson('acme', tenantDocument('acme'), { 'if-match': header })).status, 412)
  t.is((await api.call('/v1/tenants/acme', { method: 'DELETE', headers: { 'if-match': etag } })).status, 412)
  t.is(
    (await api.putJson('acme', tenantDocument('acme'), { 'if-match': `"a", ${guarded.headers.etag ?? ''}` })).status,
    200,
  )
  t.is((await api.putJson('acme', tenantDocument('acme'), { 'if-match': '*' })).status, 200)
  t.is((await api.putJson('other', tenantDocument('other'), { 'if-match': '*' })).status, 412)
  t.is((await api.putJson('acme', tenantDocument('acme'), { 'if-none-match': '*' })).status, 412)
})

test('a reader who has the newest answer gets 304', async (t) => {
  const api = await startTestApi(t)
  const { headers } = await api.putJson('acme', tenantDocument('acme'))
  const fresh = await api.call('/v1/tenants/acme', { headers: { 'if-none-match': headers.etag ?? '' } })
  t.is(fresh.status, 304)
  t.is(fresh.text, '')
  t.is((await api.call('/v1/tenants/acme', { headers: { 'if-none-match': '"old"' } })).status, 200)
})

test('of 20 writers with the same If-Match exactly one wins; without it all are kept in turn', async (t) => {
  const api = await startTestApi(t)
  const { headers } = await api.putJson('acme', tenantDocument('acme'))
  const race = (guard: Record<string, string>, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        api.putJson('acme', tenantDocument('acme', {}, { writer: `w${index}` }), guard),
      ),
    )
  const guarded = await race({ 'if-match': headers.etag ?? '' }, 20)
  t.is(guarded.filter(({ status }) => status === 200).length, 1)
  t.is(guarded.filter(({ status }) => status === 412).length, 19)
  const free = await race({}, 3)
  t.true(free.every(({ status }) => status === 200))
  const names = await Promise.all(Array.from({ length: 8 }, () => api.putJson('new', tenantDocument('new'))))
  t.is(names.filter(({ status }) => status === 201).length, 1)
  t.is(new Set(names.map((answer) => answer.json()['uid'])).size, 1)
})

test('lists are in the order of names, in pages', async (t) => {
  const api = await startTestApi(t)
  for (const name of ['delta', 'alpha', 'charlie', 'bravo', 'echo']) await api.putJson(name, tenantDocument(name))
  const names: string[] = []
  let query = '?limit=2'
  for (let page = 0; page < 5 && query !== ''; page += 1) {
    const answer = (await api.call(`/v1/tenants${query}`)).json() as { items: { name: string }[]; nextCursor?: string }
    names.push(...answer.items.map(({ name }) => name))
    query = answer.nextCursor === undefined ? '' : `?limit=2&cursor=${answer.nextCursor}`
  }
  t.deepEqual(names, ['alpha', 'bravo', 'charlie', 'delta', 'echo'])
  for (const wrong of ['?limit=0', '?limit=x', '?limit=501', '?cursor=%00', '?bogus=1', '?limit=1&limit=2'])
    t.is((await api.call(`/v1/tenants${wrong}`)).status, 400, wrong)
})

test('DELETE is a wish, can be repeated, and can be taken back', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const deleted = await api.call('/v1/tenants/acme', { method: 'DELETE' })
  t.is(deleted.status, 202)
  t.is((deleted.json()['spec'] as { state: string }).state, 'deleted')
  const again = await api.call('/v1/tenants/acme', { method: 'DELETE' })
  t.is(again.headers.etag, deleted.headers.etag)
  t.is((await api.putJson('acme', tenantDocument('acme'))).json()['uid'], deleted.json()['uid'])
  t.is((await api.call('/v1/tenants/nobody', { method: 'DELETE' })).status, 404)
})

test('billing’s word and a request to try again are changes of what is wanted', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const headers = { 'content-type': 'application/json' }
  const put = (body: string) => api.call('/v1/tenants/acme/entitlement', { method: 'PUT', body, headers })
  const suspended = await put('{"state":"suspended","reason":"invoice past due"}')
  t.is(suspended.status, 200)
  t.deepEqual(suspended.json()['entitlement'], { state: 'suspended', reason: 'invoice past due' })
  t.is(suspended.json()['generation'], 2)
  t.is((await put('{"state":"off"}')).status, 400)
  const retried = await api.call('/v1/tenants/acme/actions/retry', { method: 'POST' })
  t.is(retried.status, 202)
  t.is(retried.json()['generation'], 3)
  // The admin's PUT leaves billing's word alone.
  t.deepEqual(
    (await api.putJson('acme', tenantDocument('acme'))).json()['entitlement'],
    suspended.json()['entitlement'],
  )
})

test('a custom domain belongs to one tenant, and none may lie under the platform’s', async (t) => {
  const api = await startTestApi(t)
  t.is((await api.putJson('acme', tenantDocument('acme', { domains: ['agent.acme.test'] }))).status, 201)
  const taken = await api.putJson('evil', tenantDocument('evil', { domains: ['own.test', 'agent.acme.test'] }))
  t.is(taken.status, 409)
  t.like(taken.json(), { code: 'domain-taken', errors: [{ path: 'spec.domains[1]', pointer: '/spec/domains/1' }] })
  t.notRegex(taken.text, /"acme"/)
  for (const host of ['acme.example.com', 'example.com', 'a.b.example.com'])
    t.is((await api.putJson('evil', tenantDocument('evil', { domains: [host] }))).status, 400)
  t.is(await api.tenants.byName('evil'), undefined)
  // Its own domain again, and then given up, is free for others.
  t.is((await api.putJson('acme', tenantDocument('acme', { domains: ['agent.acme.test'] }))).status, 200)
  t.is((await api.putJson('acme', tenantDocument('acme'))).status, 200)
  t.is((await api.putJson('evil', tenantDocument('evil', { domains: ['agent.acme.test'] }))).status, 201)
})

test('once there is a volume the region is fixed and the size only grows', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme', { volume: { sizeGb: 3 } }))
  t.is((await api.putJson('acme', tenantDocument('acme', { region: 'ams', volume: { sizeGb: 3 } }))).status, 200)
  const tenant = await api.tenants.byName('acme')
  if (tenant === undefined) throw new Error('it is not stored')
  await api.tenants.saveStatus(tenant, { ...tenant.status, volume: { id: 'vol_1', incarnation: 1 } })
  const moved = await api.putJson('acme', tenantDocument('acme', { region: 'iad', volume: { sizeGb: 3 } }))
  t.like(moved.json(), { status: 400, code: 'immutable', errors: [{ path: 'spec.region' }] })
  const shrunk = await api.putJson('acme', tenantDocument('acme', { region: 'ams' }))
  t.like(shrunk.json(), { status: 400, code: 'immutable', errors: [{ path: 'spec.volume.sizeGb' }] })
  t.is((await api.putJson('acme', tenantDocument('acme', { region: 'ams', volume: { sizeGb: 4 } }))).status, 200)
})
