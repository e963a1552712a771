// When tenants were last used, over the real store: uses only rise, a sleep and a use cannot miss each other, wakes are told.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { activityIn, type Activity } from '../../src/store/activity.ts'
import { openStore } from '../../src/store/open.ts'
import { until } from '../helpers/processes.ts'

async function activity(t: ExecutionContext): Promise<Activity> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-activity-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return activityIn(store.db)
}

test('uses only rise, for many tenants at once', async (t) => {
  const store = await activity(t)
  t.is(await store.lastUsedAt('a'), undefined)
  await store.used(
    new Map([
      ['a', 5],
      ['b', 7],
    ]),
  )
  await store.used(new Map([['a', 3]]))
  t.is(await store.lastUsedAt('a'), 5)
  t.is(await store.lastUsedAt('b'), 7)
})

test('a sleep is refused when somebody used the tenant since it was looked at', async (t) => {
  const store = await activity(t)
  t.true(await store.sleep('never-used', 0, 100))
  await store.used(new Map([['a', 5]]))
  t.true(await store.sleep('a', 5, 100))
  await store.used(new Map([['a', 6]]))
  t.false(await store.sleep('a', 5, 100))
  await store.wake('a', 8)
  t.is(await store.lastUsedAt('a'), 8)
  t.false(await store.sleep('a', 6, 100))
})

test('a watch hears each wish to be woken, and no mere use', async (t) => {
  const store = await activity(t)
  const woken: string[] = []
  const watch = await store.watch((uid) => woken.push(uid))
  t.teardown(() => watch.close())
  await store.used(new Map([['a', 5]]))
  await store.wake('a', 6)
  await store.used(new Map([['a', 7]]))
  await store.wake('b', 8)
  await store.wake('a', 9)
  await until('all wakes are told', 10_000, () => Promise.resolve(woken.length >= 3 ? woken : undefined))
  t.deepEqual(woken, ['a', 'b', 'a'])
})
