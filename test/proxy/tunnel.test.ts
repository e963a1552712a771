// Two tied sockets, on real connections and a clock moved by hand: how one side's end becomes the other's.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import net from 'node:net'
import { endWhenStalled } from '../../proxy/stall.ts'
import { tie } from '../../proxy/tunnel.ts'
import { eventually, listening } from '../helpers/upstream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

/** Both ends of a connection; the far one is the peer's. */
async function connection(t: ExecutionContext) {
  const server = net.createServer({ allowHalfOpen: true })
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const near = net.connect({ host: '127.0.0.1', port: await listening(server), allowHalfOpen: true })
  const [far] = await accepted
  far.on('error', () => far.destroy())
  t.teardown(() => {
    server.close()
    near.destroy()
    far.destroy()
  })
  return { near, far }
}

async function tied(t: ExecutionContext) {
  const clock = new VirtualClock()
  const [client, upstream] = [await connection(t), await connection(t)]
  tie(client.near, upstream.near, clock)
  client.near.pipe(upstream.near).pipe(client.near)
  return { clock, client, upstream }
}

test('one side’s close is the other’s, at once, with what was still to be said', async (t) => {
  const { clock, client, upstream } = await tied(t)
  const heard: string[] = []
  client.far.on('data', (chunk: Buffer) => heard.push(chunk.toString()))
  const ended = once(client.far, 'end')
  upstream.near.unshift(Buffer.from('last words'))
  await eventually(t, () => heard.length > 0, 'the words are through')
  upstream.near.destroy()
  await ended
  client.far.end()
  await eventually(t, () => client.near.destroyed, 'the other side is closed')
  t.deepEqual(heard, ['last words'])
  t.is(clock.pending, 0, 'no timer is left')
})

test('an end passes through; a peer that does not end in turn is cut off', async (t) => {
  const { clock, client, upstream } = await tied(t)
  const ended = once(client.far, 'end')
  client.far.resume()
  upstream.far.end()
  await ended
  await eventually(t, () => clock.pending === 1, 'the time runs')
  t.false(client.near.destroyed)
  await clock.advance(2_000)
  t.true(client.near.destroyed && upstream.near.destroyed)
})

test('a peer that does not read what is left for it is cut off', async (t) => {
  const { clock, client, upstream } = await tied(t)
  client.far.pause()
  client.near.write(Buffer.alloc(20_000_000))
  upstream.far.resetAndDestroy()
  await eventually(t, () => upstream.near.destroyed, 'one side is closed')
  t.false(client.near.destroyed, 'what is left may still be read')
  await clock.advance(2_000)
  t.true(client.near.destroyed)
})

test('a reset of one side ends the other and throws nothing', async (t) => {
  const { client, upstream } = await tied(t)
  client.far.resetAndDestroy()
  await eventually(t, () => client.near.destroyed && upstream.near.destroyed, 'both are closed')
})

test('a socket that is already closed takes the other with it', async (t) => {
  const [client, upstream] = [await connection(t), await connection(t)]
  client.near.destroy()
  tie(client.near, upstream.near, new VirtualClock())
  await eventually(t, () => upstream.near.destroyed, 'the other side is closed')
})

test('a socket stalls only while something waits and nothing moves', async (t) => {
  const clock = new VirtualClock()
  const { near, far } = await connection(t)
  near.on('error', () => undefined)
  endWhenStalled(near, clock, 1_000)
  await clock.advance(10_000)
  t.false(near.destroyed, 'quiet is not stalled')
  far.pause()
  near.write(Buffer.alloc(20_000_000))
  await clock.advance(1_000)
  t.false(near.destroyed)
  await clock.advance(1_000)
  t.true(near.destroyed)
  await eventually(t, () => clock.pending === 0, 'no timer is left')
})
