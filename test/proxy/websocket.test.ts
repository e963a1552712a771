// WebSockets through the proxy: echo, teardown from every side, refusals, and no socket left behind.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import net from 'node:net'
import WebSocket, { WebSocketServer } from 'ws'
import type { Proxy } from '../../proxy/server.ts'
import { freePort } from '../helpers/bridge.ts'
import { ask, eventually, raw, startStage, startTenant, type Tenant } from '../helpers/upstream.ts'

/** A tenant whose gateway echoes messages, and its server side of the sockets. */
async function echoing(t: ExecutionContext, name = 'acme') {
  const tenant = await startTenant(t, name, (_request: IncomingMessage, response: ServerResponse) => response.end(name))
  const server = new WebSocketServer({ server: tenant.gateway })
  const peers: WebSocket[] = []
  const requests: IncomingMessage[] = []
  server.on('connection', (peer, request) => {
    peers.push(peer)
    requests.push(request)
    peer.on('error', () => peer.terminate())
    peer.on('message', (message, isBinary) => peer.send(message, { binary: isBinary }))
  })
  t.teardown(() => server.close())
  return { ...tenant, peers, requests }
}

function dial(proxy: Proxy, host: string, headers: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/live?token=secret`, { headers: { host, ...headers } })
  socket.on('error', () => undefined)
  return socket
}

async function opened(proxy: Proxy, host: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = dial(proxy, host, headers)
  await once(socket, 'open')
  return socket
}

async function nothingLeft(t: ExecutionContext, proxy: Proxy, tenant: Pick<Tenant, 'sockets'>): Promise<void> {
  const left = () => proxy.stats().openUpgrades + proxy.stats().upstreamConnections + tenant.sockets.size
  await eventually(t, () => left() === 0, 'no socket is left')
}

test('messages pass both ways, text and binary, small and large', async (t) => {
  const acme = await echoing(t)
  const { proxy } = await startStage(t, [acme.route()])
  const socket = await opened(proxy, acme.host)
  for (const message of ['hello', 'x'.repeat(300_000)]) {
    socket.send(message)
    const [reply] = (await once(socket, 'message')) as [Buffer]
    t.is(reply.toString(), message)
  }
  socket.send(Buffer.from([0, 255, 10]))
  const [reply, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
  t.deepEqual([...reply], [0, 255, 10])
  t.true(isBinary)
  t.is(proxy.stats().openUpgrades, 1)
  socket.close()
  await once(socket, 'close')
  await nothingLeft(t, proxy, acme)
})

test('the tenant sees who asks as it does for requests, and what a client made up is gone', async (t) => {
  const acme = await echoing(t)
  const { proxy } = await startStage(t, [acme.route()])
  const made = {
    'x-forwarded-for': '6.6.6.6',
    forwarded: 'for=6.6.6.6',
    'fly-client-ip': '6.6.6.6',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  }
  const socket = await opened(proxy, acme.host, made)
  const headers = acme.requests[0]?.headers
  t.is(headers?.['x-forwarded-for'], '127.0.0.1')
  t.is(headers?.['x-forwarded-host'], acme.host)
  t.is(headers?.forwarded, undefined)
  t.is(headers?.['fly-client-ip'], undefined)
  t.is(headers?.traceparent, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
  t.is(acme.requests[0]?.url, '/live?token=secret')
  socket.terminate()
})

for (const [who, end] of [
  ['the client closes', ({ client }) => client.close()],
  ['the client vanishes', ({ client }) => client.terminate()],
  ['the tenant closes', ({ peer }) => peer.close()],
  ['the tenant vanishes', ({ peer }) => peer.terminate()],
] as readonly (readonly [string, (ends: { client: WebSocket; peer: WebSocket }) => void])[])
  test(`no socket is left when ${who}`, async (t) => {
    const acme = await echoing(t)
    const { proxy } = await startStage(t, [acme.route()])
    const clients = await Promise.all(Array.from({ length: 10 }, () => opened(proxy, acme.host)))
    t.is(proxy.stats().openUpgrades, 10)
    await eventually(t, () => acme.peers.length === 10, 'ten peers')
    clients.forEach((client, index) => {
      const peer = acme.peers[index]
      if (peer !== undefined) end({ client, peer })
    })
    await eventually(t, () => clients.every(({ readyState }) => readyState === WebSocket.CLOSED), 'every client knows')
    await nothingLeft(t, proxy, acme)
  })

for (const [what, change] of [
  ['is suspended', { route: { kind: 'closed', reason: 'suspended' } }],
  ['moves to a new incarnation', { route: { kind: 'forward', incarnation: 2 } }],
] as const)
  test(`open sockets end when the tenant ${what}`, async (t) => {
    const acme = await echoing(t)
    const globex = await echoing(t, 'globex')
    const { proxy, sink } = await startStage(t, [acme.route(), globex.route()])
    const client = await opened(proxy, acme.host)
    const other = await opened(proxy, globex.host)
    const closed = once(client, 'close')
    if (change.route.kind === 'closed') sink.put(acme.route({ revision: 2, route: change.route }))
    else sink.put(acme.route({ revision: 2 }, { incarnation: 2 }))
    await closed
    await eventually(t, () => acme.sockets.size === 0, 'the tenant’s side is closed too')
    other.send('still here')
    const [reply] = (await once(other, 'message')) as [Buffer]
    t.is(reply.toString(), 'still here')
    other.terminate()
  })

test('an upgrade that goes nowhere gets a real answer', async (t) => {
  const acme = await echoing(t)
  const closed = (reason: 'billing' | 'suspended' | 'deleting' | 'provisioning') =>
    acme.route({ uid: reason, hosts: [`${reason}.localhost`], route: { kind: 'closed', reason } })
  const routes = [closed('billing'), closed('suspended'), closed('deleting'), closed('provisioning')]
  const dead = acme.route({ uid: 'dead', hosts: ['dead.localhost'] }, { port: await freePort() })
  const { proxy } = await startStage(t, [...routes, dead])
  const wanted = { unknown: 404, billing: 402, suspended: 503, deleting: 410, provisioning: 503, dead: 502 }
  for (const [name, status] of Object.entries(wanted)) {
    const [, answer] = (await once(dial(proxy, `${name}.localhost`), 'unexpected-response')) as [
      unknown,
      IncomingMessage,
    ]
    t.is(answer.statusCode, status, name)
    t.is(answer.headers['content-type'], 'application/problem+json')
    t.regex(String(answer.headers['x-request-id']), /^[0-9a-f]{32}$/)
    answer.resume()
    await once(answer, 'close')
  }
  await eventually(t, () => proxy.stats().openUpgrades === 0, 'refused sockets are closed')
})

test('a refusal by the tenant is passed on, cleaned', async (t) => {
  const acme = await startTenant(t, 'acme', () => undefined)
  acme.gateway.on('upgrade', (_request, socket) => {
    const head =
      'HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nFly-Replay: app=other\r\n\r\n'
    socket.end(`${head}4\r\nnope\r\n0\r\n\r\n`)
  })
  const { proxy } = await startStage(t, [acme.route()])
  const [, answer] = (await once(dial(proxy, acme.host), 'unexpected-response')) as [unknown, IncomingMessage]
  t.is(answer.statusCode, 403)
  t.is(answer.headers['keep-alive'], undefined)
  t.is(answer.headers['fly-replay'], undefined)
  t.regex(String(answer.headers['x-request-id']), /^[0-9a-f]{32}$/)
  const [body] = (await once(answer, 'data')) as [Buffer]
  t.is(body.toString(), 'nope')
  await nothingLeft(t, proxy, acme)
})

test('a gateway that never answers an upgrade, or answers nonsense, is an error answer', async (t) => {
  const never = await startTenant(t, 'never', () => undefined)
  never.gateway.on('upgrade', () => undefined)
  const nonsense = await startTenant(t, 'nonsense', () => undefined)
  nonsense.gateway.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 000 \x01\r\n\r\n'))
  const impatient = await startStage(t, [never.route()], { headTimeoutMs: 150 })
  const patient = await startStage(t, [nonsense.route()])
  const cases = [{ ...impatient, host: never.host, status: 504 }, { ...patient, host: nonsense.host, status: 502 }] // prettier-ignore
  for (const { proxy, host, status } of cases) {
    const [, answer] = (await once(dial(proxy, host), 'unexpected-response')) as [unknown, IncomingMessage]
    t.is(answer.statusCode, status)
    answer.resume()
  }
  await nothingLeft(t, impatient.proxy, never)
})

test('a client that leaves while the upgrade is under way leaves nothing behind', async (t) => {
  const acme = await startTenant(t, 'acme', () => undefined)
  acme.gateway.on('upgrade', () => undefined)
  const { proxy } = await startStage(t, [acme.route()])
  const client = dial(proxy, acme.host)
  await eventually(t, () => acme.sockets.size === 1, 'the upgrade has arrived')
  client.terminate()
  await nothingLeft(t, proxy, acme)
})

test('a peer that neither reads nor closes does not hold the other side', async (t) => {
  const acme = await echoing(t)
  const { proxy } = await startStage(t, [acme.route()])
  const client = net.connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true })
  const head =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='
  client.write(`GET / HTTP/1.1\r\nHost: ${acme.host}\r\n${head}\r\n\r\n`)
  await once(client, 'data')
  client.pause()
  const [peer] = acme.peers
  peer?.send('x'.repeat(20_000_000))
  peer?.terminate()
  await nothingLeft(t, proxy, acme)
  client.destroy()
})

test('an upgrade to something else is an ordinary request; one with a body is refused', async (t) => {
  const acme = await echoing(t)
  const { proxy } = await startStage(t, [acme.route()])
  const h2c = await ask(proxy, acme.host, '/', { headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AA' } }) // prettier-ignore
  t.is(h2c.body, 'acme')
  const upgrade = `GET / HTTP/1.1\r\nHost: ${acme.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
  const reply = await raw(proxy, `${upgrade}Content-Length: 5\r\n\r\nhello`)
  t.regex(reply.text, /^HTTP\/1\.1 400 /)
  t.is(acme.peers.length, 0)
})

