// One member's whole life over the model of Fly: it stands ready, is claimed or is given up, and what goes wrong on the way.
import test from 'ava'
import type { Coming } from '../../../reconciler/decision.ts'
import { reconcile } from '../../../reconciler/reconcile.ts'
import { findCondition } from '../../../specs/conditions.ts'
import { Fault } from '../../../specs/faults.ts'
import { metadataKeys } from '../../../specs/names.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import type { Outside } from '../../helpers/model-ports.ts'
import { claim, live, member, minute, portsOf, write } from '../../helpers/pool-life.ts'
import { uid } from '../../helpers/tenants.ts'

const want = (outside: Outside, state: Tenant['spec']['state']) =>
  write(outside, { ...outside.tenant, spec: { ...outside.tenant.spec, state } })

const metadata = (outside: Outside) => outside.world.machines[0]?.metadata ?? {}
const states = ({ world }: Outside) => world.machines.map(({ state }) => state).join()

for (const tier of ['running', 'suspended'] as const) {
  test(`a ${tier} member stands ready without a host, a certificate or a road`, async (t) => {
    const outside = await member(tier)
    t.is(states(outside), tier === 'running' ? 'started' : 'suspended')
    t.not(outside.tenant.status.warm, undefined)
    t.is(findCondition(outside.tenant.status.conditions, 'Ready')?.reason, 'Warm')
    t.deepEqual(outside.world.certificates, {})
    t.deepEqual(outside.tenant.status.hosts, [])
    t.is(outside.tenant.status.route.kind, 'closed')
    t.is(metadata(outside)[metadataKeys.form], 'pool')
  })

  test(`a claimed ${tier} machine serves its tenant without an update, and Fly says so before the gateway is told`, async (t) => {
    const outside = await member(tier)
    claim(outside)
    let opened = false
    await live(outside, minute, () => {
      if (outside.tenant.status.route.kind !== 'forward') return
      opened = true
      t.is(metadata(outside)[metadataKeys.tenant], 'acme')
      t.true(outside.mutations.includes('prepareMachine'), 'the road opened before the gateway was told')
    })
    t.true(opened)
    const told = tier === 'running' ? [] : ['startMachine']
    // The shared certificate is asked for as for everybody; a command in the machine counts as `prepareMachine`.
    const steps = outside.mutations.filter((step) => step !== 'requestCertificate')
    t.deepEqual(steps, [...told, 'stampMachine', 'prepareMachine'])
    t.regex(metadata(outside)[metadataKeys.claim] ?? '', / warm$/)
    t.is(findCondition(outside.tenant.status.conditions, 'Ready')?.status, 'True')
    t.is(findCondition(outside.tenant.status.conditions, 'Drifted'), undefined)
  })
}

test('Fly is told whose a sleeping machine is while it wakes up, and tells when it has', async (t) => {
  const outside = await member('suspended')
  claim(outside)
  let stateThen = ''
  outside.trip = (call, moment) => {
    if (call === 'stampMachine' && moment === 'before') stateThen = states(outside)
  }
  const ports = portsOf(outside)
  const passes: (Coming | undefined)[] = []
  for (let pass = 0; pass < 3; pass += 1) passes.push((await reconcile(ports, uid))?.comes)
  t.deepEqual(outside.mutations, ['startMachine', 'stampMachine', 'requestCertificate'])
  t.is(stateThen, 'starting')
  passes.push((await reconcile(ports, uid))?.comes)
  t.deepEqual(passes.at(-1), { machine: outside.tenant.status.machine?.id ?? '', state: 'started' })
})

test('at its next stop a claimed machine is made as any other', async (t) => {
  const outside = await member('running')
  claim(outside)
  await live(outside, minute)
  outside.mutations.length = 0
  want(outside, 'suspended')
  await live(outside, minute)
  t.deepEqual(outside.mutations, ['suspendMachine', 'stopMachine', 'updateMachine'])
  t.is(metadata(outside)[metadataKeys.form], 'own')
  t.is(outside.tenant.status.personal, undefined)
  want(outside, 'running')
  await live(outside, minute)
  t.is(outside.tenant.status.route.kind, 'forward')
})

