// Routes on disk: the proxy begins with them while the store is away, and believes the store as soon as it is back.
import test from 'ava'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RouteSink } from '../../proxy/ports.ts'
import type { Route } from '../../specs/route.ts'
import { keptRoutes, routesInFile } from '../../src/kept-routes.ts'
import { formerRun, forward, named, stage, store } from '../helpers/kept-routes.ts'

test('what the store says is kept in a private file, a moment after it changed', async (t) => {
  const { path, folder, clock, follow, options } = stage(t)
  const { connect, state } = store(named('a'))
  const { following } = follow(keptRoutes({ ...options, connect }))
  const followed = await following
  await clock.advance(1_000)
  await followed.close()
  t.is(statSync(path).mode & 0o777, 0o600)
  t.deepEqual(readdirSync(folder), ['routes.json'], 'no draft is left')
  const kept = JSON.parse(readFileSync(path, 'utf8')) as { version: number; routes: { name: string; route: Route }[] }
  t.is(kept.version, 1)
  t.deepEqual(kept.routes.map(({ name, route }) => [name, route]), [['a', forward]]) // prettier-ignore
  t.is(state.open, 0, 'the store is closed')
})

test('while the store is away the kept routes are served after two seconds, and it catches up', async (t) => {
  const { clock, follow, options, said, path } = await formerRun(t, named('a', { revision: 7 }), named('b'), named('c'))
  const { connect, state } = store()
  state.away = true
  const { where, table, following } = follow(keptRoutes({ ...options, connect }))
  await clock.until(following, 500, 2_500)
  t.deepEqual([where('a'), where('b'), where('c')], [forward, forward, forward])
  t.true(said.some((sentence) => /the kept routes are served/.test(sentence)))
  const before = table.lookup('c.localhost')?.target
  await clock.advance(60_000)
  t.true(state.attempts > 3 && state.attempts < 15, `${state.attempts} attempts in a minute`)

  // b was suspended and a deleted meanwhile; c is as it was.
  state.tenants = [named('b', { revision: 9, route: { kind: 'closed', reason: 'suspended' } }), named('c')]
  state.away = false
  await clock.advance(15_000)
  t.deepEqual(where('b'), { kind: 'closed', reason: 'suspended' })
  t.is(where('a'), undefined)
  t.is(table.lookup('c.localhost')?.target, before, 'its connections go on')
  state.sinks.at(-1)?.changed(named('c', { revision: 2, route: { ...forward, incarnation: 2 } as Route }))
  t.like(where('c'), { incarnation: 2 })
  await (await following).close()
  const kept = JSON.parse(readFileSync(path, 'utf8')) as { routes: { name: string; revision: number }[] }
  t.deepEqual(kept.routes.map(({ name, revision }) => `${name}${revision}`).sort(), ['b9', 'c2'])
})

test('a store that was put back to an earlier day is believed', async (t) => {
  const { clock, follow, options } = await formerRun(t, named('a', { revision: 50 }))
  const { connect, state } = store(named('a', { revision: 3, route: { kind: 'closed', reason: 'billing' } }))
  state.away = true
  const { where, following } = follow(keptRoutes({ ...options, connect }))
  await clock.until(following)
  t.deepEqual(where('a'), forward)
  state.away = false
  await clock.advance(30_000)
  t.deepEqual(where('a'), { kind: 'closed', reason: 'billing' })
  await (await following).close()
})

test('with no file it waits for the store, as long as that takes', async (t) => {
  const { clock, follow, options } = stage(t)
  const { connect, state } = store(named('a'))
  state.away = true
  const { where, following } = follow(keptRoutes({ ...options, connect }))
  let started = false
  void following.then(() => (started = true))
  await clock.advance(120_000)
  t.false(started)
  state.away = false
  await (await clock.until(following)).close()
  t.deepEqual(where('a'), forward)
})

for (const [what, text] of [
  ['is cut off', '{"version":1,"routes":['],
  ['is of another version', '{"version":2,"routes":[]}'],
  ['names no IP address', JSON.stringify({ version: 1, routes: [{ uid: 'u', name: 'a', hosts: [], revision: 1, route: { ...forward, address: 'evil.example' } }] })], // prettier-ignore
] as const)
  test(`a file that ${what} is told of and not used`, async (t) => {
    const { path, follow, options, said } = stage(t)
    writeFileSync(path, text)
    const { connect } = store(named('a'))
    const { following, where } = follow(keptRoutes({ ...options, connect }))
    await (await following).close()
    t.deepEqual(said, ['the kept routes are not used'])
    t.deepEqual(where('a'), forward)
  })

test('a disk that takes nothing is told of, and the routes flow', async (t) => {
  const { folder, follow, options, said } = stage(t)
  const { connect } = store(named('a'))
  const { following, where } = follow(keptRoutes({ ...options, path: join(folder, 'gone', 'routes.json'), connect }))
  await (await following).close()
  t.deepEqual(where('a'), forward)
  t.deepEqual(said, ['the routes could not be kept on disk'])
})

test('the file alone: its changes are followed, and without one the start says what to do', async (t) => {
  const { path, clock, follow, options } = await formerRun(t, named('a'), named('b'))
  const { where, following } = follow(routesInFile(options))
  const followed = await following
  t.deepEqual(where('b'), forward)
  const next = { version: 1, routes: [{ uid: 'uid-a', name: 'a', hosts: ['a.localhost'], revision: 2, route: { kind: 'closed', reason: 'billing' } }] } // prettier-ignore
  await new Promise((resolve) => setTimeout(resolve, 20))
  writeFileSync(path, JSON.stringify(next))
  await clock.advance(1_000)
  t.deepEqual([where('a'), where('b')], [{ kind: 'closed', reason: 'billing' }, undefined])
  await followed.close()
  t.is(clock.pending, 0)
  const empty = stage(t)
  const nowhere: RouteSink = {
    reset: () => t.fail(),
    put: () => t.fail(),
    drop: () => t.fail(),
    revive: () => t.fail(),
    doubt: () => t.fail(),
  }
  await t.throwsAsync(routesInFile(empty.options).follow(nowhere), { message: /Set MONGODB_URI, or start/ })
})
