// Faults: each kind does what it says, to what it matches, as often as it says, and survives a restart.
import test from 'ava'
import { headOf, image, machine, mounted, slowWorld, until, world } from './fixture.ts'

const path = '/apps/app/machines'
const create = (name: string) => ['POST', path, { name, config: { image } }] as const

test('status answers instead of doing, as often as it says', async (t) => {
  const { api } = await world(t)
  const rule = { kind: 'status', action: 'machineCreate', nameContains: 'bad', status: 500, count: 2 }
  t.is((await api('POST', '/_sim/faults', rule)).status, 201)
  t.is((await api(...create('good'))).status, 200)
  t.is((await api(...create('bad-1'))).status, 500)
  t.is((await api('GET', '/_sim/faults')).body[0]?.count, 1)
  t.is((await api(...create('bad-1'))).status, 500)
  t.is((await api(...create('bad-1'))).status, 200)
  t.deepEqual((await api('GET', '/_sim/faults')).body, [])
  const body = { error: 'over the allowed quota' }
  await api('POST', '/_sim/faults', { kind: 'status', status: 403, body, action: 'machineList' })
  t.deepEqual((await api('GET', path)).body, body)
})

test('a lost reply has its effect, a call lost before has none', async (t) => {
  const { api } = await world(t)
  await api('POST', '/_sim/faults', { kind: 'lostReply', action: 'machineCreate', count: 1 })
  await t.throwsAsync(api(...create('there')))
  const made = headOf((await api('GET', path)).body)
  t.is(made.name, 'there')
  await api('POST', '/_sim/faults', { kind: 'lostBefore', action: 'machineDelete', count: 1 })
  await t.throwsAsync(api('DELETE', `${path}/${made.id}?force=true`))
  t.is((await until(api, made.id, 'started')).state, 'started')
  t.is((await api('GET', '/_sim/state')).body.calls.machineDelete, 1)
})

test('an outage drops every call for its time, while machines keep running', async (t) => {
  const { api, guests, clock, settle } = await slowWorld(t)
  const { id } = (await settle(api(...create('up')))).body
  await settle(api('GET', `${path}/${id}/wait`))
  await api('POST', '/_sim/faults', { kind: 'outage', forMs: 60_000 })
  await t.throwsAsync(settle(api('GET', path)))
  t.true(guests.up.has(id))
  await clock.advance(60_000)
  t.is((await settle(api('GET', path))).status, 200)
  await api('POST', '/_sim/faults', { kind: 'outage', status: 503, forMs: 60_000 })
  t.is((await settle(api('GET', path))).status, 503)
})

test('lists can be empty or partial while a GET by id tells the truth', async (t) => {
  const { api } = await world(t)
  const made = await Promise.all(Array.from({ length: 12 }, (_none, at) => machine(api, `m${at}`)))
  await api('POST', '/_sim/faults', { kind: 'emptyList', action: 'machineList', count: 1 })
  t.deepEqual((await api('GET', path)).body, [])
  t.is((await api('GET', path)).body.length, 12)
  await api('POST', '/_sim/faults', { kind: 'partialList', count: 1 })
  const some = (await api('GET', path)).body.length
  t.true(some > 0 && some < 12)
  t.is((await api('GET', `${path}/${made[0]?.id}`)).status, 200)
})

test('a list that lags misses what is new and shows what is gone', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  await api('POST', '/_sim/faults', { kind: 'listLag', ms: 30_000 })
  const list = async () => (await settle(api('GET', path))).body
  const { id } = (await settle(api(...create('late')))).body
  t.deepEqual(await list(), [])
  t.is((await settle(api('GET', `${path}/${id}`))).status, 200)
  await clock.advance(30_000)
  t.is((await list()).length, 1)
  await settle(api('DELETE', `${path}/${id}?force=true`))
  await settle(api('GET', `${path}/${id}/wait?state=destroyed`))
  t.is((await list())[0]?.state, 'started')
  t.is((await settle(api('GET', `${path}/${id}`))).body.state, 'destroyed')
  await clock.advance(31_000)
  t.deepEqual(await list(), [])
})

