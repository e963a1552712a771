// What the guards keep: over restarts, over the real store, and against lists of the simulated Fly that lie.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Controller } from '../../../reconciler/controller.ts'
import { entryOf, exhausted, fleetBudget } from '../../../reconciler/guards/budget.ts'
import type { Keeper } from '../../../reconciler/guards/keeper.ts'
import { reconcile } from '../../../reconciler/reconcile.ts'
import type { Step } from '../../../reconciler/step.ts'
import { findCondition } from '../../../specs/conditions.ts'
import { Fault } from '../../../specs/faults.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import { realClock } from '../../../src/clock.ts'
import { flyClient } from '../../../src/fly/client.ts'
import { flyCloud } from '../../../src/fly/cloud.ts'
import { fleetIn, type FleetStore } from '../../../src/store/fleet.ts'
import { openStore } from '../../../src/store/open.ts'
import { tenantsIn, type Tenants } from '../../../src/store/tenants.ts'
import { fleetOf, keeperOver, memoryGuardStore, uidOf } from '../../helpers/fleet-ports.ts'
import { modelMachine } from '../../helpers/model.ts'
import { outsideOf, portsOver } from '../../helpers/model-ports.ts'
import { freshStatus, planSettings, tenantWith, uid } from '../../helpers/tenants.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'
import { world } from '../../sim/fixture.ts'

interface Database {
  readonly fleet: FleetStore
  readonly tenants: Tenants
}

/** A database that can be closed and opened again, as a process that ends and starts. */
async function databaseOf(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-guards-'))
  let open: Awaited<ReturnType<typeof openStore>> | undefined
  t.teardown(async () => {
    await open?.close()
    await rm(folder, { recursive: true, force: true })
  })
  return async (): Promise<Database> => {
    await open?.close()
    open = await openStore({ uri: undefined, folder })
    return { fleet: fleetIn(open.db), tenants: tenantsIn(open.db) }
  }
}

const stray = (id: string, region = 'iad'): Step => ({ kind: 'destroyMachine', id, region, why: 'stray' })

/** As a pass does it: may it, and if so, charge. True where the call would have been made. */
async function destroys(keeper: Keeper, clock: VirtualClock, tenant: Tenant, step: Step): Promise<boolean> {
  const entry = entryOf(tenant, step, clock.now())
  if (entry === undefined || exhausted(keeper.view(), entry, clock.now()) !== undefined) return false
  keeper.admit(tenant, step)
  await keeper.charge(tenant, step)
  keeper.ended(tenant, step, undefined)
  keeper.release(tenant)
  return true
}

test('a crash loop does not reset the budget: the ledger is written before the call and read at the start', async (t) => {
  const reopen = await databaseOf(t)
  const clock = new VirtualClock()
  let { fleet, tenants } = await reopen()
  for (let index = 0; index < 150; index += 1)
    await tenants.add(tenantWith({}, { uid: `uid${index}`, name: `t${index}` }))
  const tenant = tenantWith()
  const made: string[] = []
  for (let crash = 0; crash < 5; crash += 1) {
    const keeper = keeperOver(clock, fleet)
    await keeper.load()
    t.is(keeper.view().tenants, 150)
    for (const id of ['a', 'b']) if (await destroys(keeper, clock, tenant, stray(`m${crash}${id}`))) made.push(id)
    await keeper.settled()
    await clock.advance(1_000)
    ;({ fleet, tenants } = await reopen())
  }
  t.is(made.length, fleetBudget(150))
  await clock.advance(600_000)
  const keeper = keeperOver(clock, fleet)
  await keeper.load()
  t.true(await destroys(keeper, clock, tenant, stray('later')))
  await clock.advance(86_400_001)
  await fleet.charge({ at: clock.now(), kind: 'stray', uid, region: 'iad', target: 'm' })
  t.is((await fleet.ledger(0)).length, 1, 'what counts for nothing is not kept')
})

test('two passes at the same moment do not take the same token, and one that is not used comes back', async (t) => {
  const clock = new VirtualClock()
  const keeper = keeperOver(clock, memoryGuardStore())
  const [one, two] = [tenantWith({}, { uid: 'one' }), tenantWith({}, { uid: 'two' })]
  keeper.admit(one, stray('m1'))
  t.false(await destroys(keeper, clock, two, stray('m2')))
  keeper.release(one)
  t.true(await destroys(keeper, clock, two, stray('m2')))
})

