// WebSockets through the proxy: carried both ways, refused in HTTP, and both ends closed whichever goes first.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import type { Proxy } from '../../proxy/server.ts'
import { eventually, startStage, startTenant, type Tenant } from '../helpers/upstream.ts'

async function echoTenant(t: ExecutionContext, name: string): Promise<Tenant> {
  const tenant = await startTenant(t, name, (_request, response) => response.end('page'))
  const sockets = new WebSocketServer({ noServer: true })
  tenant.gateway.on('upgrade', (request, socket, head) => {
    if (request.url === '/refused') {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno')
      return
    }
    sockets.handleUpgrade(request, socket, head, (connected) => {
      connected.on('message', (data, binary) => connected.send(data, { binary }))
      connected.on('error', () => connected.terminate())
      connected.send(`${name} hears ${String(request.headers['x-forwarded-for'])}`)
    })
  })
  return tenant
}

const connect = (proxy: Proxy, host: string, path = '/') =>
  new WebSocket(`ws://127.0.0.1:${proxy.port}${path}`, { headers: { host }, handshakeTimeout: 5_000 })

async function opened(proxy: Proxy, host: string): Promise<{ socket: WebSocket; greeting: string }> {
  const socket = connect(proxy, host)
  const [greeting] = (await once(socket, 'message')) as [Buffer]
  return { socket, greeting: greeting.toString() }
}

function refusal(socket: WebSocket): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0)
      response.resume()
      socket.terminate()
    })
    socket.on('open', () => reject(new Error('it was opened')))
    socket.on('error', () => {})
  })
}

test('messages go both ways, text and binary, small and large', async (t) => {
  const acme = await echoTenant(t, 'acme')
  const { proxy } = await startStage(t, [acme.route()], { loopbackAs: '192.0.2.1' })
  const { socket, greeting } = await opened(proxy, acme.host)
  t.is(greeting, 'acme hears 192.0.2.1')
  for (const message of ['ahoy', Buffer.from([0, 1, 2]), 'x'.repeat(1_000_000)]) {
    socket.send(message)
    const [echo] = (await once(socket, 'message')) as [Buffer]
    t.deepEqual(echo, Buffer.from(message))
  }
  socket.close()
  await once(socket, 'close')
  await eventually(t, () => proxy.stats().openUpgrades === 0 && acme.sockets.size === 0, 'nothing is left open')
})

test('two tenants’ sockets never cross', async (t) => {
  const acme = await echoTenant(t, 'acme')
  const globex = await echoTenant(t, 'globex')
  const { proxy } = await startStage(t, [acme.route(), globex.route()])
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, index) => opened(proxy, index % 2 === 0 ? acme.host : globex.host)),
  )
  for (const [index, { socket, greeting }] of all.entries()) {
    t.true(greeting.startsWith(index % 2 === 0 ? 'acme' : 'globex'))
    socket.terminate()
  }
  await eventually(t, () => acme.sockets.size + globex.sockets.size === 0, 'nothing is left open')
})

test('whoever goes first, the other end is closed too', async (t) => {
  const acme = await echoTenant(t, 'acme')
  const { proxy, sink } = await startStage(t, [acme.route()])
  const endings: Readonly<Record<string, (socket: WebSocket) => void>> = {
    'the client closes': (socket) => socket.close(),
    'the client breaks off': (socket) => socket.terminate(),
    'the gateway breaks off': () => {
      for (const socket of acme.sockets) socket.destroy()
    },
    'the gateway resets': () => {
      for (const socket of acme.sockets) socket.resetAndDestroy()
    },
    'the road is closed': () => sink.put(acme.route({ revision: 9, route: { kind: 'closed', reason: 'suspended' } })),
  }
  for (const [how, end] of Object.entries(endings)) {
    const { socket } = await opened(proxy, acme.host)
    socket.on('error', () => {})
    const closed = once(socket, 'close')
    end(socket)
    await closed
    await eventually(t, () => acme.sockets.size === 0, `${how}: the gateway's end`)
    await eventually(t, () => proxy.stats().openUpgrades === 0, `${how}: the proxy's end`)
  }
})

test('an upgrade that cannot be carried is answered in HTTP', async (t) => {
  const acme = await echoTenant(t, 'acme')
  const gone = await echoTenant(t, 'gone')
  const routes = [
    acme.route(),
    gone.route(),
    acme.route({ uid: 'x', name: 'x', hosts: ['billing.localhost'], route: { kind: 'closed', reason: 'billing' } }),
    acme.route({ uid: 'y', name: 'y', hosts: ['new.localhost'], route: { kind: 'closed', reason: 'provisioning' } }),
    acme.route({ uid: 'z', name: 'z', hosts: ['moved.localhost'] }),
  ]
  const { proxy } = await startStage(t, routes)
  await gone.close()
  t.is(await refusal(connect(proxy, 'nobody.localhost')), 404)
  t.is(await refusal(connect(proxy, 'billing.localhost')), 402)
  t.is(await refusal(connect(proxy, 'new.localhost')), 503)
  t.is(await refusal(connect(proxy, gone.host)), 502)
  t.is(await refusal(connect(proxy, 'moved.localhost')), 502, 'the machine there is another tenant’s')
  t.is(await refusal(connect(proxy, acme.host, '/refused')), 403, 'the gateway’s own refusal is passed on')
  await eventually(t, () => proxy.stats().openUpgrades === 0, 'nothing is left open')
})

test('closing the proxy ends its sockets', async (t) => {
  const acme = await echoTenant(t, 'acme')
  const { proxy } = await startStage(t, [acme.route()])
  const { socket } = await opened(proxy, acme.host)
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  await proxy.close()
  await closed
  await eventually(t, () => acme.sockets.size === 0, 'the gateway’s end is closed')
})
