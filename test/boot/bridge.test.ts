// The bridge under attack: it lets through who proves the key, tells nobody else anything, and outlives everything.
import test, { type ExecutionContext } from 'ava'
import { createHmac, randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import net from 'node:net'
import { type Bridge, type BridgeOptions, startBridge } from '../../boot/bridge.mjs'
import { freePort, listening, openBridge } from '../helpers/bridge.ts'

const key = new Uint8Array(randomBytes(32))
const uid = 'abcdefghijklmnop'

interface Words {
  readonly uid?: string
  readonly inc?: string
  readonly address?: string
  readonly ts?: number
  readonly nonce?: string
  readonly challenge?: string
  readonly key?: Uint8Array
}

/** A hello as the protocol has it; what is given replaces what is right, before the MAC is made. */
function hello(words: Words = {}): string {
  const { inc = '3', address = '127.0.0.1', ts = Date.now() + 5, nonce = randomBytes(16).toString('hex') } = words
  const challenge = words.challenge === undefined ? [] : [words.challenge]
  const said = [words.uid ?? uid, inc, address, String(ts), nonce, ...challenge]
  const mac = createHmac('sha256', words.key ?? key).update(['moorage/1 hello', ...said].join('\n'))
  return `MOORAGE/1 ${said.join(' ')} ${mac.digest('hex')}\n`
}

interface Machine {
  readonly bridge: Bridge
  readonly port: number
  /** Connections that the gateway saw. */
  readonly reached: () => number
}

/** A bridge before a gateway that greets and echoes. */
async function machine(t: ExecutionContext, more: Partial<BridgeOptions> = {}): Promise<Machine> {
  let reached = 0
  const gateway = net.createServer({ allowHalfOpen: true }, (socket) => {
    reached += 1
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  const targetPort = await listening(gateway)
  const { bridge, port } = await openBridge({ targetPort, uid, incarnation: 3, key, ...more })
  t.teardown(() => {
    gateway.close()
    return bridge.close()
  })
  return { bridge, port, reached: () => reached }
}

/** Connects, says something, and gives everything that comes back until the bridge ends the connection. */
async function says(port: number, text: string | Buffer): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString()))
  socket.write(text)
  await once(socket, 'close')
  return heard
}

/** Connects, says something, and gives the first line that comes back, with the socket. */
async function asks(port: number, text: string): Promise<{ socket: net.Socket; line: string }> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(text)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return { socket, line: chunk.toString() }
}

test('a right hello is answered with a proof that only the key makes', async (t) => {
  const { bridge, port } = await machine(t)
  const nonce = randomBytes(16).toString('hex')
  const { socket, line } = await asks(port, hello({ nonce }))
  const [ok, nonce2 = '', boot = '', mac] = line.trim().split(' ')
  t.is(ok, 'OK')
  t.is(boot, bridge.boot)
  const proof = createHmac('sha256', key).update(['moorage/1 proof', uid, '3', nonce, nonce2, boot].join('\n'))
  t.is(mac, proof.digest('hex'))
  socket.destroy()
})

for (const [what, line] of [
  ['another key', hello({ key: new Uint8Array(randomBytes(32)) })],
  ['another tenant', hello({ uid: 'zzzzzzzzzzzzzzzz' })],
  ['another incarnation', hello({ inc: '4' })],
  ['an incarnation written differently', hello({ inc: '03' })],
  ['another address: a hello that a neighbour passes on', hello({ address: '127.0.0.2' })],
  ['an address with a zone', hello({ address: 'fe80::1%lo' })],
  ['a challenge that was never given', hello({ challenge: '0'.repeat(32) })],
  ['a changed time', hello().replace(/ \d{13} /, ` ${Date.now() + 77} `)],
  ['a shorter MAC', hello().replace(/.{2}\n/, '\n')],
  ['an upper-case MAC', hello().replace(/\S+\n/, (mac) => mac.toUpperCase())],
  ['another version', hello().replace('MOORAGE/1', 'MOORAGE/2')],
  ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['an empty line', '\n'],
  ['bytes', Buffer.concat([randomBytes(64), Buffer.from('\n')])],
  ['a line that is too long', 'M'.repeat(600)],
  ['a right hello with bytes after it', `${hello()}GET / HTTP/1.1`],
  ['a right hello that is stretched beyond 512 bytes', `${' '.repeat(400)}${hello()}`],
] as const) {
  test(`${what} is closed without a word and never reaches the gateway`, async (t) => {
    const { port, reached } = await machine(t)
    t.is(await says(port, line), '')
    t.is(reached(), 0)
    const { socket, line: answer } = await asks(port, hello())
    t.regex(answer, /^OK /)
    socket.destroy()
  })
}

