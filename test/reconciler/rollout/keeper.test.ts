// The keeper: when it holds still, what persons and newer images do to a rollout under way, and races for its record.
import test from 'ava'
import { openGuards } from '../../../reconciler/guards/keeper.ts'
import { freeFleet, type FleetView } from '../../../reconciler/guards/view.ts'
import { changedClass, newClass } from '../../../reconciler/rollout/class-change.ts'
import { imageOf } from '../../../reconciler/rollout/image.ts'
import { acted, type RolloutAction } from '../../../reconciler/rollout/transitions.ts'
import { internalLabel, lastWave, type Rollout } from '../../../specs/rollout.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import { emptyFleet, settle } from '../../helpers/fleet.ts'
import { memoryStores } from '../../helpers/memory-stores.ts'
import { startProcess } from '../../helpers/rollout-process.ts'
import { imageWith, minuteMs, newImage, oldImage } from '../../helpers/rollouts.ts'
import { standard, tenantWith } from '../../helpers/tenants.ts'

const spec = { ...standard, image: oldImage, idle: { afterMinutes: 0 } }

/** Six tenants, one of them our own; whatever the test changes of the guards and the lease counts at once. */
async function scene() {
  const [model, stores] = [emptyFleet(1, { scale: 1, deferMs: 0 }), memoryStores()]
  await stores.classes.add(newClass({ kind: 'Class', name: 'standard', spec }, 'class', model.clock.now()))
  const tenants: Tenant[] = []
  for (let index = 0; index < 6; index += 1) {
    const labels: Record<string, string> = index === 0 ? { [internalLabel]: 'true' } : {}
    const tenant = await settle(model, tenantWith({ update: 'immediate' }, { name: `t${index}`, labels }), spec)
    await stores.tenants.add(tenant)
    tenants.push(tenant)
  }
  const world: { view: FleetView; term: number | undefined } = { view: freeFleet, term: 1 }
  const guards = { ...openGuards(), view: () => world.view }
  const meter = { busy: 0 }
  const process = await startProcess({ model, stores, meter, alter: { guards, term: () => world.term } })
  const rollout = async (id: string) => {
    const found = await stores.rollouts.read(id)
    if (found === undefined) throw new Error(`there is no rollout ${id}`)
    return found
  }
  return {
    ...{ model, stores, world, process, tenants, rollout },
    want: async (image: string, id: string) => {
      const before = await stores.classes.read('standard')
      if (before === undefined) throw new Error('the class is missing')
      const present = before.rollout && (await stores.rollouts.read(before.rollout.id))
      const now = model.clock.now()
      await stores.classes.save(changedClass(before, { spec: { ...spec, image }, rollout: present, id, now }))
    },
    /** Time passes, in looks of ten seconds. */
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 10_000) {
        await model.clock.advance(10_000)
        await process.controller.resync()
      }
    },
    act: async (id: string, action: RolloutAction) => {
      const next = acted(await rollout(id), action, model.clock.now())
      if (next === undefined || (await stores.rollouts.save(next)) === undefined) throw new Error('it was not done')
    },
  }
}

type Scene = Awaited<ReturnType<typeof scene>>

const images = ({ model }: Scene) => [...model.machines.values()].map(({ image }) => image)
const withImage = (each: Scene, image: string) => images(each).filter((one) => one === image).length

test('it holds still while the fleet is in doubt, is only observed, or is somebody else’s', async (t) => {
  const each = await scene()
  await each.want(newImage, 'r1')
  const suspect = { since: 0, message: 'The list is short.' }
  const holds: readonly Partial<Scene['world']>[] = [
    { view: { ...freeFleet, mode: 'observe-only' } },
    { view: { ...freeFleet, suspect } },
    { term: undefined },
  ]
  for (const hold of holds) {
    Object.assign(each.world, { view: freeFleet, term: 1 }, hold)
    await each.pass(minuteMs)
    t.deepEqual(await each.stores.rollouts.newest(9), [])
  }
  Object.assign(each.world, { view: freeFleet, term: 1 })
  await each.pass(20 * minuteMs)
  const before = await each.rollout('r1')
  t.true(before.wave > 1)
  for (const hold of holds) {
    Object.assign(each.world, { view: freeFleet, term: 1 }, hold)
    await each.pass(60 * minuteMs)
    t.deepEqual(await each.rollout('r1'), before)
  }
  Object.assign(each.world, { view: freeFleet, term: 1 })
  await each.pass(120 * minuteMs)
  t.is((await each.rollout('r1')).state, 'done')
  t.is(withImage(each, newImage), 6)
})

