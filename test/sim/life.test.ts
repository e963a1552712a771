// A machine's life: which states follow which, what is refused meanwhile, and what happens to guest, memory and root.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { guest, image, machine, mounted, slowWorld, until, world } from './fixture.ts'

const path = '/apps/app/machines'

test('cold provisioning takes as long as the seed measured', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const begun = clock.now()
  const volume = await settle(api('POST', '/apps/app/volumes', { name: 'data', region: 'iad', size_gb: 1 }))
  const volumeMs = clock.now() - begun
  t.true(volumeMs >= 2_000 && volumeMs <= 4_200, `volume ${volumeMs}`)
  const mounts = [{ volume: volume.body.id, path: '/data' }]
  const made = await settle(api('POST', path, { name: 'cold', config: { image, guest, mounts } }))
  const createMs = clock.now() - begun - volumeMs
  t.true(createMs >= 5_000 && createMs <= 11_200, `create ${createMs}`)
  t.is(made.body.state, 'created')
  const waited = await settle(api('GET', `${path}/${made.body.id}/wait?state=started&timeout=60`))
  t.is(waited.status, 200)
  t.is(waited.body.state, 'started')
  const startMs = clock.now() - begun - volumeMs - createMs
  t.true(startMs >= 10_000 && startMs <= 16_200, `start ${startMs}`)
  const before = clock.now()
  await settle(api('POST', `${path}/${made.body.id}/exec`, { command: ['sh', '-c', 'npx playwright install-deps'] }))
  const installMs = clock.now() - before
  t.true(installMs >= 10_000 && installMs <= 16_200, `install ${installMs}`)
})

test('a machine reads creating, created, starting, started, and refuses a start on its way', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const seen = new Set<string>()
  const creating = api('POST', path, { name: 'way', config: { image } })
  let id = ''
  for (let step = 0; step < 300; step++) {
    await clock.advance(100)
    const { machines } = (await api('GET', '/_sim/state')).body
    const [first] = machines
    if (first === undefined) continue
    id = first.id
    seen.add(first.state)
    if (first.state === 'created' && !seen.has('asked')) {
      seen.add('asked')
      const early = await settle(api('POST', `${path}/${id}/start`))
      t.is(early.status, 412)
      t.is(early.body.error, "failed_precondition: unable to start machine from current state: 'created'")
    }
    if (first.state === 'started') break
  }
  await creating
  t.deepEqual([...seen], ['creating', 'created', 'asked', 'starting', 'started'])
})

test('skip_launch prepares a machine and leaves it stopped', async (t) => {
  const { api, guests } = await world(t)
  const { body } = await api('POST', path, { name: 'cold', config: { image }, skip_launch: true })
  await until(api, body.id, 'stopped')
  t.is(guests.up.size, 0)
  t.deepEqual((await api('POST', `${path}/${body.id}/start`)).body, {
    previous_state: 'stopped',
    migrated: false,
    new_host: '',
  })
  await until(api, body.id, 'started')
})

test('a stop empties the root filesystem and keeps the volume; a start is quick', async (t) => {
  const { api, guests, folder } = await world(t)
  const { machine: one, volume } = await mounted(api, 'stop-me')
  const root = guests.up.get(one.id)?.rootFolder ?? ''
  t.true(existsSync(join(root, 'booted')))
  t.deepEqual((await api('POST', `${path}/${one.id}/stop`, { signal: 'SIGTERM', timeout: '10s' })).body, { ok: true })
  const stopped = await until(api, one.id, 'stopped')
  t.false(guests.up.has(one.id))
  t.like(stopped.events[0], { type: 'exit', request: { exit_event: { requested_stop: true } } })
  t.is((await api('POST', `${path}/${one.id}/stop`)).status, 200)
  t.is((await api('POST', `${path}/${one.id}/stop`, { timeout: 'soon' })).status, 400)
  await writeFile(join(root, 'left-behind'), '')
  await api('POST', `${path}/${one.id}/start`)
  const again = await until(api, one.id, 'started')
  t.is(again.private_ip, one.private_ip)
  t.false(existsSync(join(root, 'left-behind')))
  t.true(existsSync(join(folder, 'volumes', volume.id, 'data')))
})

