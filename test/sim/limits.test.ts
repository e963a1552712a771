// Rate limits, on a clock that the test moves.
import test from 'ava'
import { Limits } from '../../src/sim/limits.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { slowWorld, world } from './fixture.ts'

const granted = (limits: Limits, count: number, action: string, identifier: string): number =>
  Array.from({ length: count }, () => limits.take(action, identifier)).filter(Boolean).length

test('one a second with a burst of three, for each action and identifier by itself', async (t) => {
  const clock = new VirtualClock()
  const limits = new Limits(clock, 1)
  t.is(granted(limits, 10, 'machineStart', 'a'), 3)
  t.is(granted(limits, 10, 'machineStart', 'b'), 3)
  t.is(granted(limits, 10, 'machineStop', 'a'), 3)
  await clock.advance(999)
  t.is(granted(limits, 10, 'machineStart', 'a'), 0)
  await clock.advance(1)
  t.is(granted(limits, 10, 'machineStart', 'a'), 1)
  await clock.advance(60_000)
  t.is(granted(limits, 10, 'machineStart', 'a'), 3)
})

test('five a second with a burst of ten for Get Machine', async (t) => {
  const clock = new VirtualClock()
  const limits = new Limits(clock, 1)
  t.is(granted(limits, 20, 'machineGet', 'a'), 10)
  await clock.advance(1_000)
  t.is(granted(limits, 20, 'machineGet', 'a'), 5)
})

test('the limits scale with the latencies, and scale 0 has none', async (t) => {
  const clock = new VirtualClock()
  const fast = new Limits(clock, 0.1)
  t.is(granted(fast, 20, 'machineStart', 'a'), 3)
  await clock.advance(100)
  t.is(granted(fast, 20, 'machineStart', 'a'), 1)
  t.is(granted(new Limits(clock, 0), 1_000, 'machineStart', 'a'), 1_000)
})

test('a call too many is 429 and still counted', async (t) => {
  const { api, settle } = await slowWorld(t)
  const replies = await settle(Promise.all(Array.from({ length: 5 }, () => api('GET', '/apps/app/machines'))))
  const statuses = replies.map(({ status }) => status).sort()
  t.deepEqual(statuses, [200, 200, 200, 429, 429])
  t.deepEqual(replies.find(({ status }) => status === 429)?.body, { error: 'rate limit exceeded' })
  t.is((await api('GET', '/_sim/state')).body.calls.machineList, 5)
})

test('without waits a hundred calls at once are answered', async (t) => {
  const { api } = await world(t)
  const replies = await Promise.all(Array.from({ length: 100 }, () => api('GET', '/apps/app/machines')))
  t.true(replies.every(({ status }) => status === 200))
})
