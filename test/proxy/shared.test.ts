// Several proxies on one port, as processes: each answers, one can go without anybody noticing, and a stranger's port is
// not taken.
import test, { type ExecutionContext } from 'ava'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { realClock } from '../../src/clock.ts'
import { keysFrom } from '../../src/keys.ts'
import { freePort, listening, openBridge } from '../helpers/bridge.ts'
import { ask } from '../helpers/client.ts'
import { startNode, until, withFolder } from '../helpers/processes.ts'
import { startTenant } from '../helpers/upstream.ts'

const uid = 'abcdefghijklmnop'
const master = randomBytes(32)

/** A tenant behind a bridge, and a data folder that leads to it. */
async function prepare(t: ExecutionContext, folder: string) {
  const slow: ServerResponse[] = []
  const guest = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    request.resume().once('end', () => {
      if (request.url === '/slow') slow.push(response)
      else response.end('from acme')
    })
  })
  const targetPort = (guest.gateway.address() as net.AddressInfo).port
  const key = new Uint8Array((await keysFrom(master, realClock)).bridgeKey(uid, 1))
  const { bridge, port } = await openBridge({ targetPort, uid, incarnation: 1, key })
  t.teardown(() => bridge.close())
  const forward = { kind: 'forward', machine: 'm1', incarnation: 1, address: '127.0.0.1', port }
  const route = { uid, name: 'acme', hosts: ['acme.localhost'], revision: 1, route: forward }
  await writeFile(join(folder, 'routes.json'), JSON.stringify({ version: 1, routes: [route] }))
  return { guest, slow }
}

function startProxyOn(port: number, folder: string) {
  const started = startNode('src/main.ts', {
    ...{ MOORAGE_ROLES: 'proxy', MOORAGE_PROXY_PORT: String(port), MOORAGE_DATA: folder },
    MOORAGE_MASTER_KEY: master.toString('base64url'),
  })
  const ready = until('it listens', 60_000, () => {
    if (started.child.exitCode !== null) throw new Error(started.output())
    return Promise.resolve(/Proxy +http:/.test(started.output()) || undefined)
  })
  return { ...started, ready }
}

const lostOnTheWay = ['ECONNRESET', 'ECONNREFUSED']

test('two share a port: both answer, one goes under load, and nobody goes without an answer', (t) =>
  withFolder(async (folder) => {
    const { guest, slow } = await prepare(t, folder)
    const port = await freePort()
    const proxies = [startProxyOn(port, folder), startProxyOn(port, folder)]
    try {
      await Promise.all(proxies.map(({ ready }) => ready))
      const visit = (path: string, method = 'GET') =>
        ask(`http://127.0.0.1:${port}${path}`, { method, headers: { host: 'acme.localhost' }, timeoutMs: 30_000 })
      // One after the other each proxy keeps one connection to the machine.
      for (let count = 0; count < 40; count += 1) t.is((await visit('/')).text, 'from acme')
      t.is(guest.reached(), 2, 'both have answered')

      const uploads = Array.from({ length: 12 }, () => visit('/slow', 'POST'))
      await until('all have arrived', 20_000, () => Promise.resolve(slow.length === 12 || undefined))
      let going = true
      let answered = 0
      let again = 0
      const worker = async () => {
        for (let fresh = true; going;) {
          try {
            const { text } = await visit('/')
            if (text !== 'from acme') throw new Error(`answered with ${text}`)
            answered += 1
            fresh = true
          } catch (error) {
            // The kernel resets who has connected and was not accepted yet: a client connects again, once.
            if (!fresh || !lostOnTheWay.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
            again += 1
            fresh = false
          }
        }
      }
      const load = Array.from({ length: 4 }, worker)
      await until('there is load', 20_000, () => Promise.resolve(answered > 20 || undefined))
      const ended = proxies[0]?.end('SIGTERM')
      const atSignal = answered
      await until('it has heard', 20_000, () => Promise.resolve(answered > atSignal + 10 || undefined))
      slow.forEach((response) => response.end('uploaded'))
      for (const { text } of await Promise.all(uploads)) t.is(text, 'uploaded')
      await ended
      const before = answered
      await until('the other one goes on', 20_000, () => Promise.resolve(answered > before + 20 || undefined))
      going = false
      await Promise.all(load)
      t.true(again <= 4, `${again} had to connect again`)
    } finally {
      await Promise.all(proxies.map((proxy) => proxy.end('SIGTERM')))
    }
  }))

test('a port that somebody else listens on is refused', (t) =>
  withFolder(async (folder) => {
    await prepare(t, folder)
    const stranger = net.createServer()
    t.teardown(() => stranger.close())
    const proxy = startProxyOn(await listening(stranger), folder)
    void proxy.ready.catch(() => undefined)
    if (proxy.child.exitCode === null) await once(proxy.child, 'exit')
    t.is(proxy.child.exitCode, 1)
    t.regex(proxy.output(), /port \d+ is in use/)
  }))