test('a ledger that cannot be written stops the call', async (t) => {
  const outside = outsideOf(
    tenantWith(
      { state: 'deleted' },
      { status: { ...freshStatus, machine: { id: 'm1', state: 'stopped', region: 'iad', incarnation: 1 } } },
    ),
  )
  outside.world = { ...outside.world, app: 'present', machines: [modelMachine({ state: 'stopped' })] }
  const broken = { ...memoryGuardStore(), charge: () => Promise.reject(new Error('no database')) }
  const ports = { ...portsOver(outside), guards: keeperOver(outside.clock, broken) }
  await t.throwsAsync(reconcile(ports, uid), { message: 'no database' })
  t.false(outside.mutations.includes('destroyMachine'))
})

test('mode, holds and doubts outlive the process; a person’s word ends them, also one given while nothing ran', async (t) => {
  const reopen = await databaseOf(t)
  const clock = new VirtualClock()
  let { fleet } = await reopen()
  const first = keeperOver(clock, fleet)
  await first.load()
  const tenant = tenantWith()
  const step: Step = { kind: 'createVolume', name: 'v', incarnation: 1, sizeGb: 1, region: 'iad' }
  first.admit(tenant, step)
  first.ended(tenant, step, new Fault('regionFull', 'No room.', { call: 'volumeCreate' }))
  const machines = Array.from({ length: 4 }, (_, index) => ({ id: `m${index}`, uid: `u${index}` }))
  await first.judge({ at: 0, volumes: [], machines: machines.map((part) => modelMachine(part)) })
  await first.judge({ at: 0, volumes: [], machines: [] })
  await fleet.want({ mode: 'observe-only' })
  first.follow(await fleet.wish())
  await first.settled()

  ;({ fleet } = await reopen())
  const woken: string[] = []
  // It does not lead, so what is written down stays as the first left it.
  const second = keeperOver(clock, fleet, { wake: (one) => woken.push(one), leads: () => false })
  await second.load()
  t.is(second.view().mode, 'observe-only')
  t.like(second.view().suspect, { message: "Fly's list of machines is empty, though there were 4." })
  const [hold] = second.view().holds.values()
  t.like(hold, { reason: 'RegionFull', attempts: 1, probe: undefined })
  for (const waitsFor of ['mode', 'lists'])
    second.waits(tenantWith({}, { uid: waitsFor }), { kind: 'wait', reason: '', message: '', until: 0, waitsFor })
  second.follow({ mode: 'normal' })
  t.deepEqual(woken, ['mode'])
  second.follow({ mode: 'normal', acknowledgedAt: clock.now() })
  t.deepEqual(woken, ['mode', 'lists'])
  t.is(second.view().suspect, undefined)
  second.follow({ mode: 'normal', retryRequestedAt: clock.now() })
  t.is(second.view().holds.size, 0)

  await clock.advance(1_000)
  await fleet.want({ mode: 'normal', acknowledgedAt: clock.now(), retryRequestedAt: clock.now() })
  const third = keeperOver(clock, fleet)
  await third.load()
  t.like(third.view(), { mode: 'normal', suspect: undefined })
  t.is(third.view().holds.size, 0)
  await third.settled()
  t.like(await fleet.state(), { mode: 'normal', holds: [] })

  const strict = keeperOver(clock, fleet, { mode: 'observe-only' })
  await strict.load()
  t.is(strict.view().mode, 'observe-only', 'the process’s own setting wins')
  await strict.settled()
})

test('after a start the first list is judged by the tenants’ records', async (t) => {
  const reopen = await databaseOf(t)
  const { fleet, tenants } = await reopen()
  for (let index = 0; index < 3; index += 1) {
    const state = index === 2 ? 'destroyed' : 'started'
    const machine = { id: `m${index}`, state, region: 'iad', incarnation: 1 }
    await tenants.add(tenantWith({}, { uid: `u${index}`, name: `t${index}`, status: { ...freshStatus, machine } }))
  }
  const keeper = keeperOver(new VirtualClock(), fleet)
  await keeper.load()
  await keeper.judge({ at: 0, machines: [], volumes: [] })
  t.regex(keeper.view().suspect?.message ?? '', /there were 2/)
  await keeper.settled()
})

