// Volumes on the wire: what binds them, what frees them, how they grow, fork, are restored and go away.
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { headOf, image, machine, mounted, slowWorld, until, world } from './fixture.ts'

const path = '/apps/app/volumes'
const machines = '/apps/app/machines'

test('a new volume has the documented defaults', async (t) => {
  const { api } = await world(t)
  const { status, body } = await api('POST', path, { name: 'data', region: 'fra' })
  t.is(status, 200)
  t.like(body, {
    name: 'data',
    state: 'created',
    size_gb: 3,
    region: 'fra',
    encrypted: true,
    attached_machine_id: null,
    fstype: 'ext4',
    snapshot_retention: 5,
    auto_backup_enabled: true,
    blocks: 0,
  })
  t.regex(body.id, /^vol_[a-z0-9]{16}$/)
  t.deepEqual((await api('GET', `${path}/${body.id}`)).body, body)
  t.deepEqual((await api('GET', path)).body, [body])
})

test('names are not unique', async (t) => {
  const { api } = await world(t)
  const [one, other] = await Promise.all([1, 2].map(() => api('POST', path, { name: 'twice', region: 'iad' })))
  t.deepEqual([one?.status, other?.status], [200, 200])
  t.not(one?.body.id, other?.body.id)
})

test('with require_unique_zone the zones of a name run out, without it they do not', async (t) => {
  const { api } = await world(t)
  const create = (unique: boolean) => api('POST', path, { name: 'z', region: 'iad', require_unique_zone: unique })
  const statuses = []
  for (let count = 0; count < 25; count++) statuses.push((await create(true)).status)
  t.is(statuses.at(-1), 422)
  t.is(statuses.filter((status) => status === 200).length, 24)
  t.like((await create(true)).body, { status: 'insufficient_capacity' })
  t.is((await create(false)).status, 200)
})

for (const [what, body] of [
  ['a bad name', { name: 'Data-1', region: 'iad' }],
  ['a name of 31 characters', { name: 'a'.repeat(31), region: 'iad' }],
  ['no name', { region: 'iad' }],
  ['an unknown region', { name: 'a', region: 'zzz' }],
  ['too much', { name: 'a', region: 'iad', size_gb: 501 }],
  ['a retention of 61 days', { name: 'a', region: 'iad', snapshot_retention: 61 }],
] as const)
  test(`a volume with ${what} is refused`, async (t) => {
    const { api } = await world(t)
    const reply = await api('POST', path, body)
    t.is(reply.status, 400)
    t.regex(reply.body.error, /^invalid_argument: /)
  })

test('a volume has one machine: claimed at create, bound at delete', async (t) => {
  const { api } = await world(t)
  const { volume, machine: one } = await mounted(api, 'owner')
  t.is((await api('GET', `${path}/${volume.id}`)).body.attached_machine_id, one.id)
  const mounts = [{ volume: volume.id, path: '/data' }]
  const second = await api('POST', machines, { name: 'second', region: 'iad', config: { image, mounts } })
  t.is(second.status, 412)
  t.is(second.body.error, `failed_precondition: volume already claimed by machine ${one.id}`)
  const bound = await api('DELETE', `${path}/${volume.id}`)
  t.is(bound.status, 412)
  t.is(bound.body.error, `failed_precondition: volume is currently bound to machine: ${one.id}`)
  t.is((await api('GET', machines)).body.length, 1)
})

test('a machine cannot mount two volumes, one that is not there, or one in another region', async (t) => {
  const { api } = await world(t)
  const { body: volume } = await api('POST', path, { name: 'far', region: 'fra' })
  const create = (mounts: unknown, region = 'iad') => api('POST', machines, { region, config: { image, mounts } })
  const mount = { volume: volume.id, path: '/data' }
  t.is((await create([mount, { ...mount, path: '/b' }], 'fra')).status, 400)
  const missing = await create([{ volume: 'vol_none', path: '/data' }])
  t.is(missing.status, 400)
  t.regex(missing.body.error, /volume not found/)
  t.is((await create([mount])).status, 400)
  t.is((await create([mount], 'fra')).status, 200)
})

test('the bond outlives a destroyed machine for a while', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const { body: volume } = await settle(api('POST', path, { name: 'lag', region: 'iad' }))
  const mounts = [{ volume: volume.id, path: '/data' }]
  const made = await settle(api('POST', machines, { name: 'short', region: 'iad', config: { image, mounts } }))
  await settle(api('GET', `${machines}/${made.body.id}/wait`))
  await settle(api('DELETE', `${machines}/${made.body.id}?force=true`))
  await settle(api('GET', `${machines}/${made.body.id}/wait?state=destroyed`))
  const bound = await settle(api('DELETE', `${path}/${volume.id}`))
  t.is(bound.status, 412)
  t.regex(bound.body.error, /currently bound to machine/)
  await clock.advance(60_000)
  const gone = await settle(api('DELETE', `${path}/${volume.id}`))
  t.is(gone.status, 200)
  t.is(gone.body.state, 'destroyed')
})