test('closing the proxy tells open sockets (1001), both ends, and is over when they have gone', async (t) => {
  const acme = await echoing(t)
  const { proxy } = await startStage(t, [acme.route()], { graceMs: 10_000 })
  const client = await opened(proxy, acme.host)
  const peer = acme.peers[0]
  const told = [once(client, 'close'), once(peer ?? client, 'close')]
  const since = Date.now()
  await proxy.close()
  for (const close of told) t.is(((await close) as [number])[0], 1001)
  t.true(Date.now() - since < 9_000, 'it does not wait for the end of the grace')
  await eventually(t, () => acme.sockets.size === 0, 'the tenant’s side is closed too')
})

test('a message on its way when the proxy closes arrives whole, and the goodbye comes after it', async (t) => {
  const acme = await startTenant(t, 'acme', () => undefined)
  acme.gateway.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    // The first half of a message of ten bytes now, the rest later.
    socket.write(Buffer.concat([Buffer.from([0x81, 10]), Buffer.from('first')]))
    setTimeout(() => socket.write('-half'), 150)
  })
  const { proxy } = await startStage(t, [acme.route()], { graceMs: 2_000 })
  const client = net.connect({ host: '127.0.0.1', port: proxy.port })
  const heard: Buffer[] = []
  client.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => undefined)
  client.write(`GET / HTTP/1.1\r\nHost: ${acme.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  await eventually(t, () => Buffer.concat(heard).includes('first'), 'half a message is here')
  await proxy.close()
  const text = Buffer.concat(heard).toString('latin1')
  t.true(text.endsWith('\x81\x0afirst-half\x88\x02\x03\xe9'), JSON.stringify(text.slice(-30)))
})

test('a socket that does not say goodbye is cut at the end of the grace', async (t) => {
  const acme = await echoing(t)
  const { proxy } = await startStage(t, [acme.route()], { graceMs: 150 })
  const client = await opened(proxy, acme.host)
  client.pause()
  await proxy.close()
  await eventually(t, () => proxy.stats().openUpgrades === 0, 'it is cut')
  client.terminate()
})