test('a hello counts once: a replay is closed without a word', async (t) => {
  const { port, reached } = await machine(t)
  const line = hello()
  const { socket } = await asks(port, line)
  socket.destroy()
  t.is(await says(port, line), '')
  t.is(reached(), 1)
})

test('a replay is refused also after the window, after a restart and when memory was full', async (t) => {
  const clock = { time: Date.now() }
  const { port, reached, bridge } = await machine(t, { now: () => clock.time, nonces: 2 })
  const recorded = [1, 2, 3, 4].map((later) => hello({ ts: clock.time + later }))
  for (const line of recorded) (await asks(port, line)).socket.destroy()
  for (const line of recorded) t.regex(await firstOrNothing(port, line), /^(RETRY |$)/)
  clock.time += 300_001
  for (const line of recorded) t.regex(await firstOrNothing(port, line), /^(RETRY |$)/)
  clock.time -= 300_001
  for (const line of recorded) t.regex(await firstOrNothing(port, line), /^(RETRY |$)/, 'also when the clock goes back')
  t.is(reached(), 4)
  await bridge.close()
  const restarted = await machine(t)
  t.regex(await firstOrNothing(restarted.port, hello({ ts: Date.now() - 1_000 })), /^RETRY /)
})

async function firstOrNothing(port: number, line: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(line)
  const first = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  socket.destroy()
  return Buffer.isBuffer(first[0]) ? first[0].toString() : ''
}

test('a stale clock is asked for a challenge, once', async (t) => {
  const { port, reached } = await machine(t)
  const stale = Date.now() - 301_000
  const { socket, line } = await asks(port, hello({ ts: stale }))
  const challenge = /^RETRY ([0-9a-f]{32})\n$/.exec(line)?.[1] ?? ''
  t.is(reached(), 0)
  socket.write(hello({ ts: stale, challenge }))
  const [proof] = (await once(socket, 'data')) as [Buffer]
  t.regex(proof.toString(), /^OK /)
  socket.destroy()
  const again = await asks(port, hello({ ts: stale }))
  again.socket.write(hello({ ts: stale }))
  await once(again.socket, 'close')
  const other = await asks(port, hello({ ts: stale }))
  other.socket.write(hello({ ts: stale, challenge }))
  await once(other.socket, 'close')
  t.is(reached(), 1)
})

test('a slow line is cut off after five seconds in all, not after a pause', async (t) => {
  const { port } = await machine(t)
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  const since = Date.now()
  const drip = setInterval(() => socket.write('M'), 200)
  // Not `once`, which would reject: a drip may meet a connection that has just been cut.
  await new Promise((resolve) => socket.on('close', resolve))
  clearInterval(drip)
  const took = Date.now() - since
  t.true(took > 4_500 && took < 9_000, `${took} ms`)
})

test('each direction ends by itself', async (t) => {
  const { port, bridge } = await machine(t)
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(hello())
  await once(socket, 'data')
  socket.end('the last words')
  const heard = (await socket.toArray()) as Buffer[]
  t.is(Buffer.concat(heard).toString(), 'the last words')
  for (let tries = 0; bridge.connections() > 0 && tries < 100; tries++)
    await new Promise((next) => setTimeout(next, 20))
  t.is(bridge.connections(), 0, 'nothing leaks')
})

