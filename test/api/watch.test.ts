// Watching tenants: who is there, what changes, and going on after a break.
import test from 'ava'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { startTestApi, stored, tenantDocument } from './fixture.ts'
import { ends, hears, limitedToken, listenTo, told } from './listener.ts'

const path = '/v1/tenants?watch'

test('a watcher hears who is there, then every change, and only of its selection', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
  const [all, pro] = [await listenTo(api, path), await listenTo(api, `${path}&labelSelector=plan%3Dpro`)]
  await Promise.all([hears(all, 2), hears(pro, 2)])
  await api.putJson('beta', tenantDocument('beta'))
  await api.putJson('acme', tenantDocument('acme', { state: 'suspended' }, { plan: 'team' }))
  await hears(all, 4)
  await api.tenants.purge(await stored(api.tenants, 'beta'))
  await Promise.all([hears(all, 5), hears(pro, 3)])
  t.deepEqual(told(all), ['ADDED acme', 'BOOKMARK', 'ADDED beta', 'MODIFIED acme', 'DELETED beta'])
  t.deepEqual(told(pro), ['ADDED acme', 'BOOKMARK', 'DELETED acme'])
  for (const heard of [all, pro]) heard.stop()
})

test('who was away goes on where they were; a place that nobody knows is begun anew', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const first = await listenTo(api, path)
  await hears(first, 2)
  const place = first.events.at(-1)?.id ?? ''
  first.stop()
  await api.putJson('beta', tenantDocument('beta'))
  const again = await listenTo(api, path, { lastId: place })
  await hears(again, 1)
  t.deepEqual(told(again), ['ADDED beta'])
  again.stop()
  for (const unknown of ['00.1', 'nonsense', `${place}999`, `${place.split('.')[0] ?? ''}.x`]) {
    const anew = await listenTo(api, path, { lastId: unknown })
    await hears(anew, 4)
    t.deepEqual(told(anew), ['RELIST', 'ADDED acme', 'ADDED beta', 'BOOKMARK'], unknown)
    anew.stop()
  }
})

test('a limited watcher hears of its tenants alone, whoever watched first, and takes nothing from the others', async (t) => {
  for (const order of ['limited first', 'admin first']) {
    const api = await startTestApi(t)
    await api.putJson('acme', tenantDocument('acme', {}, { plan: 'pro' }))
    await api.putJson('beta', tenantDocument('beta', {}, { plan: 'free' }))
    const token = await limitedToken(api, 'plan=pro')
    const open = { limited: () => listenTo(api, path, { token }), admin: () => listenTo(api, path) }
    const first = await (order === 'limited first' ? open.limited() : open.admin())
    await hears(first, 2)
    const second = await (order === 'limited first' ? open.admin() : open.limited())
    const [limited, admin] = order === 'limited first' ? [first, second] : [second, first]
    await Promise.all([hears(limited, 2), hears(admin, 3)])
    await api.putJson('gamma', tenantDocument('gamma'))
    await api.putJson('acme', tenantDocument('acme', { paused: true }, { plan: 'pro' }))
    await api.putJson('acme', tenantDocument('acme', { paused: true }, { plan: 'free' }))
    await Promise.all([hears(limited, 4), hears(admin, 6)])
    t.deepEqual(told(limited), ['ADDED acme', 'BOOKMARK', 'MODIFIED acme', 'DELETED acme'], order)
    t.deepEqual(
      told(admin),
      ['ADDED acme', 'ADDED beta', 'BOOKMARK', 'ADDED gamma', 'MODIFIED acme', 'MODIFIED acme'],
      order,
    )
    for (const heard of [limited, admin]) heard.stop()
  }
})

test('members of pools are nobody’s to see until they are claimed', async (t) => {
  const api = await startTestApi(t)
  const heard = await listenTo(api, path)
  await hears(heard, 1)
  await api.putJson('acme', tenantDocument('acme'))
  const acme = await stored(api.tenants, 'acme')
  const member = { ...acme, uid: 'memberuidmember0', name: 'memberuidmember0', pool: { name: 'warm', tier: 'running' } }
  await api.tenants.add(member as typeof acme)
  await api.putJson('beta', tenantDocument('beta'))
  await hears(heard, 3)
  t.deepEqual(told(heard), ['BOOKMARK', 'ADDED acme', 'ADDED beta'])
  heard.stop()
})

test('a stream of rows has the columns of the list', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const heard = await listenTo(api, `${path}&output=rows`)
  await hears(heard, 2)
  const [first] = heard.events
  t.like(first, { type: 'ADDED', data: { name: 'acme' } })
  const { columns, cells } = first?.data as { columns: string[]; cells: string[] }
  t.deepEqual(columns, ['NAME', 'READY', 'STATE', 'REGION', 'CLASS', 'AGE', 'MACHINE', 'REASON'])
  t.is(cells.length, columns.length)
  const list = (await api.call('/v1/tenants?output=rows')).json() as { columns: string[]; rows: unknown[] }
  t.deepEqual(list.columns, columns)
  t.like(list.rows, [{ name: 'acme' }])
  heard.stop()
})

test('a stream ends after ten minutes, with a place to go on from, and with the API', async (t) => {
  const clock = new VirtualClock()
  const api = await startTestApi(t, () => ({ clock }))
  const heard = await listenTo(api, path)
  await hears(heard, 1)
  await clock.advance(599_000)
  t.false(heard.ended())
  await clock.advance(2_000)
  await ends(heard)
  t.true(heard.events.every(({ type }) => type === 'BOOKMARK'))
  const again = await listenTo(api, path, { lastId: heard.events.at(-1)?.id ?? '' })
  await clock.advance(60_000)
  await hears(again, 1)
  t.deepEqual(told(again), ['BOOKMARK'])
  await api.running.close()
  await ends(again)
})
