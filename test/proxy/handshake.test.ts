// The client half of the bridge protocol, against the real bridge and against impostors.
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { DialError, dialProved } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import { freePort, listening, openBridge } from '../helpers/bridge.ts'

const uid = 'abcdefghijklmnop'
const key = new Uint8Array(randomBytes(32))
const options = { clock: realClock, timeoutMs: 2_000 }

/** A bridge in front of a gateway that answers each connection with `handle`. */
async function machine(t: ExecutionContext, handle: (socket: net.Socket) => void, more: { now?: () => number } = {}) {
  const gateway = net.createServer({ allowHalfOpen: true }, handle)
  const targetPort = await listening(gateway)
  const { bridge, port } = await openBridge({ targetPort, uid, incarnation: 3, key, ...more })
  t.teardown(() => {
    gateway.close()
    return bridge.close()
  })
  return { bridge, target: { address: '127.0.0.1', port, uid, incarnation: 3 } }
}

/** Something that is not a bridge and answers the first bytes with `reply`. */
async function impostor(t: ExecutionContext, reply: (socket: net.Socket, hello: string) => void) {
  const heard: string[] = []
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      heard.push(chunk.toString())
      reply(socket, chunk.toString())
    })
  })
  const port = await listening(server)
  t.teardown(() => server.close())
  return { heard, target: { address: '127.0.0.1', port, uid, incarnation: 3 } }
}

async function dialError(t: ExecutionContext, dialled: Promise<unknown>) {
  return t.throwsAsync<DialError>(dialled, { instanceOf: DialError })
}

test('a proved connection carries bytes both ways and names the boot', async (t) => {
  const { bridge, target } = await machine(t, (socket) => socket.pipe(socket))
  const { socket, boot } = await dialProved(target, key, options)
  t.is(boot, bridge.boot)
  socket.end('to the gateway')
  const parts = await socket.toArray()
  t.is(Buffer.concat(parts).toString(), 'to the gateway')
})

test('the socket is handed over as if it had just connected', async (t) => {
  const { target } = await machine(t, (socket) => socket.pipe(socket))
  const { socket } = await dialProved(target, key, options)
  const plain = net.connect(target.port, '127.0.0.1')
  await once(plain, 'connect')
  t.deepEqual(
    socket.eventNames().map((name) => [name, socket.listenerCount(name)]),
    plain.eventNames().map((name) => [name, plain.listenerCount(name)]),
  )
  t.is(socket.readableFlowing, null)
  t.falsy(socket.timeout)
  socket.destroy()
  plain.destroy()
})

test('what the gateway says first is still there after the proof', async (t) => {
  const { target } = await machine(t, (socket) => socket.end('server speaks first'))
  const { socket } = await dialProved(target, key, options)
  t.is(Buffer.concat(await socket.toArray()).toString(), 'server speaks first')
})

test('bytes that come in one piece with the proof are not lost', async (t) => {
  const { target } = await machine(t, (socket) => socket.end('early'))
  // A relay that holds the proof back until it can send it together with the bytes after it.
  const relay = net.createServer((client) => {
    const bridge = net.connect(target.port, '127.0.0.1')
    client.on('data', (chunk) => bridge.write(chunk))
    const held: Buffer[] = []
    bridge.on('data', (chunk) => held.push(chunk))
    bridge.on('end', () => client.end(Buffer.concat(held)))
  })
  t.teardown(() => relay.close())
  const port = await listening(relay)
  const { socket } = await dialProved({ ...target, port }, key, options)
  t.is(Buffer.concat(await socket.toArray()).toString(), 'early')
})

test('http runs over a proved connection', async (t) => {
  const web = http.createServer((request, response) => void request.pipe(response))
  const { target } = await machine(t, (socket) => web.emit('connection', socket))
  const { socket } = await dialProved(target, key, options)
  const request = http.request({ method: 'POST', path: '/', createConnection: () => socket, headers: { host: 'x' } })
  request.end('body')
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  t.is(Buffer.concat(await response.toArray()).toString(), 'body')
})

test('a machine whose clock lags is believed after a challenge', async (t) => {
  const { bridge, target } = await machine(t, (socket) => socket.pipe(socket), {
    now: () => Date.now() - 3_600_000,
  })
  const { socket, boot } = await dialProved(target, key, options)
  t.is(boot, bridge.boot)
  socket.destroy()
})

