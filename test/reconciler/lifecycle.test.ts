// What goes wrong for long, or is done to a tenant behind the controller's back: each has one decided answer, and a
// condition that says it.
import test from 'ava'
import type { ObservedMachine } from '../../reconciler/observed.ts'
import { reconcile } from '../../reconciler/reconcile.ts'
import { findCondition, type ConditionType } from '../../specs/conditions.ts'
import { Fault } from '../../specs/faults.ts'
import type { Tenant, TenantSpec } from '../../specs/tenant.ts'
import { modelMachine, modelVolume, type ModelWorld } from '../helpers/model.ts'
import { outsideOf, portsOver, type Outside } from '../helpers/model-ports.ts'
import { tenantWith, uid } from '../helpers/tenants.ts'

const minute = 60_000
const day = 86_400_000

/** Passes for so long, as the controller would; time moves what moves by itself, unless it is told to stand still. */
async function live(outside: Outside, ms: number, still = false): Promise<void> {
  const end = outside.clock.now() + ms
  while (outside.clock.now() <= end) {
    const back = await reconcile(portsOver(outside), uid)
    if (back === undefined) return
    const pause = Math.max(back.at - outside.clock.now(), 0)
    if (pause === 0) continue
    await outside.clock.advance(Math.min(pause, end + 1 - outside.clock.now()))
    if (!still) outside.pass()
  }
}

async function running(spec: Partial<TenantSpec> = {}): Promise<Outside> {
  const outside = outsideOf(tenantWith({ idle: { afterMinutes: 0 }, ...spec }))
  await live(outside, 2 * minute)
  outside.mutations.length = 0
  return outside
}

function want(outside: Outside, part: Partial<Tenant>): void {
  const { tenant } = outside
  outside.tenant = { ...tenant, ...part, generation: tenant.generation + 1, revision: tenant.revision + 1 }
}

const wantSpec = (outside: Outside, spec: Partial<TenantSpec>) =>
  want(outside, { spec: { ...outside.tenant.spec, ...spec } })

function set(outside: Outside, part: Partial<ObservedMachine>): void {
  const machines = outside.world.machines.map((machine) => ({ ...machine, ...part }))
  outside.world = { ...outside.world, machines }
}

const condition = ({ tenant }: Outside, type: ConditionType) => findCondition(tenant.status.conditions, type)
const states = ({ world }: Outside) => world.machines.map(({ state }) => state).join()

for (const state of ['created', 'starting'] as const)
  test(`a machine that stays ${state} is given up for the next incarnation, on the same volume`, async (t) => {
    const outside = await running()
    set(outside, { state })
    await live(outside, 2 * minute, true)
    t.deepEqual(outside.mutations, [])
    await live(outside, 4 * minute, true)
    t.is(outside.mutations[0], 'destroyMachine')
    await live(outside, 3 * minute)
    t.is(outside.tenant.status.machine?.incarnation, 2)
    t.is(outside.world.volumes.length, 1)
    t.is(outside.world.machines[0]?.mount, outside.world.volumes[0]?.id)
    t.is(condition(outside, 'Ready')?.status, 'True')
  })

for (const state of ['stopping', 'updating', 'destroying', 'unknown'] as const)
  test(`a machine that stays ${state} is shown to a person, and nothing is done to it`, async (t) => {
    const outside = await running()
    set(outside, { state })
    await live(outside, 11 * minute, true)
    t.is(condition(outside, 'Stuck')?.status, 'True')
    t.regex(condition(outside, 'Stuck')?.message ?? '', new RegExp(`has been ${state} for \\d+ min`))
    t.deepEqual(outside.mutations, [])
    set(outside, { state: 'started' })
    await live(outside, 6 * minute)
    t.is(condition(outside, 'Stuck'), undefined)
    t.is(condition(outside, 'Ready')?.status, 'True')
  })

