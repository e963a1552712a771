// A machine that cannot be connected to: one more try for requests that may be repeated, then it is left alone for a while.
import test from 'ava'
import type { IncomingMessage, ServerResponse } from 'node:http'
import net from 'node:net'
import { Breaker, Resting } from '../../proxy/breaker.ts'
import { freePort } from '../helpers/bridge.ts'
import { ask, startStage, startTenant } from '../helpers/upstream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

/** Listens late in a machine's place. */
function relayTo(port: number): net.Server {
  return net.createServer((socket) => {
    const onward = net.connect(port, '127.0.0.1')
    socket.on('error', () => onward.destroy()).pipe(onward)
    onward.on('error', () => socket.destroy()).pipe(socket)
  })
}

test('it opens after so many failures in a row, lets one try, and closes with a success', async (t) => {
  const clock = new VirtualClock()
  const breaker = new Breaker({ clock, failures: 3, restMs: 5_000 })
  const fail = () => (breaker.enter(), breaker.failed())
  t.deepEqual([fail(), fail()], [false, false])
  breaker.succeeded()
  t.deepEqual([fail(), fail(), fail()], [false, false, true])
  t.false(breaker.failed(), 'one that had begun before makes it no longer')
  t.is(t.throws(() => breaker.enter(), { instanceOf: Resting }).retryMs, 5_000)
  await clock.advance(5_000)
  breaker.enter()
  t.throws(() => breaker.enter(), { instanceOf: Resting }, 'one at a time')
  t.true(breaker.failed())
  t.throws(() => breaker.enter(), { instanceOf: Resting })
  await clock.advance(5_000)
  breaker.enter()
  breaker.succeeded()
  for (let count = 0; count < 5; count += 1) t.notThrows(() => breaker.enter())
})

test('a GET, and a PUT with its body, survive a machine that comes up a moment later; a POST does not', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    void request.toArray().then((parts) => response.end(Buffer.concat(parts as Buffer[])))
  })
  const live = acme.route()
  if (live.route.kind !== 'forward') throw new Error('unreachable')
  const { port: bridgePort } = live.route
  for (const [method, status] of [
    ['GET', 200],
    ['PUT', 200],
    ['POST', 502],
  ] as const) {
    // prettier-ignore
    const port = await freePort()
    const { proxy } = await startStage(t, [acme.route({}, { port })])
    const asked = ask(proxy, acme.host, '/', { method, ...(method === 'GET' ? {} : { body: 'the body' }) })
    const relay = relayTo(bridgePort)
    const later = setTimeout(() => relay.listen(port, '127.0.0.1'), 50)
    const reply = await asked
    clearTimeout(later)
    relay.close()
    t.is(reply.status, status, method)
    if (method === 'PUT') t.is(reply.body, 'the body')
  }
})

test('a dead machine is left alone: 503 with Retry-After, no connect, and it is found again', async (t) => {
  const clock = new VirtualClock()
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end('ok'))
  const globex = await startTenant(t, 'globex', (_request: IncomingMessage, response: ServerResponse) => response.end())
  const live = acme.route()
  if (live.route.kind !== 'forward') throw new Error('unreachable')
  const { port: bridgePort } = live.route
  const port = await freePort()
  const limits = { failures: 3, restMs: 5_000 }
  const { proxy, lines } = await startStage(t, [acme.route({}, { port }), globex.route()], { clock, limits })
  const post = () => ask(proxy, acme.host, '/', { method: 'POST' })
  t.deepEqual([(await post()).status, (await post()).status, (await post()).status], [502, 502, 502])
  const { dials } = proxy.stats()
  const refused = await post()
  t.is(refused.status, 503)
  t.is(refused.headers['retry-after'], '5')
  t.is((JSON.parse(refused.body) as { code: string }).code, 'resting')
  t.is(proxy.stats().dials, dials)
  t.is((await ask(proxy, globex.host)).status, 200)
  t.is(lines.filter(({ message }) => /left alone/.test(message)).length, 1)
  const relay = relayTo(bridgePort)
  relay.listen(port, '127.0.0.1')
  t.teardown(() => relay.close())
  await clock.advance(5_000)
  t.is((await post()).body, 'ok')
})