for (const [what, change] of [
  ['another key', { key: new Uint8Array(randomBytes(32)) }],
  ['another tenant', { uid: 'zzzzzzzzzzzzzzzz' }],
  ['another incarnation', { incarnation: 4 }],
] as const) {
  test(`${what} is a mismatch, and the gateway sees nothing`, async (t) => {
    let reached = 0
    const { target } = await machine(t, (socket) => {
      reached += 1
      socket.destroy()
    })
    const { key: otherKey, ...elsewhere } = { key, ...change }
    const error = await dialError(t, dialProved({ ...target, ...elsewhere }, otherKey, options))
    t.is(error.code, 'mismatch')
    t.is(reached, 0)
  })
}

test('an impostor that says OK without the key is a mismatch', async (t) => {
  const zeros = '0'.repeat(32)
  const { target } = await impostor(t, (socket) => socket.write(`OK ${zeros} ${zeros} ${zeros}${zeros}\n`))
  t.is((await dialError(t, dialProved(target, key, options))).code, 'mismatch')
})

test('a proof for another nonce is a mismatch', async (t) => {
  const { target } = await machine(t, (socket) => socket.pipe(socket))
  let recorded = ''
  const fake = await impostor(t, (socket, hello) => {
    if (recorded !== '') return void socket.write(recorded)
    const bridge = net.connect(target.port, '127.0.0.1')
    bridge.on('data', (chunk) => {
      recorded += chunk.toString()
      socket.write(chunk)
    })
    bridge.write(hello)
    t.teardown(() => bridge.destroy())
  })
  const first = await dialProved(fake.target, key, options)
  first.socket.destroy()
  t.is((await dialError(t, dialProved(fake.target, key, options))).code, 'mismatch')
})

test('an HTTP server, a talker without lines and an endless challenger are mismatches', async (t) => {
  for (const reply of ['HTTP/1.1 400 Bad Request\r\n\r\n', 'x'.repeat(600), `RETRY ${'a'.repeat(32)}\n`]) {
    const { target, heard } = await impostor(t, (socket) => socket.write(reply))
    t.is((await dialError(t, dialProved(target, key, options))).code, 'mismatch')
    t.true(heard.join('').split('\n').length <= 3, 'it was told two hellos at the most')
  }
})

test('one that closes on the hello is a mismatch', async (t) => {
  const { target } = await impostor(t, (socket) => socket.destroy())
  t.is((await dialError(t, dialProved(target, key, options))).code, 'mismatch')
})

test('silence, and a drip of bytes, end in a timeout', async (t) => {
  const short = { clock: realClock, timeoutMs: 150 }
  const silent = await impostor(t, () => undefined)
  t.is((await dialError(t, dialProved(silent.target, key, short))).code, 'timeout')
  const drip = await impostor(t, (socket) => {
    const timer = setInterval(() => socket.write('O'), 30)
    socket.on('close', () => clearInterval(timer))
  })
  const since = Date.now()
  t.is((await dialError(t, dialProved(drip.target, key, short))).code, 'timeout')
  t.true(Date.now() - since < 1_500)
})

test('a port that nothing listens on is refused', async (t) => {
  const target = { address: '127.0.0.1', port: await freePort(), uid, incarnation: 3 }
  const error = await dialError(t, dialProved(target, key, options))
  t.is(error.code, 'refused')
  t.regex(error.message, /nothing listens on 127\.0\.0\.1/)
})

test('a gateway that does not listen yet is a connection that proves itself and ends', async (t) => {
  const { bridge, port } = await openBridge({ targetPort: await freePort(), uid, incarnation: 3, key })
  t.teardown(() => bridge.close())
  const { socket, boot } = await dialProved({ address: '127.0.0.1', port, uid, incarnation: 3 }, key, options)
  t.is(boot, bridge.boot)
  t.deepEqual(await socket.toArray(), [])
})

test('no error names the key', async (t) => {
  const { target } = await machine(t, (socket) => socket.destroy())
  const wrong = new Uint8Array(randomBytes(32))
  const error = await dialError(t, dialProved(target, wrong, options))
  t.false(JSON.stringify([error.message, error.stack]).includes(Buffer.from(wrong).toString('hex')))
  await t.throwsAsync(dialProved(target, new Uint8Array(5), options), { instanceOf: TypeError })
  await t.throwsAsync(dialProved({ ...target, address: 'localhost' }, key, options), { instanceOf: TypeError })
})
