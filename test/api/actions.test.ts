// What is asked for once: take a deletion back, restore from a snapshot; and when it is too late for either.
import test, { type ExecutionContext } from 'ava'
import type { TenantStatus } from '../../specs/tenant.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

const volume = { id: 'vol_1', incarnation: 1 }

async function acme(t: ExecutionContext, status: Partial<TenantStatus> = {}): Promise<ApiUnderTest> {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const tenant = await stored(api.tenants, 'acme')
  await api.tenants.saveStatus(tenant, { ...tenant.status, ...status })
  return api
}

const post = (api: ApiUnderTest, action: string, body?: string) =>
  api.call(`/v1/tenants/acme/actions/${action}`, {
    method: 'POST',
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
  })

test('undelete takes a deletion back, to running or to suspended', async (t) => {
  const api = await acme(t, { volume })
  t.like((await post(api, 'undelete')).json(), { status: 409, code: 'wrong-state' })
  await api.call('/v1/tenants/acme', { method: 'DELETE' })
  t.like((await post(api, 'undelete', '{"state":"deleted"}')).json(), { status: 400, errors: [{ path: 'state' }] })
  t.is((await stored(api.tenants, 'acme')).spec.state, 'deleted')
  t.is((await post(api, 'undelete', '{"state":"suspended"}')).status, 202)
  t.is((await stored(api.tenants, 'acme')).spec.state, 'suspended')
  await api.call('/v1/tenants/acme', { method: 'DELETE' })
  t.is((await post(api, 'undelete')).status, 202)
  t.is((await stored(api.tenants, 'acme')).spec.state, 'running')
})

test('a restart is asked for beside the spec, and is another try as well; not of what is deleted', async (t) => {
  const api = await acme(t, { volume })
  t.is((await post(api, 'restart', '{"force":true}')).status, 400)
  t.is((await stored(api.tenants, 'acme')).restartRequestedAt, undefined)
  const { generation } = await stored(api.tenants, 'acme')
  t.is((await post(api, 'restart')).status, 202)
  const { restartRequestedAt, retryRequestedAt, ...after } = await stored(api.tenants, 'acme')
  t.truthy(restartRequestedAt)
  t.is(retryRequestedAt, restartRequestedAt)
  t.is(after.generation, generation + 1)
  await api.call('/v1/tenants/acme', { method: 'DELETE' })
  t.like((await post(api, 'restart')).json(), { status: 409, code: 'wrong-state' })
})

test('once the volume is being destroyed, nothing brings the tenant back', async (t) => {
  const api = await acme(t, { volume, retainedSince: 1, purgingSince: 2 })
  await api.call('/v1/tenants/acme', { method: 'DELETE' })
  const before = await stored(api.tenants, 'acme')
  for (const answer of [await post(api, 'undelete'), await api.putJson('acme', tenantDocument('acme'))])
    t.like(answer.json(), { status: 409, code: 'purging' })
  t.is((await stored(api.tenants, 'acme')).revision, before.revision)
  t.is((await api.call('/v1/tenants/acme', { method: 'DELETE' })).status, 200)
})

test('restore is a wish beside the spec, with the newest snapshot or a named one', async (t) => {
  const api = await acme(t)
  t.like((await post(api, 'restore')).json(), { status: 409, code: 'wrong-state' })
  const tenant = await stored(api.tenants, 'acme')
  await api.tenants.saveStatus(tenant, { ...tenant.status, volume })
  for (const wrong of ['{"snapshot":"../vol_1"}', '{"snapshot":1}', '{"other":1}'])
    t.is((await post(api, 'restore', wrong)).status, 400, wrong)
  t.is((await stored(api.tenants, 'acme')).restore, undefined)
  t.is((await post(api, 'restore', '{"snapshot":"vs_abc"}')).status, 202)
  t.is((await stored(api.tenants, 'acme')).restore?.snapshot, 'vs_abc')
  t.is((await post(api, 'restore')).status, 202)
  t.is((await stored(api.tenants, 'acme')).restore?.snapshot, undefined)
  t.is((await post(api, 'explode')).status, 404)
})
