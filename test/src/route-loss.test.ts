// A store that suddenly lists far fewer tenants is not believed: it closes no road. Single changes always count.
import test, { type ExecutionContext } from 'ava'
import { writeFileSync } from 'node:fs'
import type { Route } from '../../specs/route.ts'
import { keptRoutes, routesInFile } from '../../src/kept-routes.ts'
import { judge } from '../../src/route-loss.ts'
import { formerRun, forward, named, stage, store } from '../helpers/kept-routes.ts'

const names = Array.from({ length: 40 }, (_, index) => `t${index}`)
const billing: Route = { kind: 'closed', reason: 'billing' }
const deleting: Route = { kind: 'closed', reason: 'deleting' }

/** A proxy that follows forty tenants, whose store the test can change behind its back. */
async function following(t: ExecutionContext, revision = 50) {
  const scene = stage(t)
  const { connect, state } = store(...names.map((name) => named(name, { revision })))
  const { table, where, following: source } = scene.follow(keptRoutes({ ...scene.options, connect }))
  const followed = await source
  t.teardown(() => followed.close())
  const open = () => names.filter((name) => where(name)?.kind === 'forward').length
  /** The store lists these now, and says that changes may have been missed. */
  const relist = async (...tenants: ReturnType<typeof named>[]) => {
    state.tenants = tenants
    state.sinks.at(-1)?.missed()
    await scene.clock.advance(0)
  }
  return { ...scene, state, table, where, open, relist }
}

const without = (count: number) => names.slice(count).map((name) => named(name, { revision: 50 }))

test('what a list may lack: three, and a tenth; a doubt ends by three good lists over two minutes', (t) => {
  const facts = { acknowledgedAt: undefined, now: 0 }
  const first = (gone: number, known: number) => judge(undefined, { ...facts, gone, known }) !== undefined
  t.deepEqual([first(0, 0), first(1, 2), first(3, 4), first(4, 4), first(4, 12), first(1, 1)], [false, false, false, true, true, true]) // prettier-ignore
  t.deepEqual([first(10, 100), first(11, 100)], [false, true])

  let doubt = judge(undefined, { ...facts, gone: 50, known: 100 })
  const next = (now: number, gone: number) => (doubt = judge(doubt, { ...facts, now, gone, known: 100 }))
  t.truthy(next(600_000, 50), 'that it is said again proves nothing')
  t.truthy(next(620_000, 5))
  t.truthy(next(700_000, 11), 'a bad one starts anew')
  t.truthy(next(720_000, 5))
  t.truthy(next(780_000, 5))
  t.truthy(next(839_999, 5))
  t.is(next(840_000, 5), undefined)
  t.is(judge({ since: 100, good: 0, goodSince: undefined }, { now: 200, gone: 50, known: 50, acknowledgedAt: 150 }), undefined) // prettier-ignore
  t.truthy(judge({ since: 100, good: 0, goodSince: undefined }, { now: 200, gone: 50, known: 50, acknowledgedAt: 99 }))
})

test('a database that comes back empty closes no road, for however long, and an alarm says so', async (t) => {
  const { clock, table, open, relist, said, where } = await following(t)
  await relist()
  t.is(open(), 40)
  t.is(table.doubted, 40)
  t.true(said.some((sentence) => /too many tenants are missing/.test(sentence)))
  await clock.advance(3_600_000)
  t.is(open(), 40)
  t.is(said.filter((sentence) => /too many/.test(sentence)).length, 1, 'it is told once')
  // What comes back counts, although its revision is lower than before the loss.
  await relist(named('t0', { revision: 1, route: billing }))
  t.deepEqual(where('t0'), billing)
  t.is(table.doubted, 39)
  await relist(...names.map((name) => named(name, { revision: 2 })))
  t.is(table.doubted, 0)
  t.deepEqual(where('t0'), forward)
  t.true(said.includes('the routes are as the store lists them again'))
})

test('few that are gone are dropped at once; deleted ones do not count', async (t) => {
  const { open, relist, table, state } = await following(t)
  await relist(...without(4))
  t.deepEqual([open(), table.doubted], [36, 0])
  for (const name of names.slice(4, 30)) state.sinks[0]?.changed(named(name, { revision: 51, route: deleting }))
  await relist(...without(30))
  t.deepEqual([open(), table.size, table.doubted], [10, 10, 0])
})

test('single changes count also in doubt: closed, deleted, written anew with a lower revision', async (t) => {
  const { clock, open, relist, table, where, state } = await following(t)
  await relist()
  const watch = state.sinks.at(-1)
  watch?.removed('uid-t1')
  t.is(where('t1'), undefined)
  watch?.changed(named('t2', { revision: 3, route: billing }))
  t.deepEqual(where('t2'), billing)
  watch?.changed(named('t2', { revision: 4 }))
  t.deepEqual(where('t2'), forward)
  state.tenants = [named('t2', { revision: 4 })]
  await clock.advance(20_000)
  t.deepEqual([open(), table.doubted], [39, 38])
})

test('an operator’s acknowledgement ends the doubt; an earlier one does not', async (t) => {
  const { clock, open, relist, table, state } = await following(t)
  state.acknowledgedAt = clock.now() - 1
  await relist()
  await clock.advance(60_000)
  t.is(open(), 40)
  state.acknowledgedAt = clock.now()
  await clock.advance(20_000)
  t.deepEqual([open(), table.size, table.doubted], [0, 0, 0])
})

test('a fleet that is rebuilt bit by bit loses nobody who comes last', async (t) => {
  const { clock, open, relist, table, state } = await following(t)
  await relist()
  state.tenants = without(3)
  await clock.advance(100_000)
  t.deepEqual([open(), table.doubted], [40, 3], 'three more may come')
  await clock.advance(60_000)
  t.deepEqual([open(), table.doubted], [37, 0])
})

test('a proxy that starts beside an empty database serves what it kept', async (t) => {
  const { follow, options, clock } = await formerRun(t, ...names.map((name) => named(name, { revision: 9 })))
  const { connect, state } = store()
  const { where, table, following: source } = follow(keptRoutes({ ...options, connect }))
  const followed = await clock.until(source)
  t.deepEqual([where('t0'), where('t39'), table.doubted], [forward, forward, 40])
  state.sinks[0]?.changed(named('t0', { revision: 1, route: billing }))
  t.deepEqual(where('t0'), billing)
  await followed.close()
})

test('a kept file that lacks much is believed after two minutes', async (t) => {
  const { path, clock, follow, options } = await formerRun(t, ...names.map((name) => named(name)))
  const { table, where, following: source } = follow(routesInFile(options))
  const followed = await source
  await new Promise((resolve) => setTimeout(resolve, 20))
  const kept = { uid: 'uid-t0', name: 't0', hosts: ['t0.localhost'], revision: 2, route: billing }
  writeFileSync(path, JSON.stringify({ version: 1, routes: [kept] }))
  await clock.advance(100_000)
  t.deepEqual([where('t0'), where('t1'), table.doubted], [billing, forward, 39])
  await clock.advance(25_000)
  t.deepEqual([where('t0'), where('t1'), table.doubted], [billing, undefined, 0])
  await followed.close()
})