test('a claimed machine that starts anew is told again before its road opens', async (t) => {
  const outside = await member('suspended')
  // Fly has lost the memory: the machine boots from nothing.
  outside.world = { ...outside.world, machines: outside.world.machines.map((each) => ({ ...each, state: 'stopped' })) }
  const before = outside.tenant.status.preparedBoot
  claim(outside)
  await live(outside, 2 * minute)
  const { personal, preparedBoot, route } = outside.tenant.status
  t.is(route.kind, 'forward')
  t.not(personal?.boot, before)
  t.is(personal?.boot, preparedBoot)
  t.false(outside.mutations.includes('updateMachine'))
})

test('a gateway that cannot be told is never shown: its machine is made anew', async (t) => {
  const outside = await member('running')
  claim(outside)
  outside.trip = (call, moment) => {
    if (call === 'prepareMachine' && moment === 'before')
      throw new Fault('commandFailed', 'it failed', { call: 'machineExec' })
  }
  await live(outside, 10 * minute, () => {
    if (outside.tenant.status.route.kind === 'forward') t.is(metadata(outside)[metadataKeys.form], 'own')
  })
  t.true(outside.mutations.includes('updateMachine'))
  t.is(outside.tenant.status.route.kind, 'forward')
  t.is(outside.tenant.pool, undefined)
})

test('a later wish waits for the next stop, as everybody’s does', async (t) => {
  const outside = await member('running')
  claim(outside)
  await live(outside, minute)
  outside.mutations.length = 0
  write(outside, { ...outside.tenant, spec: { ...outside.tenant.spec, config: { logging: { level: 'debug' } } } })
  await live(outside, 10 * minute)
  t.deepEqual(
    outside.mutations.filter((step) => step !== 'stampMachine'),
    [],
  )
  t.is(findCondition(outside.tenant.status.conditions, 'Drifted')?.reason, 'UpdateDeferred')
  t.is(outside.tenant.status.route.kind, 'forward')
})

for (const tier of ['running', 'suspended'] as const)
  test(`a ${tier} member that nobody claimed goes with its volume`, async (t) => {
    const outside = await member(tier)
    want(outside, 'deleted')
    await live(outside, 5 * minute)
    t.deepEqual(outside.mutations, ['destroyMachine', 'destroyVolume'])
    t.true(outside.purged)
  })

test('a member whose machine says that somebody owns it keeps its volume', async (t) => {
  const outside = await member('running')
  const claimed = { ...metadata(outside), [metadataKeys.claim]: 'then warm' }
  outside.world = { ...outside.world, machines: outside.world.machines.map((each) => ({ ...each, metadata: claimed })) }
  want(outside, 'deleted')
  await live(outside, 60 * minute)
  t.false(outside.mutations.includes('destroyVolume'))
  t.true(outside.mutations.includes('snapshotVolume'))
  t.is(outside.world.volumes.length, 1)
})

test('a member whose machine is gone, so that nobody can be asked, keeps its volume', async (t) => {
  const outside = await member('running')
  outside.world = { ...outside.world, machines: [] }
  want(outside, 'deleted')
  await live(outside, 60 * minute)
  t.false(outside.mutations.includes('destroyVolume'))
  t.is(outside.world.volumes.length, 1)
})

test('what a tenant has claimed is retained like any tenant’s when it is deleted', async (t) => {
  const outside = await member('running')
  claim(outside)
  await live(outside, minute)
  outside.mutations.length = 0
  want(outside, 'deleted')
  await live(outside, 60 * minute)
  t.deepEqual(outside.mutations, ['stopMachine', 'snapshotVolume', 'destroyMachine'])
  t.is(outside.world.volumes.length, 1)
})