test('a host that is away: nothing is decided, after half an hour a person is asked, and it heals by itself', async (t) => {
  const outside = await running()
  set(outside, { hostOk: false, contentHash: '', metadata: {}, mount: undefined })
  await live(outside, 20 * minute, true)
  t.is(condition(outside, 'HostUnreachable')?.status, 'True')
  t.is(condition(outside, 'Stalled'), undefined)
  await live(outside, 20 * minute, true)
  t.regex(condition(outside, 'Stalled')?.message ?? '', /restore the tenant on another host/)
  t.deepEqual(outside.mutations, [])
  const [machine] = outside.world.machines
  outside.world = {
    ...outside.world,
    machines: [modelMachine({ id: machine?.id ?? '', mount: outside.world.volumes[0]?.id })],
  }
  set(outside, { contentHash: (await running()).world.machines[0]?.contentHash ?? '' })
  await live(outside, 10 * minute)
  t.is(condition(outside, 'HostUnreachable'), undefined)
  t.is(condition(outside, 'Ready')?.status, 'True')
  t.is(outside.tenant.status.machine?.incarnation, 1)
})

test('a change that restarts the machine waits while it is in use, and is made at its next stop', async (t) => {
  const outside = await running()
  const before = outside.world.machines[0]?.contentHash
  wantSpec(outside, { image: 'ghcr.io/openclaw/openclaw:next' })
  await live(outside, day)
  // The record in the metadata is brought up to date at once; nothing restarts for it.
  t.deepEqual(outside.mutations, ['stampMachine'])
  outside.mutations.length = 0
  t.is(condition(outside, 'Drifted')?.reason, 'UpdateDeferred')
  t.is(condition(outside, 'Ready')?.status, 'True')
  t.is(outside.tenant.status.observedGeneration, outside.tenant.generation)
  wantSpec(outside, { state: 'suspended' })
  await live(outside, 10 * minute)
  t.deepEqual(outside.mutations, ['suspendMachine', 'stopMachine', 'updateMachine'])
  t.is(states(outside), 'stopped')
  t.not(outside.world.machines[0]?.contentHash, before)
  t.is(condition(outside, 'Drifted'), undefined)
})

test('the same change is made at once where the spec says so, and after a week in any case', async (t) => {
  const hasty = await running()
  wantSpec(hasty, { image: 'ghcr.io/openclaw/openclaw:next', update: 'immediate' })
  await live(hasty, minute)
  t.is(hasty.mutations[0], 'updateMachine')
  const patient = await running()
  wantSpec(patient, { image: 'ghcr.io/openclaw/openclaw:next' })
  await live(patient, 6.9 * day)
  t.deepEqual(patient.mutations, ['stampMachine'])
  await live(patient, 0.2 * day)
  t.is(patient.mutations[1], 'updateMachine')
  t.is(condition(patient, 'Drifted'), undefined)
})

test('metadata that somebody took away is written again in place', async (t) => {
  const outside = await running()
  set(outside, { metadata: {} })
  await live(outside, 10 * minute)
  t.deepEqual(outside.mutations, ['stampMachine'])
  t.is(outside.world.machines[0]?.metadata['moorage_uid'], uid)
})

test('another hash version is stamped, and restarts nothing', async (t) => {
  const outside = await running()
  const metadata = {
    ...outside.world.machines[0]?.metadata,
    moorage_hash_version: '0',
    moorage_spec_hash: 'old recipe',
  }
  set(outside, { metadata })
  await live(outside, 10 * minute)
  t.deepEqual(outside.mutations, ['stampMachine'])
})

test('a machine that was changed by hand is brought back at its next stop, and not for ever', async (t) => {
  const outside = await running()
  set(outside, { contentHash: 'by hand' })
  await live(outside, 10 * minute)
  t.is(condition(outside, 'Drifted')?.reason, 'UpdateDeferred')
  // Somebody undoes each update at once.
  wantSpec(outside, { update: 'immediate' })
  for (let round = 0; round < 30; round += 1) {
    set(outside, { contentHash: 'by hand' })
    await live(outside, minute)
  }
  t.is(outside.mutations.filter((step) => step === 'updateMachine').length, 3)
  t.is(condition(outside, 'Stalled')?.reason, 'DriftPersists')
})