test('suspend keeps memory and root; a stop after it discards both', async (t) => {
  const { api, guests } = await world(t)
  const { id } = await machine(api, 'nap')
  const boots = guests.up.get(id)?.boots
  t.deepEqual((await api('POST', `${path}/${id}/suspend`)).body, { ok: true })
  await until(api, id, 'suspended')
  t.true(guests.up.get(id)?.suspended)
  t.is((await api('POST', `${path}/${id}/suspend`)).status, 200)
  t.is((await api('POST', `${path}/${id}/start`)).body.previous_state, 'suspended')
  await until(api, id, 'started')
  t.like(guests.up.get(id), { suspended: false, boots })
  await api('POST', `${path}/${id}/suspend`)
  await until(api, id, 'suspended')
  await api('POST', `${path}/${id}/stop`)
  await until(api, id, 'stopped')
  t.false(guests.up.has(id))
  await api('POST', `${path}/${id}/start`)
  await until(api, id, 'started')
  t.not(guests.up.get(id)?.boots, boots)
})

test('a suspended machine whose memory is lost boots cold and keeps its root filesystem', async (t) => {
  const { api, guests } = await world(t)
  const { id } = await machine(api, 'lost')
  const root = guests.up.get(id)?.rootFolder ?? ''
  await api('POST', `${path}/${id}/suspend`)
  await until(api, id, 'suspended')
  guests.up.delete(id)
  await writeFile(join(root, 'kept'), '')
  await api('POST', `${path}/${id}/start`)
  await until(api, id, 'started')
  t.true(existsSync(join(root, 'kept')))
})

const unsuspendable: readonly (readonly [string, Record<string, unknown>])[] = [
  ['more than 2 GB', { guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 4096 } }],
  ['swap', { init: { swap_size_mb: 512 } }],
  ['a schedule', { schedule: 'daily' }],
]
for (const [what, config] of unsuspendable)
  test(`a machine with ${what} cannot be suspended`, async (t) => {
    const { api } = await world(t)
    const { id } = await machine(api, 'awake', config)
    const { status, body } = await api('POST', `${path}/${id}/suspend`)
    t.is(status, 412)
    t.regex(body.error, /^failed_precondition: unable to suspend machine: /)
    t.is((await api('GET', `${path}/${id}`)).body.state, 'started')
  })

test('a start cancels a suspend that is under way', async (t) => {
  const { api, guests, clock, settle } = await slowWorld(t)
  const { id } = (await settle(api('POST', path, { name: 'turn', config: { image } }))).body
  await settle(api('GET', `${path}/${id}/wait`))
  const boots = guests.up.get(id)?.boots
  await api('POST', '/_sim/faults', { kind: 'slowState', state: 'suspending', ms: 60_000 })
  await settle(api('POST', `${path}/${id}/suspend`))
  t.is((await settle(api('GET', `${path}/${id}`))).body.state, 'suspending')
  t.is((await settle(api('POST', `${path}/${id}/start`))).status, 200)
  t.is((await settle(api('GET', `${path}/${id}/wait`))).status, 200)
  await clock.advance(60_000)
  t.is((await settle(api('GET', `${path}/${id}`))).body.state, 'started')
  t.like(guests.up.get(id), { suspended: false, boots })
})

test('while a started machine is replaced it reads stopped with an exit nobody asked for, and refuses a start', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const { id } = (await settle(api('POST', path, { name: 'swap', config: { image } }))).body
  await settle(api('GET', `${path}/${id}/wait`))
  await api('POST', '/_sim/faults', { kind: 'slowState', state: 'replacing', ms: 25_000 })
  await settle(api('POST', `${path}/${id}`, { config: { image } }))
  const concurrent = await settle(api('POST', `${path}/${id}`, { config: { image } }))
  t.is(concurrent.status, 409)
  t.regex(concurrent.body.error, /^aborted: machine update failed due to concurrent update/)
  const read = async () => (await settle(api('GET', `${path}/${id}`))).body
  let now = await read()
  for (let step = 0; step < 100 && now.state === 'replacing'; step++) {
    await clock.advance(2_000)
    now = await read()
  }
  t.is(now.state, 'stopped')
  t.false(now.events[0]?.request.exit_event.requested_stop)
  const early = await settle(api('POST', `${path}/${id}/start`))
  t.is(early.status, 412)
  t.is(early.body.error, 'failed_precondition: machine getting replaced, refusing to start')
  t.is((await settle(api('GET', `${path}/${id}/wait`))).status, 200)
  now = await read()
  t.is(now.state, 'started')
  t.false(now.events.some((event: { type: string }) => event.type === 'exit'))
})

