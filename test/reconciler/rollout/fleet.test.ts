// A rollout over a fleet of 200: the real store, the real controller and planner, a model of Fly, virtual time.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { changedClass, newClass } from '../../../reconciler/rollout/class-change.ts'
import { waveOf } from '../../../reconciler/rollout/image.ts'
import { rolloutPace } from '../../../reconciler/rollout/pace.ts'
import { findCondition } from '../../../specs/conditions.ts'
import { internalLabel, lastWave, type Rollout } from '../../../specs/rollout.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import { openStore } from '../../../src/store/open.ts'
import { emptyFleet, settle, type FleetModel } from '../../helpers/fleet.ts'
import { memoryStores } from '../../helpers/memory-stores.ts'
import { startProcess, storesIn, type Meter, type Process, type Stores } from '../../helpers/rollout-process.ts'
import { imageWith, minuteMs, newImage, oldImage } from '../../helpers/rollouts.ts'
import { standard, tenantWith } from '../../helpers/tenants.ts'

const spec = { ...standard, image: oldImage, idle: { afterMinutes: 0 } }
const ownImage = imageWith('c')

interface Fleet {
  readonly model: FleetModel
  readonly stores: Stores
  readonly meter: Meter
  readonly tenants: readonly Tenant[]
  process: Process
}

/** Of ten tenants three may be updated at once, two are in use, five rest; some are our own, one has an image of its own. */
function kindOfTenant(index: number, internal: number): Tenant {
  const name = `t${String(index).padStart(3, '0')}`
  const labels: Record<string, string> = index < internal ? { [internalLabel]: 'true' } : {}
  if (index === internal) return tenantWith({ image: ownImage }, { name, labels })
  if (index % 10 < 3) return tenantWith({ update: 'immediate' }, { name, labels })
  return tenantWith(index % 10 < 5 ? {} : { state: 'suspended' }, { name, labels })
}

interface FleetOptions {
  /** Where everything is kept; undefined: the real store, in a folder of its own. */
  readonly stores?: Stores
  readonly size: number
  readonly internal: number
  readonly scale: number
  readonly diesAfter?: number
}

/** How long a member in use may wait, where Fly has its own pace. */
const deferMs = 120 * minuteMs

async function realStores(t: ExecutionContext): Promise<Stores> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-rollout-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return storesIn(store)
}