test('a volume that Fly moved to another host is taken up under its new id', async (t) => {
  const outside = await running()
  const [old] = outside.world.volumes
  const moved = modelVolume({ ...old, id: 'vol_moved' })
  outside.world = { ...outside.world, volumes: [{ ...modelVolume({ ...old }), state: 'leaving' }, moved] }
  set(outside, { mount: 'vol_moved', address: '127.9.9.9' })
  await live(outside, 6 * minute, true)
  t.is(outside.tenant.status.volume?.id, 'vol_moved')
  t.is(outside.tenant.status.route.kind === 'forward' ? outside.tenant.status.route.address : '', '127.9.9.9')
  t.deepEqual(outside.mutations, [])
})

test('a volume that is gone is never replaced by an empty one', async (t) => {
  const outside = await running()
  outside.world = { ...outside.world, volumes: [] }
  set(outside, { mount: undefined })
  await live(outside, day)
  t.is(condition(outside, 'Stalled')?.reason, 'VolumeMissing')
  t.deepEqual(outside.mutations, [])
})

test('a machine that stops by itself is started at once, then later and later', async (t) => {
  const outside = await running()
  const starts: number[] = []
  // With the fifth it is left to a person (crash-loop.test.ts).
  for (let round = 0; round < 4; round += 1) {
    set(outside, { state: 'stopped' })
    const died = outside.clock.now()
    const count = () => outside.mutations.filter((step) => step === 'startMachine').length
    const before = count()
    while (count() === before) await live(outside, 1_000)
    starts.push(Math.round((outside.clock.now() - died) / 10_000))
    if (round === 3) t.is(condition(outside, 'Ready')?.reason, 'MachineBusy')
    while (states(outside) !== 'started') await live(outside, 1_000)
  }
  t.deepEqual(starts, [0, 1, 2, 4])
  await live(outside, 11 * minute)
  t.is(outside.tenant.status.crash, undefined)
})

test('where Fly refuses to suspend, the machine is stopped', async (t) => {
  const outside = await running()
  outside.trip = (call) => {
    if (call === 'suspendMachine') throw new Fault('invalid', 'Fly answered 400: suspend is not supported.', { call })
  }
  wantSpec(outside, { state: 'suspended' })
  await live(outside, 2 * minute)
  t.is(states(outside), 'stopped')
  t.is(condition(outside, 'Stalled'), undefined)
})

test('the certificate of a domain that is given up goes as well', async (t) => {
  const outside = await running({ domains: ['agent.example.org'] })
  t.is(outside.world.certificates['agent.example.org'], 'issued')
  wantSpec(outside, { domains: [] })
  await live(outside, 6 * minute)
  t.is(outside.world.certificates['agent.example.org'], 'absent')
  t.is(outside.world.certificates['*.localhost'], 'issued')
})

test('a later machine is the tenant’s, an earlier one that comes back is destroyed, of two equals none is', async (t) => {
  const outside = await running()
  const [own] = outside.world.machines
  const earlier = modelMachine({ id: 'm0', incarnation: 0 })
  outside.world = { ...outside.world, machines: [...outside.world.machines, earlier] }
  outside.seen = ['m0']
  await live(outside, minute)
  t.deepEqual(outside.mutations, ['destroyMachine'])
  t.deepEqual(
    outside.world.machines.map(({ id }) => id),
    [own?.id],
  )
  const twin = modelMachine({ id: 'twin', incarnation: 1 })
  outside.world = { ...outside.world, machines: [...outside.world.machines, twin] }
  outside.seen = ['twin']
  await live(outside, 10 * minute)
  t.is(condition(outside, 'Stalled')?.reason, 'IdentityConflict')
  t.is(outside.world.machines.length, 2)
})

async function deleted(): Promise<Outside> {
  const outside = await running()
  wantSpec(outside, { state: 'deleted' })
  await live(outside, 10 * minute)
  return outside
}

test('a deletion stops, takes a snapshot, destroys the machine, and keeps the volume until its time', async (t) => {
  const outside = await deleted()
  t.deepEqual(outside.mutations, ['stopMachine', 'snapshotVolume', 'destroyMachine'])
  t.is(condition(outside, 'Ready')?.reason, 'Retained')
  t.is(outside.tenant.status.snapshot?.id, outside.world.snapshots[0]?.id)
  await live(outside, 13.9 * day)
  t.is(outside.world.volumes.length, 1)
  await live(outside, 0.2 * day)
  t.deepEqual(outside.mutations.slice(3), ['destroyVolume'])
  t.true(outside.purged)
})

