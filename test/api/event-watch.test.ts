// Watching events and plans: what is there, what comes, going on after a break, and what limited callers hear.
import test, { type ExecutionContext } from 'ava'
import type { Insight } from '../../src/insight.ts'
import type { EventRecord } from '../../src/events/event.ts'
import { eventsIn } from '../../src/store/events.ts'
import { Fault } from '../../specs/faults.ts'
import { emptyWorld, type ModelWorld } from '../helpers/model.ts'
import { inputFor } from '../helpers/worlds.ts'
import { startTestApi, stored, tenantDocument, type ApiUnderTest } from './fixture.ts'
import { ends, hears, limitedToken, listenTo, told } from './listener.ts'

let made = 0

async function happens(api: ApiUnderTest, tenant: string, message: string, more: Partial<EventRecord> = {}) {
  const { uid } = await stored(api.tenants, tenant)
  const at = 1_800_000_000_000 + (made += 1)
  const id = made.toString(16).padStart(24, '0')
  const usual = { kind: 'wait', reason: 'MachineBusy', count: 1, firstAt: at, lastAt: at } as const
  await eventsIn(api.db).write([{ id, uid, tenant, message, ...usual, ...more }])
}

async function startWithTwo(t: ExecutionContext): Promise<ApiUnderTest> {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  await api.putJson('beta', tenantDocument('beta'))
  return api
}

test('a watcher of events hears the newest, then each that comes, and what is the same again with its count', async (t) => {
  const api = await startWithTwo(t)
  for (const message of ['one', 'two', 'three']) await happens(api, 'acme', message)
  const all = await listenTo(api, '/v1/events?watch&limit=2')
  const failed = await listenTo(api, '/v1/events?watch&kind=failed&tenant=acme')
  const beta = await listenTo(api, '/v1/tenants/beta/events?watch&output=rows')
  await Promise.all([hears(all, 3), hears(failed, 1), hears(beta, 1)])
  await happens(api, 'acme', 'four', { kind: 'failed', reason: 'RegionFull' })
  await happens(api, 'beta', 'five')
  await happens(api, 'beta', 'five')
  await Promise.all([hears(all, 6), hears(failed, 2), hears(beta, 3)])
  const wanted = ['ADDED two', 'ADDED three', 'BOOKMARK', 'ADDED four', 'ADDED five', 'MODIFIED five']
  t.deepEqual(told(all, 'message'), wanted)
  t.is(all.events.at(-1)?.data['count'], 2)
  t.deepEqual(told(failed, 'message'), ['BOOKMARK', 'ADDED four'])
  t.like(beta.events[2], { type: 'MODIFIED', data: { columns: ['LAST', 'COUNT', 'TENANT', 'REASON', 'MESSAGE'] } })
  const place = all.events[3]?.id ?? ''
  all.stop()
  const again = await listenTo(api, '/v1/events?watch', { lastId: place })
  await hears(again, 2)
  t.deepEqual(told(again, 'message'), ['ADDED five', 'MODIFIED five'])
  const anew = await listenTo(api, '/v1/events?watch&limit=1', { lastId: '00.7' })
  await hears(anew, 3)
  t.deepEqual(told(anew, 'message'), ['RELIST', 'ADDED five', 'BOOKMARK'])
  t.is((await api.call('/v1/events?watch&cursor=MS4w')).status, 400)
  for (const heard of [failed, beta, again, anew]) heard.stop()
})

