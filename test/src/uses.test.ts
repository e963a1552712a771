// Who is used, over the real store: written together and seldom, wakes at once, and kept while the store is away.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Instant } from '../../specs/clock.ts'
import { activityIn } from '../../src/store/activity.ts'
import { openStore } from '../../src/store/open.ts'
import { Uses } from '../../src/uses.ts'
import { until } from '../helpers/processes.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

async function scene(t: ExecutionContext, most?: number) {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-uses-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const activity = activityIn(store.db)
  const clock = new VirtualClock()
  const said: string[] = []
  const state = { writes: 0, wakes: 0, away: false }
  /** The real store, which can be away. */
  const reach = <T>(write: () => Promise<T>) => (state.away ? Promise.reject(new Error('the store is away')) : write())
  const counting = {
    used: (uses: ReadonlyMap<string, Instant>) => {
      state.writes += 1
      return reach(() => activity.used(uses))
    },
    wake: (uid: string, at: Instant) => {
      state.wakes += 1
      return reach(() => activity.wake(uid, at))
    },
  }
  const log = { warn: (_fields: object, message: string) => void said.push(message) }
  const uses = new Uses({ clock, log, ...(most === undefined ? {} : { most }) })
  const at = (uid: string, wanted: Instant | undefined) =>
    until(`${uid} was used at ${wanted ?? 'no time'}`, 10_000, async () =>
      (await activity.lastUsedAt(uid)) === wanted ? true : undefined,
    )
  return { activity, clock, said, state, counting, uses, at }
}

test('many uses are one write every fifteen seconds, with the last time of each tenant', async (t) => {
  const { activity, clock, state, counting, uses, at } = await scene(t)
  uses.attach(counting)
  const start = clock.now()
  for (let turn = 0; turn < 10; turn += 1) {
    for (const uid of ['a', 'b']) for (let count = 0; count < 100; count += 1) uses.used(uid)
    await clock.advance(1_000)
  }
  t.is(state.writes, 0)
  t.true(uses.unwritten('a'))
  await clock.advance(5_000)
  t.is(state.writes, 1)
  await at('a', start + 9_000)
  t.is(await activity.lastUsedAt('b'), start + 9_000)
  await until('it knows that it is written', 5_000, () => Promise.resolve(uses.unwritten('a') ? undefined : true))
  await clock.advance(60_000)
  t.is(state.writes, 1, 'nothing is written while nobody uses anything')
  t.is(clock.pending, 0)
})

test('a wake is written at once, and once for all who ask meanwhile', async (t) => {
  const { activity, clock, state, counting, uses, at } = await scene(t)
  const heard: string[] = []
  const watch = await activity.watch((uid) => heard.push(uid))
  t.teardown(() => watch.close())
  uses.attach(counting)
  for (let count = 0; count < 50; count += 1) uses.wake('a')
  uses.wake('b')
  await at('a', clock.now())
  await at('b', clock.now())
  await until('both are told', 10_000, () => Promise.resolve(heard.length === 2 ? true : undefined))
  t.is(state.wakes, 2)
})

test('while the store is away all is kept, told of once, and written when it is back', async (t) => {
  const { clock, said, state, counting, uses, at } = await scene(t)
  uses.attach(counting)
  state.away = true
  const start = clock.now()
  uses.used('a')
  uses.wake('b')
  await clock.advance(15_000)
  uses.used('c')
  await clock.advance(30_000)
  t.true(uses.unwritten('a'))
  t.true(state.writes >= 2 && state.wakes >= 2)
  t.deepEqual(said, ['who is used cannot be written; it is kept for now'])
  state.away = false
  await clock.advance(15_000)
  await at('a', start)
  await at('b', start)
  await at('c', start + 15_000)
})

test('it says whether a wake reaches anybody', async (t) => {
  const { clock, state, counting, uses, at } = await scene(t)
  t.false(uses.canWake(), 'there is no store yet')
  uses.attach(counting)
  t.true(uses.canWake())
  state.away = true
  uses.wake('a')
  await until('the failure is known', 5_000, () => Promise.resolve(uses.canWake() ? undefined : true))
  state.away = false
  uses.wake('b')
  await at('b', clock.now())
  await until('so is the success', 5_000, () => Promise.resolve(uses.canWake() ? true : undefined))
  await uses.detach()
  t.false(uses.canWake())
})

test('before there is a store uses wait for it; memory is bounded, and what is lost is told', async (t) => {
  const { activity, clock, said, counting, uses, at } = await scene(t, 2)
  const start = clock.now()
  for (const uid of ['a', 'b', 'c', 'd']) uses.used(uid)
  uses.wake('e')
  await clock.advance(1_000)
  uses.used('b')
  uses.attach(counting)
  await at('a', start)
  await at('b', start + 1_000)
  await at('e', start)
  t.is(await activity.lastUsedAt('c'), undefined)
  await until('it is told', 5_000, () => Promise.resolve(said.length === 1 ? true : undefined))
  t.deepEqual(said, ['some uses were lost'])
})

test('closing writes what is left, and takes no more', async (t) => {
  const { activity, clock, state, counting, uses } = await scene(t)
  uses.attach(counting)
  uses.used('a')
  uses.wake('b')
  await uses.close()
  t.is(await activity.lastUsedAt('a'), clock.now())
  t.is(await activity.lastUsedAt('b'), clock.now())
  uses.used('c')
  uses.wake('c')
  await uses.close()
  t.is(await activity.lastUsedAt('c'), undefined)
  t.is(state.wakes, 1)
  t.is(clock.pending, 0)
})

test('a store that goes gets what is left first; the next one gets the rest', async (t) => {
  const { activity, clock, counting, uses, at } = await scene(t)
  uses.attach(counting)
  uses.used('a')
  await uses.detach()
  t.is(await activity.lastUsedAt('a'), clock.now())
  uses.used('b')
  uses.wake('c')
  await clock.advance(60_000)
  t.is(await activity.lastUsedAt('b'), undefined)
  const start = clock.now() - 60_000
  uses.attach(counting)
  await at('b', start)
  await at('c', start)
})
