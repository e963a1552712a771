// A reset ends a socket for certain, whatever that socket is doing, and the peer hears of it wherever it still can.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import net from 'node:net'
import { reset } from '../../proxy/reset.ts'
import { eventually, listening } from '../helpers/upstream.ts'

/** A socket, the other end of its connection, and what that end has heard. */
async function pair(t: ExecutionContext) {
  const taken = Promise.withResolvers<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, taken.resolve)
  t.teardown(() => server.close())
  const socket = net.connect({ port: await listening(server), host: '127.0.0.1', allowHalfOpen: true })
  await once(socket, 'connect')
  const peer = await taken.promise
  const heard = { end: false, error: undefined as string | undefined }
  peer.on('end', () => (heard.end = true)).on('error', (error: NodeJS.ErrnoException) => (heard.error = error.code))
  const errors: Error[] = []
  socket.on('error', (error) => errors.push(error))
  return { socket, peer: peer.resume(), heard, errors }
}

for (const [what, prepare, reaches] of [
  ['is open', () => undefined, true],
  ['has bytes that nobody reads', (socket, peer) => void (peer.pause(), socket.write(Buffer.alloc(20_000_000))), false],
  ['has ended with bytes pending', (socket) => void socket.end(Buffer.alloc(20_000_000)), true],
  ['is sending its FIN', (socket) => void socket.end(), false],
  ['has sent its FIN', (socket) => once(socket.end(), 'finish'), false],
  ['is closed', (socket) => once(socket.destroy(), 'close'), false],
] as readonly (readonly [string, (socket: net.Socket, peer: net.Socket) => unknown, boolean])[])
  test(`a socket that ${what} is closed for certain`, async (t) => {
    const { socket, peer, heard, errors } = await pair(t)
    await prepare(socket, peer)
    const closed = socket.closed ? Promise.resolve() : once(socket, 'close')
    reset(socket)
    await closed
    t.deepEqual(errors, [])
    if (reaches) await eventually(t, () => heard.error === 'ECONNRESET', 'the peer hears a reset')
    peer.destroy()
  })

test('a socket that still connects is closed at once', async (t) => {
  const socket = net.connect({ port: 9, host: '192.0.2.1' })
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  reset(socket)
  await closed
  t.true(socket.destroyed)
})
