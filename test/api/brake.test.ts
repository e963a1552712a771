// The brake on billing: a mass change is parked beyond a few tenants, an admin decides, and many at once take no more.
import test from 'ava'
import fc from 'fast-check'
import { brakeClass, brakeLimit } from '../../src/api/brake.ts'
import { tenantWith } from '../helpers/tenants.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'

const json = { 'content-type': 'application/json' }

function billing(api: ApiUnderTest, name: string, state: string, reason?: string) {
  const body = JSON.stringify(reason === undefined ? { state } : { state, reason })
  return api.call(`/v1/tenants/${name}/entitlement`, { method: 'PUT', body, headers: json })
}

const post = (api: ApiUnderTest, path: string) => api.call(path, { method: 'POST' })

async function fill(api: ApiUnderTest, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `t${String(index).padStart(3, '0')}`)
  for (const name of names) await api.putJson(name, tenantDocument(name))
  return names
}

async function states(api: ApiUnderTest, names: readonly string[]) {
  const all = await Promise.all(names.map((name) => stored(api.tenants, name)))
  return {
    active: all.filter(({ entitlement }) => entitlement.state === 'active').length,
    parked: all.filter(({ parked }) => parked !== undefined).map(({ name }) => name),
  }
}

test('the limit is a share of the fleet, with a floor and a ceiling', (t) => {
  t.deepEqual([0, 10, 60, 61, 400, 5_000].map(brakeLimit), [3, 3, 3, 4, 20, 20])
  fc.assert(fc.property(fc.nat(100_000), (live) => brakeLimit(live) >= 3 && brakeLimit(live) <= 20))
})

test('only what takes a living tenant’s machine away counts', (t) => {
  const of = (entitlement: 'active' | 'suspended', wanted: 'active' | 'suspended' | 'ended', more = {}) =>
    brakeClass(tenantWith({}, { entitlement: { state: entitlement }, ...more }), { state: wanted })
  t.is(of('active', 'suspended'), 'counted')
  t.is(of('active', 'ended'), 'counted')
  t.is(of('active', 'active'), 'free')
  t.is(of('suspended', 'active'), 'free')
  t.is(of('suspended', 'ended'), 'free')
  t.is(of('active', 'ended', { parked: { entitlement: { state: 'ended' }, since: 0 } }), 'parked')
  t.is(brakeClass(tenantWith({ state: 'deleted' }), { state: 'ended' }), 'free')
})

test('beyond the limit billing’s word is parked: 202, in effect only after an admin approves it', async (t) => {
  const api = await startTestApi(t)
  const names = await fill(api, 6)
  const answers = []
  for (const name of names) answers.push((await billing(api, name, 'suspended', 'unpaid')).status)
  t.deepEqual(answers, [200, 200, 200, 202, 202, 202])
  t.deepEqual(await states(api, names), { active: 3, parked: ['t003', 't004', 't005'] })
  const shown = (await api.call('/v1/tenants/t003')).json()
  t.like(shown, { entitlement: { state: 'active' }, parked: { entitlement: { state: 'suspended', reason: 'unpaid' } } })

  const approved = await post(api, '/v1/tenants/t003/actions/approve')
  t.is(approved.status, 200)
  t.like(approved.json(), { entitlement: { state: 'suspended', reason: 'unpaid' } })
  t.false('parked' in approved.json())
  const rejected = await post(api, '/v1/tenants/t004/actions/reject')
  t.like(rejected.json(), { status: { effective: 'running' }, entitlement: { state: 'active' } })
  t.deepEqual((await states(api, names)).parked, ['t005'])
  for (const action of ['approve', 'reject'])
    t.like((await post(api, `/v1/tenants/t004/actions/${action}`)).json(), { status: 409, code: 'nothing-parked' })
  t.is((await post(api, '/v1/tenants/nobody/actions/approve')).status, 404)
})

test('billing may change its mind: a parked word is replaced, or dropped by the word that is in effect', async (t) => {
  const api = await startTestApi(t)
  const names = await fill(api, 5)
  for (const name of names) await billing(api, name, 'suspended')
  const first = await stored(api.tenants, 't004')
  t.is((await billing(api, 't004', 'suspended')).status, 202)
  t.is((await stored(api.tenants, 't004')).revision, first.revision, 'the same again is no change')
  t.is((await billing(api, 't004', 'ended')).status, 202)
  t.like(await stored(api.tenants, 't004'), {
    entitlement: { state: 'active' },
    parked: { entitlement: { state: 'ended' }, since: first.parked?.since },
  })
  t.is((await billing(api, 't004', 'active')).status, 200)
  t.is((await stored(api.tenants, 't004')).parked, undefined)
  t.is((await billing(api, 't000', 'active')).status, 200, 'giving back is never held')
  t.is((await billing(api, 't000', 'suspended')).status, 200, 'the same tenant counts once')
})

test('the window moves on, and what is parked stays parked however often billing repeats it', async (t) => {
  const clock = new VirtualClock()
  const api = await startTestApi(t, () => ({ clock }))
  const names = await fill(api, 6)
  for (const name of names.slice(0, 4)) await billing(api, name, 'suspended')
  await clock.advance(3_599_000)
  t.is((await billing(api, 't004', 'suspended')).status, 202)
  await clock.advance(2_000)
  t.is((await billing(api, 't003', 'suspended')).status, 202)
  t.is((await billing(api, 't005', 'suspended')).status, 200)
})

test('many at once take no more places than there are', async (t) => {
  const api = await startTestApi(t)
  const names = await fill(api, 24)
  const answers = await Promise.all(names.map((name) => billing(api, name, 'ended')))
  t.is(answers.filter(({ status }) => status === 200).length, 3)
  t.is(answers.filter(({ status }) => status === 202).length, 21)
  t.like(await states(api, names), { active: 21 })
  const all = await post(api, '/v1/fleet/actions/approve')
  t.deepEqual([all.status, all.json()], [202, { approved: 21 }])
  t.deepEqual(await states(api, names), { active: 0, parked: [] })
})

test('If-Match holds for approvals, and a refused word takes no place', async (t) => {
  const api = await startTestApi(t)
  const names = await fill(api, 5)
  const headers = { ...json, 'if-match': '"x.1.1"' }
  for (const name of names)
    t.is(
      (await api.call(`/v1/tenants/${name}/entitlement`, { method: 'PUT', body: '{"state":"ended"}', headers })).status,
      412,
    )
  for (const name of names.slice(0, 3)) t.is((await billing(api, name, 'ended')).status, 200)
  await billing(api, 't003', 'ended')
  const stale = { 'if-match': '"x.1.1"' }
  t.is((await api.call('/v1/tenants/t003/actions/approve', { method: 'POST', headers: stale })).status, 412)
  t.not((await stored(api.tenants, 't003')).parked, undefined)
})
