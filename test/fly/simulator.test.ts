// Every function of the client against the simulated API over HTTP, and the faults that it can be told to make.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Clock } from '../../specs/clock.ts'
import { Fault, type FaultKind } from '../../specs/faults.ts'
import { realClock } from '../../src/clock.ts'
import { flyClient, type CallRecord, type FlyClient, type FlyClientOptions } from '../../src/fly/client.ts'
import { exitOf } from '../../src/fly/wire.ts'
import type { GuestHost } from '../../src/sim/guest-host.ts'
import { startSim } from '../../src/sim/server.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

/** Guests are nobody's business here: they start, and a command says what it was. */
function quietGuests(): GuestHost {
  const up = new Map<string, boolean>()
  const set = async (machine: string, suspended: boolean): Promise<void> => void up.set(machine, suspended)
  const stop = async (machine: string): Promise<void> => void up.delete(machine)
  return {
    running: async () => [...up].map(([machine, suspended]) => ({ machine, suspended })),
    start: ({ machine }) => set(machine, false),
    stop,
    suspend: (machine) => set(machine, true),
    resume: (machine) => set(machine, false),
    exec: async (_machine, command) => ({
      exit_code: command[0] === 'false' ? 1 : 0,
      exit_signal: 0,
      stdout: command.join(' '),
      stderr: '',
    }),
    release: async () => up.clear(),
    close: async () => up.clear(),
  }
}

interface Bench {
  readonly client: FlyClient
  readonly records: readonly CallRecord[]
  readonly other: (options: Partial<FlyClientOptions>) => FlyClient
  readonly fault: (rule: object) => Promise<void>
  readonly machines: () => Promise<number>
}

async function bench(t: ExecutionContext, scale = 0, clock: Clock = realClock): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-fly-'))
  const log = (sentence: string): void => t.log(sentence)
  const parts = { folder, port: 0, seed: 1, clock, guests: quietGuests(), log }
  const sim = await startSim({ ...parts, scale, bootstrapApp: { name: 'app', org: 'personal' } })
  t.teardown(async () => {
    await sim.close()
    await rm(folder, { recursive: true })
  })
  const records: CallRecord[] = []
  const base: FlyClientOptions = {
    baseUrl: sim.url,
    token: 'fm2_simulator-canary',
    clock,
    limits: 'off',
    log: (record) => records.push(record),
  }
  return {
    client: flyClient(base),
    records,
    other: (options) => flyClient({ ...base, ...options }),
    fault: async (rule) => {
      const answer = await fetch(`${sim.url}/_sim/faults`, { method: 'POST', body: JSON.stringify(rule) })
      t.is(answer.status, 201, await answer.text())
    },
    machines: async () => {
      const state = (await (await fetch(`${sim.url}/_sim/state`)).json()) as { machines: { state: string }[] }
      return state.machines.filter((machine) => machine.state !== 'destroyed').length
    },
  }
}

async function refused(t: ExecutionContext, kind: FaultKind, call: Promise<unknown>): Promise<Fault> {
  const fault = await t.throwsAsync(call, { instanceOf: Fault })
  t.is(fault.kind, kind, fault.message)
  return fault
}

const config = {
  image: 'ghcr.io/openclaw/openclaw:1',
  guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 2048 },
  metadata: { moorage_uid: 'uid1', moorage_env: 'test' },
  services: [],
}
const request = { name: 'kc-test-uid1-1', region: 'iad', config }

