// A page that is left open connects again when its tenant has fallen asleep: that is nobody's wish to wake it.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import WebSocket, { WebSocketServer } from 'ws'
import type { ClosedReason } from '../../specs/route.ts'
import { ask, eventually, startStage, startTenant } from '../helpers/upstream.ts'

/** A tenant with WebSockets, awake, behind a proxy, and who was woken. */
async function awake(t: ExecutionContext) {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end('awake')) // prettier-ignore
  const server = new WebSocketServer({ server: acme.gateway })
  t.teardown(() => server.close())
  const woken: string[] = []
  const activity = { used: () => undefined, wake: (uid: string) => void woken.push(uid), unwritten: () => false }
  let revision = 1
  const stage = await startStage(t, [acme.route({ revision: revision++ })], { activity, edge: 'fly' })
  const { proxy, sink } = stage
  const close = (reason: ClosedReason) =>
    sink.put(acme.route({ revision: revision++, route: { kind: 'closed', reason } }))
  const wakeUp = () => sink.put(acme.route({ revision: revision++ }))
  /** Behind Fly's proxy, which says where a client is. */
  const dial = (from: string, origin?: string) => {
    const headers = { host: acme.host, 'fly-client-ip': from, ...(origin === undefined ? {} : { origin }) }
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers })
    socket.on('error', () => undefined)
    t.teardown(() => socket.terminate())
    return socket
  }
  const refused = async (socket: WebSocket) => {
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
    const body = JSON.parse(Buffer.concat((await answer.toArray()) as Buffer[]).toString()) as { code: string }
    return [answer.statusCode, body.code, answer.headers['retry-after']]
  }
  const held = (count: number) => eventually(t, () => proxy.stats().held === count, `${count} are held`)
  return { proxy, acme, woken, close, wakeUp, dial, refused, held, page: `https://${acme.host}` }
}

/** Opens a page's WebSocket, and has the tenant fall asleep under it. */
async function leftOpen(t: ExecutionContext) {
  const stage = await awake(t)
  const socket = stage.dial('203.0.113.7', stage.page)
  await once(socket, 'open')
  const ended = once(socket, 'close')
  stage.close('asleep')
  await ended
  return stage
}

test('a page that was open as the tenant fell asleep wakes nobody; the person who loads it again does', async (t) => {
  const { proxy, acme, woken, close, wakeUp, dial, refused, held, page } = await leftOpen(t)
  for (let time = 0; time < 3; time += 1)
    t.deepEqual(await refused(dial('203.0.113.7', page)), [503, 'left-open', '30'])
  t.deepEqual(woken, [])
  const loaded = ask(proxy, acme.host, '/')
  await held(1)
  t.deepEqual(woken, [acme.uid])
  close('waking')
  const again = once(dial('203.0.113.7', page), 'open')
  await held(2)
  wakeUp()
  t.is((await loaded).status, 200)
  t.truthy(await again)
})

test('everybody else’s upgrade wakes the tenant: a page elsewhere, a program, a page of another site', async (t) => {
  for (const [from, whose] of [
    ['203.0.113.8', 'own'],
    ['203.0.113.7', undefined],
    ['203.0.113.7', 'https://elsewhere.test'],
  ] as const) {
    const { acme, woken, wakeUp, dial, held, page } = await leftOpen(t)
    const socket = dial(from, whose === 'own' ? page : whose)
    await held(1)
    t.deepEqual(woken, [acme.uid])
    wakeUp()
    await once(socket, 'open')
  }
})

test('what was left open is forgotten when the tenant is up again', async (t) => {
  const { acme, woken, close, wakeUp, dial, held, page } = await leftOpen(t)
  wakeUp()
  close('asleep')
  void dial('203.0.113.7', page)
  await held(1)
  t.deepEqual(woken, [acme.uid], 'nobody had a page open this time')
})
