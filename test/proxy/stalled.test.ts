// Peers that stop reading are cut after 2 to 4 minutes, whichever end they are at; slow ones and quiet ones are not.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import net from 'node:net'
import type { Proxy } from '../../proxy/server.ts'
import { eventually, startStage, startTenant } from '../helpers/upstream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

const large = Buffer.alloc(40_000_000)
const minute = 60_000

/** A connection to the proxy that has sent this and reads nothing. */
function connect(t: ExecutionContext, port: number, text: string): { socket: net.Socket; closed: () => boolean } {
  const socket = net.connect({ host: '127.0.0.1', port }).pause()
  socket.write(text)
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  return { socket, closed: () => socket.closed }
}

/** Four minutes after everything stands still. On a loaded machine what seemed to stand still may move once more. */
async function untilCut(
  t: ExecutionContext,
  { proxy, clock, sent }: { proxy: Proxy; clock: VirtualClock; sent: () => number },
) {
  for (let round = 0; round < 5 && proxy.stats().stalled === 0; round += 1) {
    await still(sent)
    await clock.advance(4 * minute)
  }
  t.is(proxy.stats().stalled, 1)
}

/** Waits until a number has stood still for a while: until every buffer on the way is full. */
async function still(read: () => number): Promise<void> {
  for (let before = -1, same = 0; same < 10; before = read()) {
    same = read() === before ? same + 1 : 0
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a client that stops reading is cut, and so is its request to the tenant', async (t) => {
  const clock = new VirtualClock()
  let sent = 0
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    response.write(large)
    sent = 1
    setInterval(() => (sent = request.socket.bytesWritten), 10).unref()
  })
  const { proxy } = await startStage(t, [acme.route()], { clock })
  connect(t, proxy.port, `GET / HTTP/1.1\r\nHost: ${acme.host}\r\n\r\n`)
  await eventually(t, () => sent > 0, 'the answer has begun')
  await clock.advance(2 * minute)
  t.is(proxy.stats().stalled, 0, 'it has two minutes at least')
  await untilCut(t, { proxy, clock, sent: () => sent })
  await eventually(t, () => proxy.stats().inFlight + acme.sockets.size === 0, 'both ends are gone')
})

test('a client that reads slowly, and one that has nothing to read, are kept', async (t) => {
  const clock = new VirtualClock()
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    response.write(request.url === '/large' ? large : 'small')
  })
  const { proxy } = await startStage(t, [acme.route()], { clock })
  const slow = connect(t, proxy.port, `GET /large HTTP/1.1\r\nHost: ${acme.host}\r\n\r\n`)
  const quiet = connect(t, proxy.port, `GET / HTTP/1.1\r\nHost: ${acme.host}\r\n\r\n`)
  for (let round = 0; round < 4; round += 1) {
    // Enough for the kernel to tell the other end that there is room again.
    for (let read = 0; read < 6_000_000;) read += ((await once(slow.socket.resume(), 'data')) as [Buffer])[0].length
    slow.socket.pause()
    await clock.advance(2 * minute)
  }
  t.is(proxy.stats().stalled, 0)
  t.false(slow.closed() || quiet.closed())
})

test('a gateway that stops reading an upload is cut', async (t) => {
  const clock = new VirtualClock()
  const acme = await startTenant(t, 'acme', (request: IncomingMessage) => void request.pause())
  const { proxy } = await startStage(t, [acme.route()], { clock, headTimeoutMs: 86_400_000 })
  const { socket } = connect(
    t,
    proxy.port,
    `POST / HTTP/1.1\r\nHost: ${acme.host}\r\nContent-Length: ${large.length}\r\n\r\n`,
  )
  socket.write(large)
  await eventually(t, () => acme.sockets.size === 1, 'the request has arrived')
  await untilCut(t, { proxy, clock, sent: () => socket.bytesWritten - socket.writableLength })
  await eventually(t, () => proxy.stats().upstreamConnections === 0, 'the connection is gone')
})
