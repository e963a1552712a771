// WebSockets that end in every way, many at a time, round after round: no connection to a tenant is left behind.
import test from 'ava'
import { once } from 'node:events'
import net from 'node:net'
import type { TenantRoute } from '../../specs/route.ts'
import { eventually, startStage, startTenant } from '../helpers/upstream.ts'

const rounds = 10
const count = 200
const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

test('nothing is left of WebSockets that clients reset and that the proxy ends', async (t) => {
  const acme = await startTenant(t, 'acme', () => undefined)
  acme.gateway.on('upgrade', (_request, socket) => socket.on('error', () => socket.destroy()).write(switched))
  const { proxy, sink } = await startStage(t, [acme.route()], { limits: { burst: 1e9 } })
  const dial = async () => {
    const socket = net.connect({ host: '127.0.0.1', port: proxy.port })
    socket.on('error', () => undefined)
    socket.write(`GET / HTTP/1.1\r\nHost: ${acme.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    await once(socket, 'data')
    return socket
  }
  const closed: TenantRoute['route'] = { kind: 'closed', reason: 'suspended' }
  for (let round = 0; round < rounds; round += 1) {
    const sockets = await Promise.all(Array.from({ length: count }, dial))
    t.is(proxy.stats().openUpgrades, count)
    t.is(proxy.stats().upstreamConnections, count)
    for (const socket of sockets.slice(count / 2)) socket.resetAndDestroy()
    sink.put(acme.route({ revision: 2 * round + 2, route: closed }))
    const left = () => proxy.stats().openUpgrades + proxy.stats().upstreamConnections + acme.sockets.size
    await eventually(t, () => left() === 0, 'no socket is left', 20_000)
    await eventually(t, () => sockets.every(({ destroyed }) => destroyed), 'every client knows', 20_000)
    sink.put(acme.route({ revision: 2 * round + 3 }))
  }
})

test('nothing is left when the proxy itself closes with WebSockets open, half of them reset meanwhile', async (t) => {
  const acme = await startTenant(t, 'acme', () => undefined)
  acme.gateway.on('upgrade', (_request, socket) => socket.on('error', () => socket.destroy()).write(switched))
  const { proxy } = await startStage(t, [acme.route()], { graceMs: 100 })
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = net.connect({ host: '127.0.0.1', port: proxy.port })
      socket.on('error', () => undefined)
      socket.write(`GET / HTTP/1.1\r\nHost: ${acme.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
      await once(socket, 'data')
      return socket
    }),
  )
  const closing = proxy.close()
  for (const socket of sockets.slice(50)) socket.resetAndDestroy()
  await closing
  await eventually(t, () => acme.sockets.size === 0, 'the tenant’s side is closed', 20_000)
  t.is(proxy.stats().upstreamConnections + proxy.stats().openUpgrades, 0)
})