test('a gateway that has said its last word still hears the caller', async (t) => {
  const heard = Promise.withResolvers<string>()
  const gateway = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.end('goodbye')
    void socket.toArray().then((parts) => heard.resolve(Buffer.concat(parts as Buffer[]).toString()))
  })
  t.teardown(() => gateway.close())
  const { port } = await machine(t, { targetPort: await listening(gateway) })
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(hello())
  await once(socket.resume(), 'end')
  socket.end('one thing more')
  t.is(await heard.promise, 'one thing more')
})

test('a gateway that does not listen is a proof and then the end; the bridge goes on', async (t) => {
  const { port } = await machine(t, { targetPort: await freePort() })
  for (let round = 0; round < 3; round++) t.regex(await says(port, hello()), /^OK \S+ \S+ \S+\n$/)
})

test('a reset on one side resets the other, so that a cut answer does not look complete', async (t) => {
  const gateway = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write('half an ans', () => socket.resetAndDestroy()))
  })
  t.teardown(() => gateway.close())
  const { port } = await machine(t, { targetPort: await listening(gateway) })
  const { socket } = await asks(port, hello())
  socket.write('question')
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  t.is(error.code, 'ECONNRESET')
})

/** Says all it has to say and vanishes, in one breath and with bytes unread: the other end sees a FIN and a reset at once. */
function vanish(socket: net.Socket): void {
  socket.pause().end(() => socket.resetAndDestroy())
}

const unread = Buffer.alloc(20_000_000)

async function none(bridge: Bridge): Promise<boolean> {
  for (let tries = 0; bridge.connections() > 0 && tries < 100; tries++)
    await new Promise((next) => setTimeout(next, 20))
  return bridge.connections() === 0
}

test('a gateway that ends and vanishes with bytes pending leaves no connection behind', async (t) => {
  const gateway = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => setTimeout(() => vanish(socket), 50))
  })
  t.teardown(() => gateway.close())
  const { port, bridge } = await machine(t, { targetPort: await listening(gateway) })
  for (let round = 0; round < 5; round++) {
    const { socket } = await asks(port, hello())
    socket.on('error', () => undefined).write(unread)
  }
  t.true(await none(bridge))
})

test('a caller that ends and vanishes with bytes pending leaves no connection behind', async (t) => {
  const gateway = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined).resume()
    socket.write(unread)
  })
  t.teardown(() => gateway.close())
  const { port, bridge } = await machine(t, { targetPort: await listening(gateway) })
  for (let round = 0; round < 5; round++) {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => undefined).write(hello())
    socket.once('data', () => setTimeout(() => vanish(socket), 50))
  }
  await new Promise((next) => setTimeout(next, 500))
  t.true(await none(bridge))
})

test('1,000 connections at once are all carried, and all gone afterwards', async (t) => {
  const { port, bridge } = await machine(t)
  const sockets = await Promise.all(Array.from({ length: 1_000 }, () => asks(port, hello())))
  t.true(sockets.every(({ line }) => line.startsWith('OK ')))
  const [first] = sockets
  first?.socket.write('still here')
  t.is(String(await once(first?.socket ?? new net.Socket(), 'data')), 'still here')
  for (const { socket } of sockets) socket.resetAndDestroy()
  for (let tries = 0; bridge.connections() > 0 && tries < 250; tries++)
    await new Promise((next) => setTimeout(next, 20))
  t.is(bridge.connections(), 0)
})

