// What is watched for many requests by one timer: exchanges in which nothing moves, and waits for an answer's head.
import test from 'ava'
import net from 'node:net'
import { Patience } from '../../proxy/patience.ts'
import { randomPool } from '../../proxy/random.ts'
import { Vigil } from '../../proxy/vigil.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

test('of many exchanges exactly those end that do not move or take too long, in whatever order the others leave', async (t) => {
  const clock = new VirtualClock()
  const vigil = new Vigil({ clock, idleMs: 60_000, looked: () => undefined })
  const ended: string[] = []
  const watch = (name: string, totalMs: number) => vigil.watch(new net.Socket(), totalMs, () => ended.push(name))
  const leave = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, watch(name, Infinity)]))
  const long = watch('long', 20_000)
  for (const name of ['a', 'f', 'c']) leave.get(name)?.()
  leave.get('a')?.()
  await clock.advance(30_000)
  t.deepEqual(ended, ['long'])
  long()
  await clock.advance(60_000)
  t.deepEqual(ended.toSorted(), ['b', 'd', 'e', 'long'])
  await clock.advance(600_000)
  t.is(ended.length, 4, 'nobody ends twice')
  vigil.close()
})

test('a wait ends at its own time, although the timer is that of an earlier one', async (t) => {
  const clock = new VirtualClock()
  const socket = new net.Socket()
  const patience = new Patience(clock, socket)
  const late: string[] = []
  patience.wait(1_000, () => late.push('settled'))
  await clock.advance(900)
  patience.settle()
  patience.wait(1_000, () => late.push('second'))
  await clock.advance(999)
  t.deepEqual(late, [])
  await clock.advance(1)
  t.deepEqual(late, ['second'])
  await clock.advance(5_000)
  patience.wait(1_000, () => late.push('third'))
  patience.wait(2_000, () => late.push('fourth'))
  await clock.advance(2_000)
  t.deepEqual(late, ['second', 'fourth'])
  patience.wait(1_000, () => late.push('of a connection that has ended'))
  socket.emit('close')
  await clock.advance(5_000)
  t.is(late.length, 2)
})

test('no random byte is given twice', (t) => {
  let drawn = 0
  const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(drawn++ / 16) % 256)
  const next = randomPool({ bytes })
  const ids = Array.from({ length: 600 }, () => next(16).toString('hex'))
  for (const [index, id] of ids.entries()) t.is(id, Buffer.alloc(16, index % 256).toString('hex'))
  t.is(drawn, 3 * 4_096)
})
