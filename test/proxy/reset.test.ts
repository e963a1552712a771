// A reset ends a socket for certain, whatever that socket is doing, and passes through the proxy as a reset in both directions.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { abandon } from '../../proxy/carry.ts'
import { reset } from '../../proxy/reset.ts'
import { listening } from '../helpers/bridge.ts'
import { eventually, startStage, startTenant, text } from '../helpers/upstream.ts'

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

test('giving up on a request that is over does not disturb the next one on its connection', async (t) => {
  const server = http.createServer((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end('slow'), 50)
    else response.end('quick')
  })
  const port = await listening(server)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => (agent.destroy(), server.close()))
  const send = (path: string) => http.request({ host: '127.0.0.1', port, path, agent }).end()
  const answerOf = async (request: http.ClientRequest) => {
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
    return text(answer)
  }
  const first = send('/')
  t.is(await answerOf(first), 'quick')
  const second = send('/slow')
  const answered = answerOf(second)
  await once(second, 'socket')
  t.is(second.socket, first.socket)
  abandon(first)
  t.is(await answered, 'slow')
})

/** A tenant whose gateway is a bare socket, and what that socket has heard. */
async function bare(t: ExecutionContext, begin: (socket: net.Socket) => void) {
  const heard: (string | undefined)[] = []
  const sockets: net.Socket[] = []
  const listen = (socket: net.Socket) => {
    sockets.push(socket)
    socket.on('end', () => heard.push('end')).on('error', ({ code }: NodeJS.ErrnoException) => heard.push(code))
    socket.once('data', () => begin(socket))
  }
  const acme = await startTenant(t, 'acme', listen, { raw: true })
  const stage = await startStage(t, [acme.route()])
  const visit = async (head: string, version = '1.1') => {
    const client = net.connect({ host: '127.0.0.1', port: stage.proxy.port })
    client.write(`GET / HTTP/${version}\r\nHost: ${acme.host}\r\n${head}\r\n`)
    const ends: (string | undefined)[] = []
    client.on('end', () => ends.push('end')).on('error', ({ code }: NodeJS.ErrnoException) => ends.push(code))
    // Another word may come first: that the client may go on.
    let text = ''
    client.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await eventually(t, () => /HTTP\/1\.1 (200|101)/.test(text), 'the answer has begun')
    return { client, ends, gateway: sockets.at(-1) ?? new net.Socket() }
  }
  return { heard, visit, proxy: stage.proxy }
}

const part = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'
const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

for (const [what, head, begins] of [
  ['request', '', part],
  ['request in the other lane', 'Expect: 100-continue\r\n', part],
  ['WebSocket', upgrade, switched],
] as const) {
  test(`a client that resets a ${what} resets the gateway’s connection`, async (t) => {
    const { visit, heard, proxy } = await bare(t, (socket) => socket.write(begins))
    const { client } = await visit(head)
    client.resetAndDestroy()
    await eventually(t, () => heard.includes('ECONNRESET'), 'the gateway hears a reset')
    t.false(heard.includes('end'))
    await eventually(t, () => proxy.stats().upstreamConnections === 0, 'nothing is left')
  })

  test(`a gateway that resets a ${what} resets the client’s connection`, async (t) => {
    const { visit } = await bare(t, (socket) => socket.write(begins))
    const { gateway, ends } = await visit(head)
    gateway.resetAndDestroy()
    await eventually(t, () => ends.length > 0, 'the client hears of it')
    t.deepEqual(ends, ['ECONNRESET'])
  })

  test(`a gateway that ends a ${what} in order ends the client’s connection in order`, async (t) => {
    const { visit } = await bare(t, (socket) => socket.write(begins))
    const { gateway, ends } = await visit(head)
    gateway.end()
    await eventually(t, () => ends.length > 0, 'the client hears of it')
    t.deepEqual(ends, ['end'])
  })
}

test('a client that leaves in the middle of an answer resets the gateway’s connection, too', async (t) => {
  const { visit, heard } = await bare(t, (socket) => socket.write(part))
  const { client } = await visit('')
  client.destroy()
  await eventually(t, () => heard.length > 0, 'the gateway hears of it')
  t.deepEqual(heard, ['ECONNRESET'])
})