test('a machine from its volume to its end, with every call about machines', async (t) => {
  const { client, machines } = await bench(t)
  const volume = await client.volumeCreate('app', { name: 'kc_test_uid1_001', region: 'iad', size_gb: 1 })
  const mounted = { ...config, mounts: [{ volume: volume.id, path: '/data' }] }
  const made = await client.machineCreate('app', { ...request, config: mounted })
  t.regex(made.id, /^[0-9a-f]{14}$/)
  t.like(await client.machineWait('app', made.id, { state: 'started', timeoutSeconds: 10 }), { state: 'started' })
  const found = await client.machineGet('app', made.id)
  t.like(found, { name: request.name, state: 'started', region: 'iad' })
  t.deepEqual(found.config?.metadata, config.metadata)
  t.is((await client.volumeGet('app', volume.id)).attached_machine_id, made.id)

  t.is((await client.machineList('app', { metadata: { moorage_uid: 'uid1' } })).length, 1)
  t.is((await client.machineList('app', { metadata: { moorage_uid: 'uid2' } })).length, 0)
  t.is((await client.machineList('app', { state: ['stopped'] })).length, 0)

  await client.machineMetadataSet('app', made.id, 'moorage_term', '7')
  await client.machineMetadataPatch('app', made.id, { values: { moorage_tenant: 'acme', moorage_env: undefined } })
  await client.machineMetadataDelete('app', made.id, 'moorage_uid')
  const metadata = await client.machineMetadataGet('app', made.id)
  t.deepEqual(metadata, { moorage_term: '7', moorage_tenant: 'acme' })

  t.like(await client.machineExec('app', made.id, { command: ['echo', 'a b'] }), { exit_code: 0, stdout: 'echo a b' })
  t.is((await client.machineExec('app', made.id, { command: ['false'], timeout: 5 })).exit_code, 1)

  const lease = await client.leaseAcquire('app', made.id, { ttl: 60, description: 'test' })
  const { nonce } = lease
  t.is((await client.leaseAcquire('app', made.id, { ttl: 60, nonce })).nonce, nonce)
  const held = await refused(t, 'leased', client.machineSuspend('app', made.id))
  t.true((held.details.retryAfterMs ?? 0) > 50_000)
  await client.machineSuspend('app', made.id, { nonce })
  await client.machineWait('app', made.id, { state: 'suspended', timeoutSeconds: 10 })
  await client.machineStart('app', made.id, { nonce })
  await client.machineWait('app', made.id, { state: 'started', timeoutSeconds: 10 })
  const before = await client.machineGet('app', made.id)
  const update = { config: { ...before.config, env: { A: '1' } }, current_version: before.instance_id ?? '' }
  const updated = await client.machineUpdate('app', made.id, update, { nonce })
  t.not(updated.instance_id, before.instance_id)
  await refused(t, 'raced', client.machineUpdate('app', made.id, update, { nonce }))
  await client.machineWait('app', made.id, { state: 'started', timeoutSeconds: 10 })
  t.deepEqual((await client.machineGet('app', made.id)).config?.env, { A: '1' })
  await client.machineStop('app', made.id, { signal: 'SIGTERM', timeout: '5s' }, { nonce })
  await client.machineWait('app', made.id, { state: 'stopped', timeoutSeconds: 10 })
  await client.leaseRelease('app', made.id, nonce)

  const events = await client.machineEvents('app', made.id, 50)
  t.true(events.some((event) => exitOf(event)?.requested_stop === true))
  t.is((await client.machineEvents('app', made.id, 2)).length, 2)

  await client.machineDelete('app', made.id, { force: true })
  await client.machineWait('app', made.id, { state: 'destroyed', timeoutSeconds: 10 })
  t.is((await client.machineGet('app', made.id)).state, 'destroyed')
  t.deepEqual(await client.machineList('app'), [])
  t.is((await client.machineList('app', { includeDeleted: true })).length, 1)
  t.is(await machines(), 0)
})

test('volumes and snapshots, with every call about them', async (t) => {
  const { client } = await bench(t)
  const compute = config.guest
  const asked = { name: 'kc_test_uid1_001', region: 'iad', size_gb: 2, require_unique_zone: false, compute }
  const { id } = await client.volumeCreate('app', asked)
  t.like(await client.volumeUpdate('app', id, { snapshot_retention: 14 }), { snapshot_retention: 14 })
  t.is((await client.volumeExtend('app', id, 3)).volume.size_gb, 3)
  t.is((await refused(t, 'invalid', client.volumeExtend('app', id, 1))).rule.retry, 'person')
  await client.snapshotCreate('app', id)
  const [snapshot] = await client.snapshotList('app', id)
  t.regex(snapshot?.id ?? '', /^vs_/)
  const again = { ...asked, size_gb: 3, snapshot_id: snapshot?.id }
  const restored = await client.volumeCreate('app', again)
  t.is((await client.volumeList('app')).filter((volume) => volume.name === asked.name).length, 2)
  await client.volumeDelete('app', restored.id)
  const gone = await client.volumeGet('app', restored.id)
  t.true(['pending_destroy', 'scheduling_destroy', 'destroyed'].includes(gone.state), gone.state)
})

test('apps, regions, placements and certificates, with every call about them', async (t) => {
  const { client } = await bench(t)
  await client.appCreate({ name: 'tenant-app', org_slug: 'personal', network: 'tenant-net' })
  t.like(await client.appGet('tenant-app'), { name: 'tenant-app', network: 'tenant-net' })
  await refused(t, 'nameTaken', client.appCreate({ name: 'tenant-app', org_slug: 'personal' }))
  await refused(t, 'notFound', client.appGet('no-such-app'))
  await refused(t, 'notFound', client.machineList('no-such-app'))
  t.true((await client.regions()).some(({ code }) => code === 'iad'))
  t.true((await client.placements({ org_slug: 'personal', region: 'iad' })).some(({ region }) => region === 'iad'))

  for (const host of ['*.moorage.example', 'a.example', 'b.example']) await client.certificateRequest('app', host)
  t.is((await client.certificateCheck('app', '*.moorage.example')).status, 'active')
  t.like(await client.certificateGet('app', '*.moorage.example'), { hostname: '*.moorage.example', configured: true })
  await refused(t, 'invalid', client.certificateRequest('app', 'a.example'))
  t.is((await client.certificateList('app')).length, 3)
  await client.certificateDelete('app', 'a.example')
  await refused(t, 'notFound', client.certificateGet('app', 'a.example'))
  t.deepEqual(
    (await client.certificateList('app')).map(({ hostname }) => hostname),
    ['*.moorage.example', 'b.example'],
  )
})

