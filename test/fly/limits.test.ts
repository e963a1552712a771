// The buckets on a clock that the test moves: turns, order, refusals, and what a 429 does.
import test from 'ava'
import fc from 'fast-check'
import { Fault } from '../../specs/faults.ts'
import { Limiter, type LimitSettings } from '../../src/fly/limits.ts'
import type { CallOptions } from '../../src/fly/requests.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

function bench(settings: LimitSettings = {}) {
  const clock = new VirtualClock()
  const start = clock.now()
  const limiter = new Limiter(clock, settings)
  const served: { readonly name: string; readonly at: number }[] = []
  const refused: { readonly name: string; readonly at: number; readonly error: unknown }[] = []
  const ask = (name: string, options?: CallOptions, action = 'machineStart', identifier = 'm1'): void => {
    limiter.take(action, identifier, options).then(
      () => served.push({ name, at: clock.now() - start }),
      (error: unknown) => refused.push({ name, at: clock.now() - start, error }),
    )
  }
  return { clock, limiter, served, refused, ask, names: () => served.map(({ name }) => name) }
}

test('a burst of three, then nine in ten seconds', async (t) => {
  const { clock, served, ask } = bench()
  for (let n = 0; n < 12; n++) ask(String(n))
  await clock.advance(0)
  t.is(served.length, 3)
  await clock.advance(10_000)
  t.is(served.length, 12)
  t.deepEqual(
    served.slice(2, 5).map(({ at }) => Math.round(at / 10)),
    [0, 111, 222],
  )
  t.is(clock.pending, 0, 'no timer is left when nobody waits')
})

test('Get Machine has its own rate: a burst of ten, then 4.5 a second', async (t) => {
  const { clock, served, ask } = bench()
  for (let n = 0; n < 19; n++) ask(String(n), {}, 'machineGet')
  await clock.advance(0)
  t.is(served.length, 10)
  await clock.advance(2_010)
  t.is(served.length, 19)
})

test('each action and each identifier has its own bucket', async (t) => {
  const { clock, served, ask } = bench()
  for (const action of ['machineStart', 'machineStop'])
    for (const id of ['m1', 'm2']) for (let n = 0; n < 4; n++) ask(`${action} ${id}`, {}, action, id)
  await clock.advance(0)
  t.is(served.length, 12)
})

test('the rate is scaled', async (t) => {
  const { clock, served, ask } = bench({ rate: 10 })
  for (let n = 0; n < 12; n++) ask(String(n))
  await clock.advance(1_010)
  t.is(served.length, 12)
})

test('who waits is served by priority, then in order', async (t) => {
  const { clock, ask, names } = bench()
  for (const name of ['a', 'b', 'c']) ask(name)
  ask('late', { priority: -1 })
  ask('first')
  ask('second')
  ask('urgent', { priority: 100 })
  ask('urgent too', { priority: 100 })
  await clock.advance(10_000)
  t.deepEqual(names(), ['a', 'b', 'c', 'urgent', 'urgent too', 'first', 'second', 'late'])
})

test('a turn that would come too late is refused at once, with the time to come back', async (t) => {
  const { clock, refused, served, ask } = bench({ maxWaitMs: 5_000 })
  for (let n = 0; n < 9; n++) ask(String(n))
  await clock.advance(0)
  t.deepEqual(
    refused.map(({ name, at }) => [name, at]),
    [
      ['7', 0],
      ['8', 0],
    ],
  )
  const [{ error } = { error: undefined }] = refused
  if (!(error instanceof Fault)) return t.fail('not a fault')
  t.is(error.kind, 'throttled')
  t.is(error.ambiguous, false)
  t.is(error.details.retryAfterMs, 5_556)
  t.is(error.details.status, undefined)
  t.regex(error.message, /^machineStart was held back: .* comes in 6 s, and at most 5 s are waited$/)
  await clock.advance(5_000)
  t.is(served.length, 7)
})

test('who is pushed back past the limit by more urgent calls is refused when the time is up', async (t) => {
  const { clock, refused, names, ask } = bench({ maxWaitMs: 3_000 })
  for (const name of ['a', 'b', 'c', 'patient']) ask(name)
  for (let n = 0; n < 2; n++) ask(`urgent ${n}`, { priority: 1 })
  await clock.advance(2_900)
  t.deepEqual(names(), ['a', 'b', 'c', 'urgent 0', 'urgent 1'])
  await clock.advance(200)
  t.deepEqual(
    refused.map(({ name, at }) => [name, at]),
    [['patient', 3_000]],
  )
  t.is(clock.pending, 0)
})

