// The queue on a virtual clock: once per key, one worker per key, delays, priorities, and nobody starves.
import test from 'ava'
import type { QueueMeter } from '../../reconciler/meter.ts'
import { Queue } from '../../reconciler/queue.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

interface Work {
  readonly queue: Queue
  readonly clock: VirtualClock
  readonly started: string[]
  /** Lets the oldest unfinished work on this key end. */
  readonly finish: (key: string) => Promise<void>
}

function queueWith(workers: number, meter?: QueueMeter): Work {
  const clock = new VirtualClock()
  const started: string[] = []
  const open = new Map<string, () => void>()
  const work = (key: string) =>
    new Promise<void>((resolve) => {
      started.push(key)
      open.set(key, resolve)
    })
  return {
    queue: new Queue({ clock, workers, work, ...(meter === undefined ? {} : { meter }) }),
    clock,
    started,
    finish: async (key) => {
      open.get(key)?.()
      await clock.advance(0)
    },
  }
}

test('a key that is added often is worked on once, and again if it was added meanwhile', async (t) => {
  const { queue, clock, started, finish } = queueWith(2)
  for (let count = 0; count < 5; count += 1) queue.add('a')
  await clock.advance(0)
  t.deepEqual(started, ['a'])
  queue.add('a')
  queue.add('a')
  await clock.advance(1_000)
  t.deepEqual(started, ['a'], 'never twice at once')
  await finish('a')
  t.deepEqual(started, ['a', 'a'])
  await finish('a')
  t.is(queue.depth, 0)
})

test('no more keys at once than workers, and the most urgent first', async (t) => {
  const { queue, clock, started, finish } = queueWith(1)
  queue.add('first')
  await clock.advance(0)
  queue.add('low', -100)
  queue.add('high', 50)
  queue.add('middle', 10)
  await clock.advance(0)
  t.deepEqual(started, ['first'])
  for (const key of ['first', 'high', 'middle', 'low']) await finish(key)
  t.deepEqual(started, ['first', 'high', 'middle', 'low'])
})

test('of two delays the sooner counts, and of two priorities the higher', async (t) => {
  const { queue, clock, started } = queueWith(2)
  queue.add('a', 0, 10_000)
  queue.add('a', 0, 2_000)
  queue.add('a', 0, 60_000)
  await clock.advance(1_999)
  t.deepEqual(started, [])
  await clock.advance(1)
  t.deepEqual(started, ['a'])
})

test('waiting makes a key more urgent, so that a busy queue serves it in the end', async (t) => {
  const { queue, clock, started, finish } = queueWith(1)
  queue.add('busy', 50)
  await clock.advance(0)
  queue.add('patient', -100)
  let passes = 0
  while (!started.includes('patient') && passes < 200) {
    queue.add('busy', 50)
    await clock.advance(500)
    await finish(started.at(-1) ?? '')
    passes += 1
  }
  t.true(started.includes('patient'), `after ${passes} passes`)
  t.true(passes > 5, 'urgent work does go first')
})

test('close waits for what is under way and takes nothing more', async (t) => {
  const { queue, clock, started, finish } = queueWith(1)
  queue.add('a')
  queue.add('b')
  await clock.advance(0)
  let closed = false
  const closing = queue.close().then(() => (closed = true))
  queue.add('c')
  await clock.advance(10)
  t.false(closed)
  await finish('a')
  await closing
  t.deepEqual(started, ['a'])
})

test('it tells how much there is to do, and a meter of each key’s way', async (t) => {
  const heard: string[] = []
  const meter = {
    added: () => void heard.push('added'),
    taken: (ms: number) => void heard.push(`taken after ${ms}`),
    worked: (ms: number) => void heard.push(`worked for ${ms}`),
  }
  const { queue, clock, finish } = queueWith(1, meter)
  queue.add('a')
  queue.add('b')
  queue.add('b', 10)
  queue.add('later', 0, 60_000)
  await clock.advance(1_000)
  t.deepEqual(queue.state(), { depth: 1, active: 1, unfinishedMs: 1_000, longestMs: 1_000 })
  await finish('b')
  await clock.advance(500)
  await finish('a')
  t.deepEqual(
    queue.state(),
    { depth: 0, active: 0, unfinishedMs: 0, longestMs: 0 },
    'what is due later is not to do yet',
  )
  t.deepEqual(heard, [
    'added',
    'added',
    'added',
    'taken after 0',
    'worked for 1000',
    'taken after 1000',
    'worked for 500',
  ])
})