test('a deleted volume is pending_destroy for 24 hours, then gone with its files', async (t) => {
  const { api, clock, settle, folder } = await slowWorld(t)
  const { body: volume } = await settle(api('POST', path, { name: 'bye', region: 'iad' }))
  const files = join(folder, 'volumes', volume.id)
  await mkdir(files, { recursive: true })
  await settle(api('DELETE', `${path}/${volume.id}`))
  t.is((await settle(api('GET', `${path}/${volume.id}`))).body.state, 'pending_destroy')
  await clock.advance(3_700_000)
  t.true(existsSync(files))
  t.is((await settle(api('GET', path))).body[0]?.state, 'pending_destroy')
  const mounts = [{ volume: volume.id, path: '/data' }]
  t.is((await settle(api('POST', machines, { region: 'iad', config: { image, mounts } }))).status, 400)
  await clock.advance(24 * 3_600_000)
  t.is((await settle(api('GET', `${path}/${volume.id}`))).status, 404)
  t.deepEqual((await settle(api('GET', path))).body, [])
  t.is((await api('GET', '/_sim/state')).body.volumes[0]?.state, 'destroyed')
  for (let tries = 0; tries < 500 && existsSync(files); tries++) await setTimeout(10)
  t.false(existsSync(files))
})

test('volumes only grow, and their settings change', async (t) => {
  const { api } = await world(t)
  const { body: volume } = await api('POST', path, { name: 'grow', region: 'iad', size_gb: 2 })
  const extended = await api('PUT', `${path}/${volume.id}/extend`, { size_gb: 5 })
  t.like(extended.body, { needs_restart: false, volume: { size_gb: 5 } })
  t.is((await api('PUT', `${path}/${volume.id}/extend`, { size_gb: 5 })).status, 400)
  t.is((await api('PUT', `${path}/${volume.id}/extend`, { size_gb: 1 })).status, 400)
  const changed = await api('PUT', `${path}/${volume.id}`, { snapshot_retention: 14, auto_backup_enabled: false })
  t.like(changed.body, { snapshot_retention: 14, auto_backup_enabled: false, size_gb: 5 })
})

test('a volume that was written to has used blocks', async (t) => {
  const { api } = await world(t)
  const { volume } = await mounted(api, 'used')
  const { body } = await api('GET', `${path}/${volume.id}`)
  t.is(body.blocks * body.block_size, 1024 ** 3)
  t.true(body.blocks_free < body.blocks)
  t.true(body.bytes_used >= 10_000)
})

test('a snapshot outlives its volume and can be restored; a fork copies', async (t) => {
  const { api, folder, guests } = await world(t)
  const { volume, machine: one } = await mounted(api, 'keep')
  const data = (id: string) => join(folder, 'volumes', id, 'data')
  await writeFile(data(volume.id), 'precious')
  t.is((await api('POST', `${path}/${volume.id}/snapshots`)).status, 200)
  const snapshot = headOf((await api('GET', `${path}/${volume.id}/snapshots`)).body)
  t.like(snapshot, { status: 'created', retention_days: 5, volume_size: 1024 ** 3, size: 8 })
  t.regex(snapshot.id, /^vs_/)
  const fork = await api('POST', path, { name: 'fork', region: 'iad', source_volume_id: volume.id, size_gb: 2 })
  t.is(await readFile(data(fork.body.id), 'utf8'), 'precious')
  await writeFile(data(volume.id), 'changed')
  t.is(await readFile(data(fork.body.id), 'utf8'), 'precious')
  await api('DELETE', `${machines}/${one.id}?force=true`)
  await until(api, one.id, 'destroyed')
  t.is((await api('DELETE', `${path}/${volume.id}`)).status, 200)
  const restored = await api('POST', path, { name: 'back', region: 'fra', snapshot_id: snapshot.id })
  t.is(restored.status, 200)
  t.is(await readFile(data(restored.body.id), 'utf8'), 'precious')
  t.is((await api('POST', path, { name: 'back', region: 'fra', snapshot_id: 'vs_none' })).status, 404)
  t.is(guests.up.size, 0)
})

test('a second snapshot waits for the first', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const { body: volume } = await settle(api('POST', path, { name: 'snap', region: 'iad' }))
  await settle(api('POST', `${path}/${volume.id}/snapshots`))
  const early = await settle(api('POST', `${path}/${volume.id}/snapshots`))
  t.is(early.status, 412)
  t.regex(early.body.error, /^failed_precondition: snapshot is already scheduled at \d{4}-/)
  await clock.advance(6_000)
  t.is((await settle(api('POST', `${path}/${volume.id}/snapshots`))).status, 200)
})

test('a restored volume is no smaller than its source', async (t) => {
  const { api } = await world(t)
  const { body: volume } = await api('POST', path, { name: 'big', region: 'iad', size_gb: 10 })
  const fork = { name: 'small', region: 'iad', source_volume_id: volume.id }
  t.is((await api('POST', path, { ...fork, size_gb: 5 })).status, 400)
  t.is((await api('POST', path, fork)).body.size_gb, 10)
})

test('the mount on the wire names the volume', async (t) => {
  const { api } = await world(t)
  const { volume, machine: one } = await mounted(api, 'named')
  const mount = (await api('GET', `${machines}/${one.id}`)).body.config.mounts[0]
  t.like(mount, { volume: volume.id, path: '/data', name: 'named', size_gb: 1, encrypted: true })
  t.truthy(await machine(api, 'other'))
})
