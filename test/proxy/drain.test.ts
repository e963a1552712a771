// A drain lets an answer on its way to a refused upgrade arrive, however slowly its client reads.
import test from 'ava'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { Gate } from '../../proxy/gate.ts'
import { defaultLimits } from '../../proxy/limits.ts'
import { realClock } from '../../src/clock.ts'
import { listening } from '../helpers/bridge.ts'
import { keys } from '../helpers/upstream.ts'

test('the page for an upgrade that was refused is not cut by the drain', async (t) => {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const gate = new Gate({
    ...{ keys, clock: realClock, log: silent, limits: defaultLimits, metrics: undefined, logSample: 1 },
    ...{ retrySeconds: 5, edge: 'direct', loopbackAs: undefined, headTimeoutMs: 5_000, stallMs: 60_000 },
    ...{ dialTimeoutMs: 1_000, idleMs: 1_000 },
    activity: { used: () => undefined, wake: () => undefined, unwritten: () => false },
  })
  t.teardown(() => gate.close())
  const filler = Buffer.alloc(16_000_000, '.')
  const server = http.createServer()
  t.teardown(() => server.close())
  server.on('upgrade', (request, socket: net.Socket, head) => {
    // More than the kernel takes while nobody reads, so that the page has to wait behind it.
    socket.write(filler)
    gate.upgrade(request, socket, head)
    t.true(socket.writableLength > 0)
    gate.drain(() => undefined)
  })
  const client = net.connect({ host: '127.0.0.1', port: await listening(server) })
  client.write(
    'GET / HTTP/1.1\r\nHost: nobody.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(server, 'upgrade')
  let length = 0
  let last = ''
  client.on('data', (chunk: Buffer) => {
    length += chunk.length
    last = (last + chunk.toString('latin1')).slice(-2_000)
  })
  await once(client, 'end')
  t.true(length > filler.length)
  t.regex(last, /HTTP\/1\.1 404 Not Found\r\n[^]*"code":"unknown"[^]*\}\n$/)
})