test('who gives up leaves the queue, and the others move up', async (t) => {
  const { clock, names, refused, ask } = bench()
  const controller = new AbortController()
  for (const name of ['a', 'b', 'c']) ask(name)
  ask('gone', { signal: controller.signal })
  ask('next')
  const reason = new Error('the lease was lost')
  controller.abort(reason)
  await clock.advance(1_200)
  t.deepEqual(names(), ['a', 'b', 'c', 'next'])
  t.deepEqual(
    refused.map(({ error }) => error),
    [reason],
  )
  ask('too late', { signal: controller.signal })
  await clock.advance(0)
  t.is(refused[1]?.error, reason)
})

test('a 429 empties the bucket and halves its rate for a while', async (t) => {
  const { clock, limiter, served, ask } = bench({ maxWaitMs: 60_000 })
  limiter.penalise('machineStart', 'm1')
  limiter.penalise('machineStart', 'm1')
  for (let n = 0; n < 5; n++) ask(String(n))
  await clock.advance(10_000)
  t.is(served.length, 4, 'four at 0.45 a second: two 429s at once are one reason to slow down')
  ask('elsewhere', {}, 'machineStart', 'm2')
  await clock.advance(0)
  t.is(served.length, 5, 'another machine is not slowed down')
  await clock.advance(60_000)
  for (let n = 0; n < 12; n++) ask(`later ${n}`)
  await clock.advance(10_000)
  t.is(served.filter(({ name }) => name.startsWith('later')).length, 12, 'the full rate is back')
})

test('repeated 429s slow down to an eighth and no further', async (t) => {
  const { clock, limiter, served, ask } = bench({ maxWaitMs: 60_000 })
  for (let n = 0; n < 8; n++) {
    limiter.penalise('machineStart', 'm1')
    await clock.advance(1_000)
  }
  served.length = 0
  limiter.penalise('machineStart', 'm1')
  ask('next')
  await clock.advance(8_800)
  t.is(served.length, 0)
  await clock.advance(200)
  t.is(served.length, 1)
})

test('Retry-After holds everybody back for that long', async (t) => {
  const { clock, limiter, served, refused, ask } = bench()
  limiter.penalise('machineStart', 'm1', 10_000)
  ask('waits')
  await clock.advance(10_000)
  ask('urgent', { priority: 1 })
  await clock.advance(1_800)
  t.is(served.length, 0, 'the pause earns nothing')
  await clock.advance(500)
  t.is(served.length, 1)
  limiter.penalise('machineStart', 'm1', 60_000)
  ask('refused')
  await clock.advance(0)
  t.is(refused.length, 1)
})

test('buckets that are full again are forgotten; slowed ones are remembered', async (t) => {
  const { clock, limiter, ask } = bench()
  for (let n = 0; n < 500; n++) ask('x', {}, 'machineStart', `m${n}`)
  limiter.penalise('machineStart', 'slow')
  t.is(limiter.size, 501)
  await clock.advance(15_000)
  ask('y', {}, 'machineStop', 'm1')
  t.is(limiter.size, 2)
  await clock.advance(60_000)
  ask('z', {}, 'machineStop', 'm2')
  t.is(limiter.size, 1)
})

test('a rate of nothing is refused', (t) => {
  for (const rate of [0, -1, NaN, Infinity])
    t.throws(() => new Limiter(new VirtualClock(), { rate }), { instanceOf: TypeError })
})

test('no pattern of calls exceeds Fly: one a second with a burst of three', async (t) => {
  const gap = fc.integer({ min: 0, max: 4_000 })
  const call = fc.record({ gap, priority: fc.integer({ min: -1, max: 1 }), abort: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (calls) => {
      const { clock, served, refused, ask } = bench()
      for (const { gap: ms, priority, abort } of calls) {
        const controller = new AbortController()
        ask('x', { priority, signal: controller.signal })
        await clock.advance(ms)
        if (abort) controller.abort(new Error('gave up'))
      }
      await clock.advance(25_000)
      t.is(served.length + refused.length, calls.length, 'every call is answered exactly once')
      t.is(clock.pending, 0)
      let tokens = 3
      let before = 0
      for (const { at } of served) {
        tokens = Math.min(3, tokens + (at - before) / 1000) - 1
        before = at
        t.true(tokens >= -1e-9, 'Fly would have answered 429')
      }
    }),
    { numRuns: 60 },
  )
})