test('to a limited caller only the events of its tenants are there, listed and watched', async (t) => {
  const api = await startWithTwo(t)
  const token = await limitedToken(api, 'plan=pro')
  await happens(api, 'acme', 'one')
  await happens(api, 'beta', 'two')
  const headers = { authorization: `Bearer ${token}` }
  const { items } = (await api.call('/v1/events', { headers })).json() as { items: { message: string }[] }
  t.deepEqual(
    items.map(({ message }) => message),
    ['one'],
  )
  t.is((await api.call('/v1/tenants/beta/events?watch', { headers })).status, 404)
  const [his, all] = [await listenTo(api, '/v1/events?watch', { token }), await listenTo(api, '/v1/events?watch')]
  await Promise.all([hears(his, 2), hears(all, 3)])
  await happens(api, 'beta', 'three')
  await happens(api, 'acme', 'four')
  await api.putJson('acme', tenantDocument('acme'))
  await happens(api, 'acme', 'five')
  await api.putJson('beta', tenantDocument('beta', {}, { plan: 'pro' }))
  await happens(api, 'beta', 'six')
  await Promise.all([hears(his, 4), hears(all, 7)])
  t.deepEqual(told(his, 'message'), ['ADDED one', 'BOOKMARK', 'ADDED four', 'ADDED six'])
  for (const heard of [his, all]) heard.stop()
})

test('when events may have been missed, streams end and begin anew', async (t) => {
  let missed = () => {}
  const api = await startTestApi(t, ({ events }) => ({
    events: { ...events, watch: (sink) => ((missed = () => sink.missed()), events.watch(sink)) },
  }))
  const heard = await listenTo(api, '/v1/events?watch')
  await hears(heard, 1)
  missed()
  await ends(heard)
  const again = await listenTo(api, '/v1/events?watch', { lastId: heard.events[0]?.id ?? '' })
  await hears(again, 2)
  t.deepEqual(told(again), ['RELIST', 'BOOKMARK'])
  again.stop()
})

test('a plan is watched: as it is, each time that it is another, through an outage, to the end of the tenant', async (t) => {
  const place: { world: ModelWorld; away: boolean } = { world: emptyWorld(), away: false }
  const look: Insight['look'] = async (tenant) => {
    if (place.away) throw new Fault('unavailable', 'Fly did not answer.', { call: 'machineGet' })
    return inputFor(tenant, place.world, Date.now())
  }
  const api = await startTestApi(t, () => ({ insight: { look, diff: () => Promise.reject(new Error('not asked')) } }))
  await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  const path = '/v1/tenants/acme/plan?watch'
  const token = await limitedToken(api, 'plan=pro')
  const heard = await listenTo(api, path, { token })
  await hears(heard, 2)
  t.deepEqual(told(heard), ['ADDED', 'BOOKMARK'])
  const { id } = heard.events[0] ?? { id: '' }
  const same = await listenTo(api, path, { lastId: id })
  await hears(same, 1)
  t.deepEqual(told(same), ['BOOKMARK'])
  same.stop()
  const note = async () => {
    const tenant = await stored(api.tenants, 'acme')
    await api.tenants.saveStatus(tenant, tenant.status)
  }
  place.world = { ...emptyWorld(), app: 'present' }
  await note()
  await hears(heard, 3)
  t.like(heard.events[2], { type: 'MODIFIED', data: { decision: { step: 'createVolume' } } })
  place.away = true
  await note()
  await hears(heard, 4)
  t.is(heard.events[3]?.type, 'ERROR')
  t.is((await listenTo(api, path)).status, 503)
  place.away = false
  await hears(heard, 5)
  t.is(heard.events[4]?.type, 'BOOKMARK')
  const later = await listenTo(api, path, { lastId: id })
  await hears(later, 2)
  t.deepEqual(told(later), ['MODIFIED', 'BOOKMARK'])
  const anew = await listenTo(api, path, { lastId: 'nonsense' })
  await hears(anew, 3)
  t.deepEqual(told(anew), ['RELIST', 'ADDED', 'BOOKMARK'])
  // It leaves the limit of one, and the world for all.
  await api.putJson('acme', tenantDocument('acme'))
  await ends(heard)
  t.is(heard.events.at(-1)?.type, 'DELETED')
  await api.tenants.purge(await stored(api.tenants, 'acme'))
  await Promise.all([ends(later), ends(anew)])
  t.deepEqual(anew.events.at(-1)?.data, { name: 'acme' })
  t.is((await listenTo(api, path)).status, 404)
})
