// A stream's end: in time for who reads, and also for who does not.
import test from 'ava'
import { eventText, keepAlive, Outlet } from '../../src/api/stream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

const mark = eventText({ type: 'BOOKMARK', data: {} }, 'epoch.0')

test('a stream ends after ten minutes, and says where one was', async (t) => {
  const clock = new VirtualClock()
  const outlet = new Outlet()
  keepAlive(outlet, clock, () => mark)
  const read = outlet.stream.toArray()
  await clock.advance(600_000)
  const text = Buffer.concat((await read) as Buffer[]).toString()
  t.true(text.startsWith(': watching') && text.endsWith(mark))
  await clock.advance(60_000)
})

test('who does not read is let go all the same', async (t) => {
  const clock = new VirtualClock()
  const outlet = new Outlet()
  outlet.begin(Array.from({ length: 100 }, () => () => 'x'.repeat(65_536)))
  keepAlive(outlet, clock, () => mark)
  await clock.advance(600_000)
  t.false(outlet.stream.destroyed)
  await clock.advance(15_000)
  t.true(outlet.stream.destroyed)
})