test('one hanging look is the tenant’s own matter, three in a row are everybody’s', (t) => {
  const keeper = keeperOver(new VirtualClock(), memoryGuardStore())
  const at = (index: number) => tenantWith({}, { uid: uidOf(index) })
  const hang = new Fault('timeout', 'Fly did not answer machineGet within 10 s', { call: 'machineGet' })
  const looks = (index: number, fault: Fault | undefined) => {
    t.is(keeper.blockedRead(at(index)), undefined)
    keeper.ended(at(index), undefined, fault)
  }
  looks(1, hang)
  looks(2, hang)
  looks(3, undefined)
  looks(1, hang)
  looks(1, hang)
  looks(2, hang)
  looks(3, hang)
  const blocked = keeper.blockedRead(at(4))
  t.is(blocked?.kind, 'unavailable')
  t.is(blocked?.message, hang.message)
})

test('lists that lie: nothing is created or destroyed, known machines go on, and three good lists end it', async (t) => {
  const { sim, api } = await world(t)
  const clock = new VirtualClock()
  const { naming } = planSettings
  const client = flyClient({ baseUrl: sim.url, token: 'test', clock: realClock, limits: 'off' })
  const cloud = flyCloud({ client, app: 'app', org: 'personal', naming, clock, retainDays: 14 })
  const guards = keeperOver(clock, memoryGuardStore(), { wake: (one) => controller.wake(one) })
  await guards.load()
  const fleet = fleetOf(6, { clock, cloud, guards })
  const controller = new Controller(fleet.ports, { workers: 8, sweeps: [(reading) => guards.judge(reading)] })
  t.teardown(() => controller.stop())
  await controller.start()
  const say = (index: number, type: 'Ready' | 'Reconciling') =>
    findCondition(fleet.tenants.get(uidOf(index))?.status.conditions ?? [], type)
  const until = async (what: string, done: () => boolean) => {
    for (let turns = 0; !done(); turns += 1) {
      if (turns > 10_000) throw new Error(`never: ${what}`)
      // Real time too: the simulator answers over a socket, however busy this computer is.
      await delay(1)
      await clock.advance(50)
    }
  }
  const resync = async () => {
    await clock.until(controller.resync())
  }
  const machines = async () =>
    ((await api('GET', '/_sim/state')).body.machines as readonly { id: string; name: string; state: string }[]).filter(
      ({ state }) => state !== 'destroyed',
    )
  const all = [0, 1, 2, 3, 4, 5]
  await until('all ready', () => all.every((index) => say(index, 'Ready')?.status === 'True'))
  await resync()
  t.is(guards.view().suspect, undefined)

  const lie = await api('POST', '/_sim/faults', { kind: 'emptyList' })
  await resync()
  t.regex(guards.view().suspect?.message ?? '', /empty/)
  fleet.change(uidOf(0), { spec: { ...tenantWith().spec, state: 'deleted' } })
  fleet.change(uidOf(1), { spec: { ...tenantWith().spec, state: 'suspended' } })
  const suspended = () => fleet.tenants.get(uidOf(1))?.status.machine?.state === 'suspended'
  await until('a suspension goes on', suspended)
  await until('a destroy waits', () => say(0, 'Reconciling')?.reason === 'ObservationSuspect')
  t.is((await machines()).length, 6, 'neither destroyed nor made twice')
  fleet.change(uidOf(1), { spec: tenantWith().spec })
  await until('a start goes on', () => say(1, 'Ready')?.status === 'True')

  await api('DELETE', `/_sim/faults/${lie.body.id}`)
  await api('POST', '/_sim/faults', { kind: 'partialList', fraction: 0.9, count: 4 })
  await resync()
  t.truthy(guards.view().suspect, 'a part is no good list')
  await api('DELETE', '/_sim/faults')
  for (let list = 0; list < 3; list += 1) {
    await resync()
    t.truthy(guards.view().suspect)
    await clock.advance(40_000)
  }
  t.is((await machines()).length, 6)
  await resync()
  t.is(guards.view().suspect, undefined)
  await until('the destroy was woken', () => fleet.tenants.get(uidOf(0))?.status.machine?.state === 'destroyed')
  t.is((await machines()).length, 5)
})