test('paused it goes neither on nor back; resumed it goes on', async (t) => {
  const each = await scene()
  await each.want(newImage, 'r1')
  await each.pass(minuteMs)
  t.is(withImage(each, newImage), 1, 'our own tenant goes first')
  await each.act('r1', 'pause')
  each.model.badImages.add(newImage)
  await each.pass(120 * minuteMs)
  t.like(await each.rollout('r1'), { state: 'halted', wave: 1 })
  each.model.badImages.clear()
  await each.pass(5 * minuteMs)
  await each.act('r1', 'resume')
  await each.pass(120 * minuteMs)
  t.like(await each.rollout('r1'), { state: 'done' })
})

test('hurried it skips the bakes, but no gate', async (t) => {
  const each = await scene()
  await each.want(newImage, 'r1')
  await each.pass(minuteMs)
  await each.act('r1', 'advance')
  await each.pass(20_000)
  t.true((await each.rollout('r1')).wave > 1, 'long before its ten minutes')
  each.model.badImages.add(newImage)
  while ((await each.rollout('r1')).state === 'rolling') {
    await each.act('r1', 'advance')
    await each.pass(2 * minuteMs)
  }
  t.like(await each.rollout('r1'), { state: 'rolled-back', reason: 'ReadyGateFailed' })
  await each.pass(10 * minuteMs)
  t.is(withImage(each, oldImage), 6)
})

test('rolled back by a person in the last wave: everybody has the old image again', async (t) => {
  const each = await scene()
  await each.want(newImage, 'r1')
  for (let looks = 0; looks < 600 && (await each.rollout('r1').catch(() => undefined))?.wave !== lastWave; looks += 1)
    await each.pass(10_000)
  await each.pass(5 * minuteMs)
  t.is(withImage(each, newImage), 6)
  await each.act('r1', 'rollback')
  await each.pass(10 * minuteMs)
  t.is(withImage(each, oldImage), 6)
  t.like(await each.stores.classes.read('standard'), { stable: oldImage, spec: { image: newImage } })
})

test('a newer image takes the place of one that rolls, whose members go back first', async (t) => {
  const each = await scene()
  const third = imageWith('c')
  await each.want(newImage, 'r1')
  await each.pass(minuteMs)
  await each.want(third, 'r2')
  await each.pass(minuteMs)
  t.like(await each.rollout('r1'), { state: 'superseded', message: `The class standard wants ${third} now.` })
  t.is(withImage(each, newImage), 0)
  t.like(await each.rollout('r2'), { from: oldImage, to: third, state: 'rolling' })
  await each.pass(120 * minuteMs)
  t.is(withImage(each, third), 6)
  t.deepEqual((await each.stores.rollouts.newest(9)).map(({ state }) => state).sort(), ['done', 'superseded'])
})

test('an image that Fly refuses to run is rolled back, although nobody ever ran it', async (t) => {
  const each = await scene()
  each.model.refused.add(newImage)
  await each.want(newImage, 'r1')
  await each.pass(20 * minuteMs)
  const rollout = await each.rollout('r1')
  t.like(rollout, { state: 'rolled-back', reason: 'ReadyGateFailed', wave: 1 })
  t.regex(rollout.message, /1 of 1 updated members.*For example t0: .*manifest unknown/)
  t.is(withImage(each, oldImage), 6)
  const entry = each.process.book.entry('standard')
  t.true(entry !== undefined && each.tenants.every((tenant) => imageOf(entry, tenant) === oldImage))
})

test('a person’s word in the middle of a look is not overwritten', async (t) => {
  const each = await scene()
  await each.want(newImage, 'r1')
  await each.pass(minuteMs)
  const { rollouts } = each.stores
  const save = rollouts.save.bind(rollouts)
  let raced: Rollout | undefined
  rollouts.save = async (next) => {
    if (raced === undefined && next.history.at(-1)?.what === 'advanced') {
      raced = acted(await each.rollout('r1'), 'rollback', each.model.clock.now())
      if (raced !== undefined) await save(raced)
    }
    return save(next)
  }
  await each.pass(30 * minuteMs)
  t.like(await each.rollout('r1'), { state: 'rolled-back', reason: 'RolledBack', wave: 1 })
  t.is(withImage(each, oldImage), 6)
})