test('a machine that has just stopped still refuses a start for a moment', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const { id } = (await settle(api('POST', path, { name: 'busy', config: { image } }))).body
  await settle(api('GET', `${path}/${id}/wait`))
  await settle(api('POST', '/_sim/faults', { kind: 'slowState', state: 'stopped', ms: 5_000 }))
  await settle(api('POST', `${path}/${id}/stop`))
  t.is((await settle(api('GET', `${path}/${id}/wait?state=stopped`))).status, 200)
  const early = await settle(api('POST', `${path}/${id}/start`))
  t.is(early.body.error, 'failed_precondition: machine still active, refusing to start')
  await clock.advance(5_000)
  t.is((await settle(api('POST', `${path}/${id}/start`))).status, 200)
})

test('restart keeps the version and empties the root filesystem', async (t) => {
  const { api, guests } = await world(t)
  const { id, instance_id: version } = await machine(api, 're')
  const boots = guests.up.get(id)?.boots
  t.is((await api('POST', `${path}/${id}/restart?timeout=5s`)).status, 200)
  const now = await until(api, id, 'started')
  t.is(now.instance_id, version)
  t.not(guests.up.get(id)?.boots, boots)
})

test('a guest that dies is restarted by the policy, at most as often as it says', async (t) => {
  const { api, guests } = await world(t)
  const { id } = await machine(api, 'frail', { restart: { policy: 'on-failure', max_retries: 2 } })
  const boots = guests.up.get(id)?.boots ?? 0
  for (const retry of [1, 2]) {
    t.is((await api('POST', '/_sim/faults', { kind: 'crash', machine: id })).body.hits, 1)
    await until(api, id, 'started')
    t.is(guests.up.get(id)?.boots, boots + retry)
  }
  await api('POST', '/_sim/faults', { kind: 'crash', machine: id })
  const ended = await until(api, id, 'stopped')
  t.like(ended.events[0], { type: 'exit', request: { exit_event: { requested_stop: false, exit_code: 137 } } })
})

test('a guest that dies unseen is noticed within a second', async (t) => {
  const { api, guests, clock, settle } = await slowWorld(t)
  const config = { image, restart: { policy: 'no' } }
  const { id } = (await settle(api('POST', path, { name: 'unseen', config }))).body
  await settle(api('GET', `${path}/${id}/wait`))
  guests.up.delete(id)
  await clock.advance(1_500)
  t.is((await settle(api('GET', `${path}/${id}`))).body.state, 'stopped')
})

test('an auto_destroy machine vanishes at its exit; waiting for stopped is answered with 404', async (t) => {
  const { api, settle } = await slowWorld(t)
  const { id } = (await settle(api('POST', path, { name: 'once', config: { image, auto_destroy: true } }))).body
  await settle(api('GET', `${path}/${id}/wait`))
  await settle(api('POST', `${path}/${id}/stop`))
  t.is((await settle(api('GET', `${path}/${id}/wait?state=stopped`))).status, 404)
  t.is((await settle(api('GET', `${path}/${id}/wait?state=destroyed`))).status, 200)
})

test('a first start that fails ends the machine, a later one leaves it stopped', async (t) => {
  const { api, guests } = await world(t)
  guests.failing = true
  const { body } = await api('POST', path, { name: 'bad', config: { image } })
  t.is((await until(api, body.id, 'destroyed')).state, 'destroyed')
  guests.failing = false
  const { id } = await machine(api, 'good')
  await api('POST', `${path}/${id}/stop`)
  await until(api, id, 'stopped')
  guests.failing = true
  await api('POST', `${path}/${id}/start`)
  t.is((await until(api, id, 'stopped')).state, 'stopped')
})

test('a signal that ends processes ends the guest', async (t) => {
  const { api, guests } = await world(t)
  const { id } = await machine(api, 'sig', { restart: { policy: 'no' } })
  t.is((await api('POST', `${path}/${id}/signal`, { signal: 'SIGHUP' })).status, 200)
  t.true(guests.up.has(id))
  t.is((await api('POST', `${path}/${id}/signal`, { signal: 9 })).status, 200)
  t.false(guests.up.has(id))
  t.is((await api('POST', `${path}/${id}/signal`, { signal: 'NOPE' })).status, 400)
})
