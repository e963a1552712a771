// The recorder: nobody waits for it, it writes in batches, and trouble with the store costs bounded memory and one log line.
import test from 'ava'
import type { EventRecord, TenantEvent } from '../../src/events/event.ts'
import { Recorder } from '../../src/events/recorder.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

function underTest(most?: number) {
  const clock = new VirtualClock()
  const written: EventRecord[] = []
  const logged: { message: string; fields: object }[] = []
  const store = { batches: 0, broken: false }
  const write = async (batch: readonly EventRecord[]) => {
    store.batches += 1
    if (store.broken) throw new Error('the database is away')
    written.push(...batch)
  }
  const log = { warn: (fields: object, message: string) => void logged.push({ message, fields }) }
  const recorder = new Recorder({ clock, log, write, ...(most === undefined ? {} : { most }) })
  return { clock, written, logged, store, recorder }
}

const event = (part: Partial<TenantEvent> = {}): TenantEvent => {
  const what = { uid: 'u1', tenant: 'acme', kind: 'failed', reason: 'RegionFull', message: 'iad is full' } as const
  return { at: 0, ...what, ...part }
}

test('events are written together a second later, and what is the same is one record', async (t) => {
  const { clock, written, store, recorder } = underTest()
  for (let at = 0; at < 500; at += 1) recorder.note(event({ at }))
  recorder.note(event({ at: 7, kind: 'done', reason: 'Done', message: 'a' }))
  recorder.note(event({ at: 8, kind: 'done', reason: 'Done', message: 'a' }))
  await clock.advance(900)
  t.is(store.batches, 0)
  await clock.advance(200)
  t.is(store.batches, 1)
  t.like(written, [{ firstAt: 0, lastAt: 499, count: 500 }, { firstAt: 7 }, { firstAt: 8 }])
  await clock.advance(60_000)
  t.is(store.batches, 1)
  t.is(clock.pending, 0)
})

test('while the store is away events are kept, counted on, and told of once', async (t) => {
  const { clock, written, logged, store, recorder } = underTest()
  store.broken = true
  recorder.note(event({ at: 1 }))
  await clock.advance(5_000)
  recorder.note(event({ at: 2 }))
  await clock.advance(120_000)
  t.true(store.batches > 3)
  t.is(logged.length, 1)
  store.broken = false
  await clock.advance(20_000)
  t.like(written, [{ firstAt: 1, lastAt: 2, count: 2 }])
  store.broken = true
  recorder.note(event({ at: 3 }))
  await clock.advance(5_000)
  t.is(logged.length, 2)
})

test('memory is bounded: what is too much is dropped, and how much is told', async (t) => {
  const { clock, written, logged, store, recorder } = underTest(10)
  store.broken = true
  for (let index = 0; index < 30; index += 1) recorder.note(event({ message: `${index}` }))
  await clock.advance(2_000)
  for (let index = 30; index < 50; index += 1) recorder.note(event({ message: `${index}` }))
  store.broken = false
  await clock.advance(20_000)
  t.deepEqual(
    written.map(({ message }) => message),
    Array.from({ length: 10 }, (_, index) => `${index}`),
  )
  t.deepEqual(logged.at(-1), { message: 'events were lost', fields: { dropped: 40 } })
})

test('closing writes what is left and takes no more', async (t) => {
  const { clock, written, recorder } = underTest()
  recorder.note(event())
  await recorder.close()
  recorder.note(event({ message: 'late' }))
  await clock.advance(10_000)
  t.is(written.length, 1)
})
