// When what the API rests on fails: the database, Fly, luck. The answer says which, and nothing of the inside.
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { MongoNetworkError, MongoServerError } from 'mongodb'
import { Fault } from '../../specs/faults.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { emptyWorld } from '../helpers/model.ts'
import { inputFor } from '../helpers/worlds.ts'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

test('a database that cannot be reached is a 503 with Retry-After, on every route that needs it', async (t) => {
  const lost = () => Promise.reject(new MongoNetworkError('connect ECONNREFUSED canary-host:27017'))
  const api = await startTestApi(t, ({ tenants }) => ({ tenants: { ...tenants, byName: lost, page: lost } }))
  const answers = [
    await api.putJson('acme', tenantDocument('acme')),
    await api.call('/v1/tenants'),
    await api.call('/v1/tenants/acme'),
    await api.call('/v1/tenants/acme', { method: 'DELETE' }),
    await api.call('/v1/tenants/acme/actions/retry', { method: 'POST' }),
  ]
  for (const answer of answers) {
    t.is(answer.status, 503)
    t.is(answer.headers['retry-after'], '5')
    t.is(answer.json()['code'], 'unavailable')
    t.notRegex(answer.text, /canary/)
  }
  t.true(api.logged.some((line) => line.includes('a request failed')))
})

test('a stepdown passes, a refused write is a defect: 503 and 500', async (t) => {
  let code = 10_107
  const byName = () => Promise.reject(new MongoServerError({ message: 'canary', code }))
  const api = await startTestApi(t, ({ tenants }) => ({ tenants: { ...tenants, byName } }))
  t.is((await api.call('/v1/tenants/acme')).status, 503)
  code = 2
  const defect = await api.call('/v1/tenants/acme')
  t.is(defect.status, 500)
  t.is(defect.json()['code'], 'internal')
  t.notRegex(defect.text, /canary|Mongo|at /)
})

test('a database that has stopped is a 503', async (t) => {
  const api = await startTestApi(t)
  t.is((await api.call('/v1/tenants')).status, 200)
  await api.store.close()
  t.is((await api.call('/v1/tenants')).status, 503)
})

test('the plan: what the planner says, 503 when Fly cannot be asked, 404 without a reconciler', async (t) => {
  let look = async (tenant: Tenant) => inputFor(tenant, emptyWorld())
  const diff = () => Promise.reject(new Error('nobody asks'))
  const api = await startTestApi(t, () => ({ insight: { look: (tenant) => look(tenant), diff } }))
  await api.putJson('acme', tenantDocument('acme'))
  t.like((await api.call('/v1/tenants/acme/plan')).json(), { decision: { kind: 'act', step: 'createApp' } })
  t.is((await api.call('/v1/tenants/nobody/plan')).status, 404)
  look = () => Promise.reject(new Fault('unavailable', 'Fly did not answer.', { call: 'machineGet' }))
  t.like((await api.call('/v1/tenants/acme/plan')).json(), {
    ...{ status: 503, detail: 'Fly did not answer.' },
    why: 'acme is Pending, not Running: Moorage has not looked at the last change yet. It will be as soon as a controller holds the lease and has its turn. To try again now: moor retry acme',
  })
  const follower = await startTestApi(t)
  await follower.putJson('acme', tenantDocument('acme'))
  t.is((await follower.call('/v1/tenants/acme/plan')).status, 404)
})

test('a write that loses every race is a 409 and changes nothing', async (t) => {
  let tries = 0
  const change = async () => {
    tries += 1
    return undefined
  }
  const api = await startTestApi(t, ({ tenants }) => ({ tenants: { ...tenants, change } }))
  await api.putJson('acme', tenantDocument('acme'))
  const before = await stored(api.tenants, 'acme')
  const answer = await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }))
  t.is(answer.status, 409)
  t.is(answer.json()['code'], 'conflict')
  t.is(tries, 5)
  t.deepEqual(await stored(api.tenants, 'acme'), before)
})

test('a race lost to the controller is read and checked again', async (t) => {
  // The controller notes a volume between the read and the write: the new region was allowed, and is not any more.
  const api = await startTestApi(t, ({ tenants }) => ({
    tenants: {
      ...tenants,
      change: async (tenant, wish) => {
        const now = await stored(tenants, 'acme')
        if (now.status.volume === undefined)
          await tenants.saveStatus(now, { ...now.status, volume: { id: 'vol_1', incarnation: 1 } })
        return tenants.change(tenant, wish)
      },
    },
  }))
  await api.putJson('acme', tenantDocument('acme'))
  const moved = await api.putJson('acme', tenantDocument('acme', { region: 'ams' }))
  t.like(moved.json(), { status: 400, code: 'immutable', errors: [{ path: 'spec.region' }] })
  t.is((await stored(api.tenants, 'acme')).spec.region, 'iad')
})

test('of many who claim one domain at the same moment one gets it', async (t) => {
  // The look and the write lie far apart, so that every check is done before the first write.
  const api = await startTestApi(t, ({ tenants }) => ({
    tenants: {
      ...tenants,
      withDomain: async (domains, uid) => {
        const found = await tenants.withDomain(domains, uid)
        await delay(20)
        return found
      },
    },
  }))
  await api.putJson('t0', tenantDocument('t0'))
  const claims = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      api.putJson(`t${index}`, tenantDocument(`t${index}`, { domains: [`own${index}.test`, 'same.test'] })),
    ),
  )
  t.is(claims.filter(({ status }) => status < 300).length, 1)
  t.is(claims.filter(({ status }) => status === 409).length, 7)
})