const obstacles: Record<string, (world: ModelWorld) => Partial<ModelWorld>> = {
  'its last snapshot cannot be found': () => ({ snapshots: [] }),
  'is attached to machine': ({ volumes }) => ({
    volumes: volumes.map((volume) => ({ ...volume, attachedMachine: 'somebody' })),
  }),
  'is not this tenant’s': ({ volumes }) => ({
    volumes: volumes.map((volume) => ({ ...volume, name: 'kc_tes_ponmlkjihgfedcba_001' })),
  }),
}

for (const [why, spoil] of Object.entries(obstacles))
  test(`a volume past its retention is kept when it ${why}`, async (t) => {
    const outside = await deleted()
    outside.world = { ...outside.world, ...spoil(outside.world) }
    await live(outside, 15 * day)
    t.is(condition(outside, 'Stalled')?.reason, 'PurgeBlocked')
    t.true(condition(outside, 'Stalled')?.message.replace("'", '’').includes(why))
    t.is(outside.world.volumes.length, 1)
    t.false(outside.purged)
  })

test('a volume that another record names is kept', async (t) => {
  const outside = await deleted()
  outside.claims = ['ponmlkjihgfedcba']
  await live(outside, 15 * day)
  t.is(condition(outside, 'Stalled')?.reason, 'PurgeBlocked')
  t.is(outside.world.volumes.length, 1)
})

test('a snapshot that Fly keeps refusing does not keep the machine, and the purge waits for it', async (t) => {
  const outside = await running()
  outside.trip = (call) => {
    if (call === 'snapshotVolume') throw new Fault('quota', 'Fly answered 403: quota.', { call })
  }
  wantSpec(outside, { state: 'deleted' })
  await live(outside, 3 * day)
  t.is(states(outside), '')
  t.is(outside.world.volumes.length, 1)
  outside.trip = () => {}
  await live(outside, 15 * day)
  t.true(outside.purged)
})

test('undeleted inside the retention, the tenant runs again on its volume', async (t) => {
  const outside = await deleted()
  const [volume] = outside.world.volumes
  await live(outside, 10 * day)
  wantSpec(outside, { state: 'running' })
  await live(outside, 10 * minute)
  t.is(outside.world.machines[0]?.mount, volume?.id)
  t.is(outside.tenant.status.machine?.incarnation, 2)
  t.is(outside.tenant.status.retainedSince, undefined)
  t.is(outside.tenant.status.snapshot, undefined)
  t.is(condition(outside, 'Ready')?.status, 'True')
})

test('a restore makes a volume from the snapshot and a machine on it, and keeps the old volume, host away or not', async (t) => {
  for (const hostOk of [true, false]) {
    const outside = await running()
    const [old] = outside.world.volumes
    outside.world = {
      ...outside.world,
      snapshots: [{ id: 'vs_1', complete: true, createdAt: 1, sizeBytes: 1 }],
    }
    set(outside, hostOk ? {} : { hostOk: false, contentHash: '', mount: undefined })
    want(outside, { restore: { requestedAt: outside.clock.now() } })
    outside.trip = (call) => {
      if (!hostOk && call === 'destroyMachine')
        throw new Fault('hostDown', 'Fly answered 503: host unreachable.', { call })
    }
    await live(outside, 10 * minute)
    t.is(outside.tenant.status.volume?.incarnation, 2)
    t.deepEqual(outside.tenant.status.retired, [{ id: old?.id ?? '', incarnation: 1 }])
    t.is(outside.world.volumes.length, 2)
    t.is(outside.tenant.status.machine?.incarnation, 2)
    t.is(condition(outside, 'Ready')?.status, 'True')
    // The old machine's host comes back with it running: it is not the tenant's any more.
    outside.trip = () => {}
    outside.seen = outside.world.machines.map(({ id }) => id)
    await live(outside, 30 * minute)
    t.deepEqual(
      outside.world.machines.map(({ incarnation }) => incarnation),
      [2],
    )
    t.is(outside.mutations.filter((step) => step === 'createVolume').length, 1)
  }
})
