// Requests under way are a use of the tenant, and a sleep that comes in between does not cut them.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import WebSocket, { WebSocketServer } from 'ws'
import type { ClosedReason } from '../../specs/route.ts'
import { ask, eventually, open, startStage, startTenant, text } from '../helpers/upstream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

/** A tenant that begins each answer and leaves the rest to the test. */
async function begun(t: ExecutionContext) {
  const answers: ServerResponse[] = []
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    request.on('error', () => undefined).resume()
    const [, type] = /type=(.*)/.exec(request.url ?? '') ?? []
    response.writeHead(200, { 'content-type': type ?? 'application/octet-stream' })
    response.write('begun;')
    answers.push(response)
  })
  const clock = new VirtualClock()
  const used: string[] = []
  const woken: string[] = []
  const activity = {
    used: (uid: string) => void used.push(uid),
    wake: (uid: string) => void woken.push(uid),
    unwritten: () => false,
  }
  const stage = await startStage(t, [acme.route()], { clock, activity })
  let revision = 2
  const close = (reason: ClosedReason) =>
    stage.sink.put(acme.route({ revision: revision++, route: { kind: 'closed', reason } }))
  const reopen = (target = {}) => stage.sink.put(acme.route({ revision: revision++ }, target))
  /** How often the tenant counts as used in a minute in which nobody sends anything. */
  const usesInAMinute = async () => {
    const before = used.length
    await clock.advance(60_000)
    return used.length - before
  }
  return { ...stage, acme, clock, answers, used, woken, close, reopen, usesInAMinute }
}

test('an open request counts as use for as long as it is open; a page that listens to events does not', async (t) => {
  const { proxy, acme, answers, usesInAMinute } = await begun(t)
  t.is(await usesInAMinute(), 0)
  const cases = [
    ['a download', 'GET', '/big', true],
    ['a model that thinks, streamed', 'POST', '/?type=text/event-stream', true],
    ['events that a page listens to', 'GET', '/?type=text/event-stream;charset=utf-8', false],
    ['events with a condition, in the other lane', 'GET', '/?type=text/event-stream', false],
    ['pictures of a camera', 'GET', '/?type=multipart/x-mixed-replace;boundary=x', false],
  ] as const
  for (const [what, method, path, counts] of cases) {
    const headers = what.includes('other lane') ? { 'if-none-match': '"x"' } : {}
    const answer = await open(proxy, acme.host, path, { method, headers })
    const uses = await usesInAMinute()
    if (counts) t.true(uses >= 4, `${what}: ${uses}`)
    else t.is(uses, 0, what)
    answers.splice(0).forEach((response) => response.end())
    await text(answer)
    await eventually(t, () => proxy.stats().inFlight === 0, 'it is over')
    t.is(await usesInAMinute(), 0, `${what} is over`)
  }
})

test('a request whose answer has not begun counts as use', async (t) => {
  const acme = await startTenant(t, 'acme', () => undefined)
  const clock = new VirtualClock()
  const used: string[] = []
  const activity = { used: (uid: string) => void used.push(uid), wake: () => undefined, unwritten: () => false }
  const { proxy } = await startStage(t, [acme.route()], { clock, activity })
  const request = http.get({ host: '127.0.0.1', port: proxy.port, headers: { host: acme.host } })
  request.on('error', () => undefined)
  t.teardown(() => request.destroy())
  await eventually(t, () => acme.reached() === 1, 'it has arrived')
  used.length = 0
  await clock.advance(60_000)
  t.true(used.length >= 4)
})

test('a sleep that meets a request under way wakes the tenant again, and the request goes on', async (t) => {
  const { proxy, acme, clock, answers, woken, close, reopen } = await begun(t)
  const download = await open(proxy, acme.host, '/big')
  close('asleep')
  t.deepEqual(woken, [acme.uid])
  const next = ask(proxy, acme.host, '/next')
  await eventually(t, () => proxy.stats().held === 1, 'who comes now waits')
  close('waking')
  await clock.advance(5_000)
  answers[0]?.write('more;')
  reopen()
  await eventually(t, () => answers.length === 2, 'the road is open again')
  await clock.advance(60_000)
  answers.forEach((response) => response.end('end'))
  t.is(await text(download), 'begun;more;end')
  t.is((await next).body, 'begun;end')
  t.is(proxy.stats().dials, 2)
})

test('what is under way may end while the road is closed for sleep, and then every connection ends', async (t) => {
  const { proxy, acme, answers, close } = await begun(t)
  const server = new WebSocketServer({ server: acme.gateway })
  t.teardown(() => server.close())
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
  await once(socket, 'open')
  const closed = once(
    socket.on('error', () => undefined),
    'close',
  )
  const upload = await open(proxy, acme.host, '/', { method: 'POST', body: 'x' })
  close('asleep')
  answers[0]?.end('end')
  t.is(await text(upload), 'begun;end')
  await closed
  await eventually(t, () => acme.sockets.size === 0, 'nothing is left at the machine')
})

test('the time to end is bounded, and no other reason gives any', async (t) => {
  for (const [first, then] of [
    ['billing'],
    ['deleting'],
    ['suspended'],
    ['provisioning'],
    ['asleep', 'billing'],
    ['asleep'],
  ] as const) {
    // prettier-ignore
    const { proxy, acme, clock, close } = await begun(t)
    const answer = await open(proxy, acme.host, '/')
    const cut = t.throwsAsync(text(answer), { code: 'ECONNRESET' })
    close(first)
    if (then !== undefined) close(then)
    else if (first === 'asleep') {
      await clock.advance(29_000)
      t.is(acme.sockets.size, 1)
      await clock.advance(1_000)
    }
    await cut
    await eventually(t, () => acme.sockets.size === 0, `${first}: nothing is left`)
    await proxy.close()
    await acme.close()
  }
})

test('a road that opens to another machine ends what was under way at the former', async (t) => {
  const { proxy, acme, answers, close, reopen } = await begun(t)
  const answer = await open(proxy, acme.host, '/')
  const cut = t.throwsAsync(text(answer), { code: 'ECONNRESET' })
  close('asleep')
  reopen({ machine: 'm-other' })
  await cut
  const next = await open(proxy, acme.host, '/')
  answers[1]?.end('end')
  t.is(await text(next), 'begun;end')
})

test('an open page does not keep a tenant that falls asleep awake', async (t) => {
  const { proxy, acme, woken, close } = await begun(t)
  const events = await open(proxy, acme.host, '/?type=text/event-stream')
  const cut = t.throwsAsync(text(events), { code: 'ECONNRESET' })
  close('asleep')
  await cut
  t.deepEqual(woken, [])
})