async function openFleet(
  t: ExecutionContext,
  { size, internal, scale, stores: given, diesAfter = Infinity }: FleetOptions,
): Promise<Fleet> {
  const [model, meter] = [emptyFleet(size, { scale, deferMs: deferMs * scale }), { busy: 0 }]
  const stores = given ?? (await realStores(t))
  await stores.classes.add(newClass({ kind: 'Class', name: 'standard', spec }, 'class', model.clock.now()))
  const tenants: Tenant[] = []
  for (let index = 0; index < size; index += 1) {
    const tenant = await settle(model, kindOfTenant(index, internal), spec)
    await stores.tenants.add(tenant)
    tenants.push(tenant)
  }
  const fleet = { model, stores, meter, tenants, process: await startProcess({ model, stores, meter, diesAfter }) }
  t.teardown(() => void fleet.process.controller.stop()) // A killed process has passes that never end.
  return fleet
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Nothing is under way any more: what is left waits for the clock. */
async function quiet({ meter }: Fleet): Promise<void> {
  for (let [calm, turns] = [0, 0]; calm < 6; turns += 1) {
    // A disk that takes its time gets the processor.
    await (turns < 30 ? turn() : delay(1))
    calm = meter.busy === 0 ? calm + 1 : 0
  }
}

/** Ten seconds: passes as they fall due, then a look at the whole fleet. */
async function pass(fleet: Fleet): Promise<void> {
  for (let step = 0; step < 5; step += 1) {
    await fleet.model.clock.advance(2_000)
    await quiet(fleet)
  }
  const look = fleet.process.controller.resync()
  await (fleet.process.dead() ? quiet(fleet) : Promise.race([look, quiet(fleet)]))
  await quiet(fleet)
}

async function passUntil(fleet: Fleet, limitMs: number, done: () => Promise<boolean> | boolean): Promise<void> {
  const end = fleet.model.clock.now() + limitMs
  while (!(await done())) {
    if (fleet.model.clock.now() > end) throw new Error(`it did not happen: ${JSON.stringify(await newest(fleet))}`)
    await pass(fleet)
  }
}

async function want(fleet: Fleet, image: string, id: string): Promise<void> {
  const { classes } = fleet.stores
  const before = await classes.read('standard')
  if (before === undefined) throw new Error('the class is missing')
  const next = changedClass(before, { spec: { ...spec, image }, rollout: undefined, id, now: fleet.model.clock.now() })
  const saved = await classes.save(next)
  if (saved === undefined) throw new Error('the class was not written')
  fleet.process.book.takeClass(saved)
}

async function newest({ stores }: Fleet): Promise<Rollout | undefined> {
  return (await stores.rollouts.newest(1))[0]
}

const stateIs = (fleet: Fleet, state: Rollout['state']) => async () => (await newest(fleet))?.state === state

const imagesOf = ({ model }: Fleet) => [...model.machines.values()].map(({ seen, image }) => ({ uid: seen.uid, image }))

/** Members of the rollout, by the wave that they belong to. */
const membersOf = ({ tenants }: Fleet) => tenants.filter((tenant) => tenant.spec.image === undefined)

test('a good image goes through the waves in order, the resting first, and reaches everybody', async (t) => {
  const fleet = await openFleet(t, { size: 200, internal: 4, scale: 0.1 })
  const { model } = fleet
  await pass(fleet)
  t.deepEqual(model.updates, [], 'a settled fleet is left alone')
  await want(fleet, newImage, 'r-good')
  const waveBy = new Map(membersOf(fleet).map((tenant) => [tenant.uid, waveOf(tenant, { id: 'r-good', canaries: [] })]))
  await passUntil(fleet, 120 * minuteMs, async () => {
    const rollout = await newest(fleet)
    const ahead = imagesOf(fleet).filter(
      ({ uid, image }) => image === newImage && (waveBy.get(uid) ?? 9) > (rollout?.wave ?? 0),
    )
    t.deepEqual(ahead, [], 'nobody is ahead of the waves')
    return rollout?.state === 'done'
  })
  const rollout = await newest(fleet)
  const opened = (rollout?.history ?? []).filter(({ what }) => what === 'advanced')
  t.deepEqual(
    opened.map(({ wave }) => wave),
    [0, 1, 2, 3, 4],
    'each wave once, in order',
  )
  for (const [index, { at, wave }] of opened.entries()) {
    const since = opened[index - 1]?.at ?? rollout?.startedAt ?? 0
    const populated = [...waveBy.values()].includes(wave)
    t.true(at - since >= (populated ? (rolloutPace(0.1).bakeMs[wave] ?? 0) : 0), `wave ${wave} baked`)
  }
  t.log(opened.map(({ at, wave }) => `${wave}: ${Math.round((at - (rollout?.startedAt ?? 0)) / 1_000)} s`).join(' · '))

  const updatedAt = new Map(model.updates.map(({ uid, at }) => [uid, at]))
  for (const tenant of membersOf(fleet)) {
    const inUse = tenant.spec.state === 'running' && tenant.spec.update === 'deferred'
    const openedAt = opened.find(({ wave }) => wave === (waveBy.get(tenant.uid) ?? 0) - 1)?.at ?? 0
    const waited = (updatedAt.get(tenant.uid) ?? 0) - openedAt
    t.true(inUse ? waited >= deferMs * 0.1 : waited < 2 * minuteMs, `${tenant.name} after ${waited} ms`)
  }
  t.is(model.updates.length, 199, 'each member once')
  t.deepEqual(new Set(model.updates.map(({ image }) => image)), new Set([newImage]))
  const asleep = new Set(fleet.tenants.filter((tenant) => tenant.spec.state === 'suspended').map(({ uid }) => uid))
  t.true(
    model.updates.every(({ uid, launch }) => launch !== asleep.has(uid)),
    'the resting are updated in their sleep',
  )
  t.deepEqual(
    imagesOf(fleet)
      .filter(({ image }) => image !== newImage)
      .map(({ image }) => image),
    [ownImage],
  )
  t.like(await fleet.stores.classes.read('standard'), { stable: newImage, rollout: undefined })
  t.deepEqual(
    rollout?.counts.map(({ members, updated, failing }) => members - updated + failing),
    [0, 0, 0, 0, 0, 0],
  )
  for (const { uid } of fleet.tenants.filter((tenant) => tenant.spec.state === 'running'))
    t.is(findCondition((await fleet.stores.tenants.get(uid))?.status.conditions ?? [], 'Ready')?.status, 'True')
  t.deepEqual(model.defects, [])
})

test('a bad image halts in the first wave that runs it, and the rest of the fleet never sees it', async (t) => {
  const fleet = await openFleet(t, { size: 200, internal: 0, scale: 0.1 })
  const { model } = fleet
  model.badImages.add(newImage)
  const goesFirst = (id: string) =>
    membersOf(fleet).some((tenant) => tenant.spec.update === 'immediate' && waveOf(tenant, { id, canaries: [] }) === 2)
  const id = Array.from({ length: 100 }, (_, index) => `r-bad-${index}`).find(goesFirst) ?? ''
  await want(fleet, newImage, id)
  await passUntil(fleet, 60 * minuteMs, stateIs(fleet, 'rolled-back'))
  const rollout = await newest(fleet)
  const wave = rollout?.wave ?? 0
  t.is(wave, 2, 'in the wave of 1 %')
  t.is(rollout?.reason, 'ReadyGateFailed')
  t.regex(
    rollout?.message ?? '',
    /In the wave 1 %: \d of \d updated members were not Ready for 30 s.*For example t\d+: /,
  )
  t.true(rollout?.message.endsWith(`Every tenant of the class gets ${oldImage} again.`))
  const halted = model.clock.now()
  await passUntil(fleet, 10 * minuteMs, () => imagesOf(fleet).every(({ image }) => image !== newImage))
  const first = membersOf(fleet).filter((tenant) => waveOf(tenant, { id, canaries: [] }) <= wave)
  const touched = new Set(model.updates.map(({ uid }) => uid))
  t.true(touched.size > 0 && [...touched].every((uid) => first.some((tenant) => tenant.uid === uid)))
  t.log(
    `${touched.size} of 200 touched; back on the old image ${Math.round((model.clock.now() - halted) / 1_000)} s after the halt`,
  )
  // It stays so, also when the same class is wanted again.
  const before = model.updates.length
  for (let looks = 0; looks < 60; looks += 1) await pass(fleet)
  t.is(model.updates.length, before)
  for (const { uid } of first.filter((tenant) => tenant.spec.state === 'running'))
    t.is(findCondition((await fleet.stores.tenants.get(uid))?.status.conditions ?? [], 'Ready')?.status, 'True')
  t.deepEqual(model.defects, [])
})

test('in a fleet of six a bad image meets one tenant, not six', async (t) => {
  const fleet = await openFleet(t, { size: 6, internal: 0, scale: 0.1 })
  const { model } = fleet
  model.badImages.add(newImage)
  // None of them is in the shares before the last.
  const isLate = (id: string) => membersOf(fleet).every((tenant) => waveOf(tenant, { id, canaries: [] }) === lastWave)
  const id = Array.from({ length: 1_000 }, (_, index) => `r-few-${index}`).find(isLate) ?? ''
  await want(fleet, newImage, id)
  await passUntil(fleet, 60 * minuteMs, stateIs(fleet, 'rolled-back'))
  const rollout = await newest(fleet)
  t.is(rollout?.wave, 2)
  t.is(rollout?.canaries.length, 1)
  t.is(new Set(model.updates.map(({ uid }) => uid)).size, 1)
  await passUntil(fleet, 10 * minuteMs, () => imagesOf(fleet).every(({ image }) => image !== newImage))
  t.deepEqual(model.defects, [])
})

test('a controller that is killed in the middle of a wave is followed by one that goes on', async (t) => {
  const fleet = await openFleet(t, { size: 60, internal: 3, scale: 0.1 })
  const { model, stores, meter } = fleet
  await want(fleet, newImage, 'r-killed')
  await passUntil(fleet, 60 * minuteMs, async () => (await newest(fleet))?.wave === 4)
  await model.clock.advance(100)
  const before = await newest(fleet)
  fleet.process.kill()
  fleet.process = await startProcess({ model, stores, meter })
  await passUntil(fleet, 120 * minuteMs, stateIs(fleet, 'done'))
  const after = await newest(fleet)
  t.deepEqual(after?.history.slice(0, before?.history.length), before?.history)
  t.deepEqual(
    after?.history.map(({ wave }) => wave),
    [0, 0, 1, 2, 3, 4, 5],
  )
  t.is(model.updates.length, 59)
  t.true(imagesOf(fleet).every(({ image }) => image !== oldImage))
})

test('a crash after any write of the rollout is gone on from: each member is updated once, in the order of waves', async (t) => {
  let [deaths, ended] = [0, false]
  for (let diesAfter = 1; !ended; diesAfter += 1) {
    const fleet = await openFleet(t, { size: 8, internal: 2, scale: 0.02, stores: memoryStores(), diesAfter })
    const { model, stores, meter } = fleet
    await want(fleet, newImage, 'r-writes')
    await passUntil(fleet, 120 * minuteMs, async () => {
      if (fleet.process.dead()) {
        deaths += 1
        fleet.process = await startProcess({ model, stores, meter })
      }
      return (await stores.classes.read('standard'))?.stable === newImage
    })
    await pass(fleet)
    ended = deaths < diesAfter
    const rollout = await newest(fleet)
    t.is(rollout?.state, 'done', `after write ${diesAfter}`)
    t.deepEqual(
      rollout?.history.map(({ wave }) => wave),
      [0, 0, 1, 2, 3, 4, lastWave],
    )
    t.is(model.updates.length, 7)
    t.deepEqual(model.defects, [])
  }
  t.log(`${deaths} crashes`)
  t.true(deaths >= 8)
})