test('no room is said in the words of each call, and placements leave the region out', async (t) => {
  const { api } = await world(t)
  const stopped = await machine(api, 'stopped')
  await api('POST', `${path}/${stopped.id}/stop`)
  await until(api, stopped.id, 'stopped')
  const { body: volume } = await api('POST', '/apps/app/volumes', { name: 'v', region: 'iad' })
  await api('POST', '/_sim/faults', { kind: 'capacity', region: 'iad' })
  const plain = await api('POST', path, { region: 'iad', config: { image } })
  t.is(plain.status, 422)
  t.is(plain.body.status, 'insufficient_capacity')
  const mounts = [{ volume: volume.id, path: '/data' }]
  const pinned = await api('POST', path, { region: 'iad', config: { image, mounts } })
  t.is(pinned.status, 412)
  t.is(pinned.body.status, 'volume_placement_capacity')
  t.regex(pinned.body.error, /insufficient resources to create new machine with existing volume/)
  const start = await api('POST', `${path}/${stopped.id}/start`)
  t.is(start.status, 409)
  t.regex(start.body.error, /^aborted: could not reserve resource for machine: insufficient memory/)
  const disk = await api('POST', '/apps/app/volumes', { name: 'v', region: 'iad' })
  t.is(disk.status, 400)
  t.regex(disk.body.error, /no capacity/)
  t.is((await api('POST', path, { region: 'fra', config: { image } })).status, 200)
  const ask = { org_slug: 'personal', region: 'iad,fra', count: 2 }
  const placements = await api('POST', '/platform/placements', ask)
  t.deepEqual(placements.body, { Regions: [{ Region: 'fra', Count: 2, Concurrency: 10 }] })
})

test('a host that is down hides the config, refuses changes and silences the guest until it is back', async (t) => {
  const { api, guests } = await world(t)
  const { machine: one } = await mounted(api, 'down')
  await api('POST', '/_sim/faults', { kind: 'hostDown', machine: one.id })
  t.true(guests.up.get(one.id)?.suspended)
  const seen = (await api('GET', `${path}/${one.id}`)).body
  t.like(seen, { state: 'started', host_status: 'unreachable', incomplete_config: { image } })
  t.false('config' in seen)
  t.is((await api('POST', `${path}/${one.id}/stop`)).status, 503)
  t.is((await api('POST', `${path}/${one.id}/exec`, { command: ['true'] })).status, 503)
  t.is((await api('GET', '/apps/app/volumes')).body[0]?.host_status, 'unreachable')
  t.is((await api('DELETE', '/_sim/faults')).status, 204)
  t.false(guests.up.get(one.id)?.suspended)
  t.is((await api('GET', `${path}/${one.id}`)).body.host_status, 'ok')
  t.is((await api('POST', `${path}/${one.id}/stop`)).status, 200)
})

test('a slow state holds a machine where it is', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  await api('POST', '/_sim/faults', { kind: 'slowState', state: 'created', ms: 8_400_000, nameContains: 'stuck' })
  const { id } = (await settle(api(...create('stuck')))).body
  const other = (await settle(api(...create('fine')))).body
  t.is((await settle(api('GET', `${path}/${other.id}/wait`))).status, 200)
  await clock.advance(60_000)
  t.is((await settle(api('GET', `${path}/${id}`))).body.state, 'created')
})

test('a migration keeps the machine and changes its address and its volume', async (t) => {
  const { api, guests } = await world(t)
  const { machine: one, volume } = await mounted(api, 'move')
  t.is((await api('POST', '/_sim/faults', { kind: 'migrate', machine: one.id })).body.hits, 1)
  const moved = await until(api, one.id, 'started')
  t.is(moved.id, one.id)
  t.not(moved.private_ip, one.private_ip)
  const mount = headOf(moved.config.mounts)
  t.not(mount.volume, volume.id)
  t.is((await api('GET', `/apps/app/volumes/${mount.volume}`)).body.attached_machine_id, one.id)
  t.is((await api('GET', `/apps/app/volumes/${volume.id}`)).body.state, 'pending_destroy')
  t.is(guests.up.get(one.id)?.address, moved.private_ip)
})

test('a delay comes before the effect', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  await api('POST', '/_sim/faults', { kind: 'delay', action: 'machineList', ms: 5_000 })
  const begun = clock.now()
  await settle(api('GET', path))
  t.true(clock.now() - begun >= 5_000)
})

test('probability is drawn by the seed: the same each time', async (t) => {
  const run = async (seed: number) => {
    const { api } = await world(t, { seed })
    await api('POST', '/_sim/faults', { kind: 'status', status: 500, probability: 0.5 })
    const statuses: number[] = []
    for (let count = 0; count < 20; count++) statuses.push((await api('GET', path)).status)
    return statuses.join(' ')
  }
  const first = await run(11)
  t.is(await run(11), first)
  t.not(await run(12), first)
  t.true(first.includes('200') && first.includes('500'))
})

test('a rule that makes no sense is refused with the reason, and rules outlive a restart', async (t) => {
  const here = await world(t)
  const odd = await here.api('POST', '/_sim/faults', { kind: 'earthquake' })
  t.is(odd.status, 400)
  t.is((await here.api('POST', '/_sim/faults', { kind: 'status', when: 'now' })).status, 400)
  await here.api('POST', '/_sim/faults', { kind: 'status', status: 418, action: 'machineList' })
  const { api } = await here.again()
  t.is((await api('GET', path)).status, 418)
  const { id } = headOf((await api('GET', '/_sim/faults')).body)
  t.is((await api('DELETE', `/_sim/faults/${id}`)).status, 204)
  t.is((await api('GET', path)).status, 200)
})