test('a flood of silent connections pushes out its own oldest, never a caller with a proof', async (t) => {
  const { port } = await machine(t, { pending: 50 })
  const proved = await asks(port, hello())
  const since = Date.now()
  const flood = Array.from({ length: 200 }, () => net.connect(port, '127.0.0.1'))
  for (const socket of flood) socket.on('error', () => undefined)
  await Promise.all(flood.slice(0, 100).map((socket) => once(socket, 'close')))
  t.true(Date.now() - since < 4_000, 'before their time is up')
  const { socket, line } = await asks(port, hello())
  t.regex(line, /^OK /)
  proved.socket.write('still here')
  t.is(String(await once(proved.socket, 'data')), 'still here')
  for (const each of [...flood, socket, proved.socket]) each.destroy()
})

test('it tries again while its address is taken, and says so when it gives up', async (t) => {
  const squatter = net.createServer()
  const port = await listening(squatter)
  const ready = Promise.withResolvers<undefined>()
  const options = { host: '127.0.0.1', port, targetPort: port, uid, incarnation: 3, key }
  const bridge = startBridge({ ...options, onListening: () => ready.resolve(undefined), onFatal: ready.reject })
  t.teardown(() => bridge.close())
  await new Promise((next) => setTimeout(next, 100))
  squatter.close()
  await ready.promise
  const failed = Promise.withResolvers<Error>()
  startBridge({ ...options, bindForMs: 0, onFatal: failed.resolve })
  t.regex((await failed.promise).message, /cannot listen on 127\.0\.0\.1 port \d+: .*EADDRINUSE/)
})

test('a listener that was ended from outside is fatal, and its own end is not', async (t) => {
  const servers: net.Server[] = []
  const note = (message: unknown) => servers.push((message as { server: net.Server }).server)
  subscribe('tracing:net.server.listen:asyncEnd', note)
  t.teardown(() => unsubscribe('tracing:net.server.listen:asyncEnd', note))
  const port = await freePort()
  const open = async () => {
    const ready = Promise.withResolvers<undefined>()
    const ended = Promise.withResolvers<Error>()
    const options = {
      host: '127.0.0.1',
      port,
      targetPort: port,
      uid,
      incarnation: 3,
      key,
      checkMs: 20,
      onFatal: ended.resolve,
    }
    const bridge = startBridge({ ...options, onListening: () => ready.resolve(undefined) })
    await ready.promise
    return { bridge, ended: ended.promise }
  }
  const listener = () => servers.find((server) => (server.address() as net.AddressInfo | null)?.port === port)
  const closed = await open()
  listener()?.close()
  t.regex((await closed.ended).message, /listens no more/)
  const killed = await open()
  // Nobody tells the process: its own look finds it out. The handle is closed behind the server's back.
  ;(listener() as unknown as { _handle: { close(): void } })._handle.close()
  t.regex((await killed.ended).message, /listens no more/)
  await killed.bridge.close()
  const { bridge, ended } = await open()
  await bridge.close()
  t.is(await Promise.race([ended, new Promise((next) => setTimeout(next, 50, 'quiet'))]), 'quiet')
})

test('it never listens on a name or a wildcard, and wants a whole key', (t) => {
  const options = { port: 1, targetPort: 1, uid, incarnation: 3, key }
  for (const host of ['0.0.0.0', '::', '0:0::0', 'localhost', '']) {
    t.throws(() => startBridge({ ...options, host }), { instanceOf: TypeError })
  }
  t.throws(() => startBridge({ ...options, host: '127.0.0.1', key: key.subarray(1) }), { instanceOf: TypeError })
})

test('two spellings of one IPv6 address are the same address', async (t) => {
  const probe = net.createServer()
  const has6 = await new Promise<boolean>((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen(0, '::1', () => probe.close(() => resolve(true)))
  })
  if (has6) {
    const { port } = await machine(t, { host: '::1' })
    const socket = net.connect(port, '::1')
    socket.write(hello({ address: '0:0:0:0:0:0:0:1' }))
    const [proof] = (await once(socket, 'data')) as [Buffer]
    t.regex(proof.toString(), /^OK /)
    socket.destroy()
  } else t.pass('no IPv6 on this machine: not run')
})