test('certificates on more pages than one are all listed', async (t) => {
  const { client, records } = await bench(t)
  const hosts = Array.from({ length: 520 }, (_, n) => `t${n}.localhost`)
  for (let n = 0; n < hosts.length; n += 40)
    await Promise.all(hosts.slice(n, n + 40).map((host) => client.certificateRequest('app', host)))
  const listed = (await client.certificateList('app')).map(({ hostname }) => hostname)
  t.deepEqual([...listed].sort(), [...hosts].sort())
  t.is(records.filter(({ call }) => call === 'certificateList').length, 2)
})

test('refusals come as the faults that they are', async (t) => {
  const { client, fault } = await bench(t)
  const volume = await client.volumeCreate('app', { name: 'kc_test_uid1_001', region: 'iad', size_gb: 1 })
  const mounted = { ...config, mounts: [{ volume: volume.id, path: '/data' }] }
  const { id } = await client.machineCreate('app', { ...request, config: mounted })
  await client.machineWait('app', id, { state: 'started', timeoutSeconds: 10 })
  const taken = await refused(t, 'nameTaken', client.machineCreate('app', request))
  t.is(taken.details.existingId, id)
  await refused(t, 'bound', client.machineCreate('app', { ...request, name: 'kc-test-uid2-1', config: mounted }))
  await refused(t, 'bound', client.volumeDelete('app', volume.id))
  const late = await refused(t, 'timeout', client.machineWait('app', id, { state: 'stopped', timeoutSeconds: 1 }))
  t.is(late.details.status, 408)
  await refused(t, 'invalid', client.machineWait('app', id, { state: 'started', timeoutSeconds: 61 }))
  await refused(t, 'notFound', client.machineGet('app', '00000000000000'))
  const stale = { ...config, mounts: [{ volume: 'vol_none', path: '/data' }] }
  await refused(t, 'notFound', client.machineCreate('app', { ...request, name: 'kc-test-uid3-1', config: stale }))
  await client.machineStop('app', id)
  await client.machineWait('app', id, { state: 'stopped', timeoutSeconds: 10 })
  await refused(t, 'transient', client.machineExec('app', id, { command: ['true'] }))

  await fault({ kind: 'capacity', count: 4 })
  await refused(t, 'hostFull', client.machineStart('app', id))
  await refused(t, 'regionFull', client.machineCreate('app', { ...request, name: 'kc-test-uid4-1' }))
  await refused(t, 'hostFull', client.machineCreate('app', { ...request, name: 'kc-test-uid4-1', config: mounted }))
  await refused(t, 'regionFull', client.volumeCreate('app', { name: 'kc_test_uid4_001', region: 'iad', size_gb: 1 }))
  await fault({ kind: 'status', status: 403, body: { error: 'over the allowed quota' }, count: 1 })
  await refused(t, 'quota', client.machineStart('app', id))
  await fault({ kind: 'status', status: 401, count: 1 })
  const denied = await refused(t, 'unauthorized', client.machineStart('app', id))
  t.regex(denied.details.requestId ?? '', /^[0-9A-Z]{26}-[a-z]{3}$/)
})

test('a lost reply is ambiguous, and the same create again finds what it made', async (t) => {
  const { client, fault, machines } = await bench(t)
  await fault({ kind: 'lostReply', action: 'machineCreate', count: 1 })
  const lost = await refused(t, 'unavailable', client.machineCreate('app', request))
  t.true(lost.ambiguous)
  t.is(await machines(), 1)
  const taken = await refused(t, 'nameTaken', client.machineCreate('app', request))
  t.like(await client.machineGet('app', taken.details.existingId ?? ''), { name: request.name })
  await fault({ kind: 'outage', count: 2 })
  await refused(t, 'unavailable', client.machineList('app'))
  await refused(t, 'unavailable', client.volumeList('app'))
  t.is((await client.machineList('app')).length, 1)
})

test('whoever keeps the limits is never told 429, and whoever does not is', async (t) => {
  // On one virtual clock for both ends: Fly's real rate, without its real seconds.
  const clock = new VirtualClock()
  const { client, other, records } = await bench(t, 1, clock)
  const many = (of: FlyClient) => Promise.allSettled(Array.from({ length: 12 }, () => of.volumeList('app')))
  const careless = await clock.until(many(client), 20)
  t.true(careless.filter(({ status }) => status === 'rejected').length >= 6)
  t.deepEqual([...new Set(records.map(({ fault }) => fault))].sort(), ['throttled', undefined])
  await clock.advance(10_000)
  const careful = await clock.until(many(other({ limits: {} })), 20)
  t.true(careful.every(({ status }) => status === 'fulfilled'))
})
