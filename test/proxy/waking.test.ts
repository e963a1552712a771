// Wake on request: who asks for a tenant that sleeps is held, wakes it once, and goes on or is answered, exactly once.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import { Registry } from 'prom-client'
import WebSocket, { WebSocketServer } from 'ws'
import type { ProxyOptions } from '../../proxy/server.ts'
import type { ClosedReason } from '../../specs/route.ts'
import { ask, eventually, open, startStage, startTenant, text } from '../helpers/upstream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

const browser = { headers: { accept: 'text/html,*/*;q=0.8' } }

/** A tenant that sleeps behind a proxy on a clock of the test's, and who was told what. */
async function sleeping(t: ExecutionContext, more: Partial<ProxyOptions> = {}, first: ClosedReason = 'asleep') {
  const paths: string[] = []
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    paths.push(request.url ?? '')
    request.resume().once('end', () => response.end('awake'))
  })
  const clock = new VirtualClock()
  const woken: string[] = []
  const used: string[] = []
  const unwritten = new Set<string>()
  const activity = {
    used: (uid: string) => void used.push(uid),
    wake: (uid: string) => void woken.push(uid),
    unwritten: (uid: string) => unwritten.has(uid),
  }
  let revision = 1
  const closed = (reason: ClosedReason) => acme.route({ revision: revision++, route: { kind: 'closed', reason } })
  const stage = await startStage(t, [closed(first)], { clock, activity, ...more })
  const { proxy, sink } = stage
  const close = (reason: ClosedReason) => sink.put(closed(reason))
  const wakeUp = () => sink.put(acme.route({ revision: revision++ }))
  const held = (count: number) => eventually(t, () => proxy.stats().held === count, `${count} are held`)
  return { ...stage, acme, clock, paths, woken, used, unwritten, close, wakeUp, held }
}

test('fifty requests wake a tenant once, and all of them are answered by it', async (t) => {
  const { proxy, acme, woken, used, close, wakeUp, held, lines, clock } = await sleeping(t)
  const asked = Array.from({ length: 50 }, (_, index) => ask(proxy, acme.host, `/${index}`))
  await held(50)
  t.is(acme.reached(), 0)
  t.deepEqual(used, [], 'nothing has been forwarded')
  close('waking')
  await clock.advance(1_000)
  await held(50)
  wakeUp()
  for (const { status, body } of await Promise.all(asked)) t.deepEqual([status, body], [200, 'awake'])
  t.deepEqual(woken, [acme.uid])
  const { held: left, holds, wakes } = proxy.stats()
  t.deepEqual({ left, holds, wakes }, { left: 0, holds: { forwarded: 50 }, wakes: 1 })
  await eventually(t, () => proxy.stats().inFlight === 0, 'all are over')
  const told = lines.filter(({ message }) => message === 'request').map(({ fields }) => fields)
  t.like(told[0], { status: 200, heldMs: 1_000 })
})

test('of ten thousand tenants one that a thousand ask for is woken once, and no request is lost, with a body or without', async (t) => {
  const many = { heldPerTenant: 1_000, concurrency: 1_000, burst: 1_000 }
  const { proxy, sink, acme, woken, wakeUp, held } = await sleeping(t, { limits: many, dialTimeoutMs: 60_000 })
  for (let index = 0; index < 9_999; index += 1) {
    const [uid, host] = [`uid-${index}`, `t${index}.apps.test`]
    sink.put({ uid, name: `t${index}`, hosts: [host], revision: 1, route: { kind: 'closed', reason: 'asleep' } })
  }
  const body = Buffer.alloc(65_536, 'x')
  const asked = Array.from({ length: 1_000 }, (_, index) =>
    ask(proxy, acme.host, `/${index}`, index % 4 === 0 ? { method: 'POST', body } : {}),
  )
  await held(1_000)
  wakeUp()
  const statuses = new Set((await Promise.all(asked)).map(({ status }) => status))
  t.deepEqual([...statuses], [200])
  t.deepEqual([woken, acme.reached() > 0], [[acme.uid], true])
})

test('who waits goes on in order of arrival, both lanes alike', async (t) => {
  const { proxy, acme, paths, wakeUp, held } = await sleeping(t, { limits: { concurrency: 1 } })
  const methods = ['PUT', 'GET', 'POST', 'GET']
  const asked = methods.map(async (method, index) => {
    await held(index)
    const reply = await ask(proxy, acme.host, `/${index}`, { method })
    return reply.status
  })
  await held(4)
  wakeUp()
  t.deepEqual(await Promise.all(asked), [200, 503, 503, 503], 'the first takes the only place that there is')
  t.deepEqual(paths, ['/0'])
})

test('while it wakes up nobody wakes it again; after five seconds somebody new does', async (t) => {
  const waking = await sleeping(t, {}, 'waking')
  const asked = [ask(waking.proxy, waking.acme.host)]
  await waking.held(1)
  t.deepEqual(waking.woken, [])
  waking.wakeUp()
  t.is((await asked[0])?.status, 200)

  const { proxy, acme, clock, woken, held, wakeUp } = await sleeping(t)
  const first = ask(proxy, acme.host)
  await held(1)
  await clock.advance(4_900)
  const second = ask(proxy, acme.host)
  await held(2)
  t.is(woken.length, 1)
  await clock.advance(200)
  const third = ask(proxy, acme.host)
  await held(3)
  t.is(woken.length, 2)
  wakeUp()
  for (const reply of await Promise.all([first, second, third])) t.is(reply.status, 200)
})

test('too many for one tenant, or in total, are told to come back', async (t) => {
  const { proxy, acme, sink, woken, wakeUp, held } = await sleeping(t, { limits: { heldPerTenant: 2, held: 3 } })
  const other = (uid: string) => acme.route({ uid, hosts: [`${uid}.localhost`], route: { kind: 'closed', reason: 'asleep' } }) // prettier-ignore
  for (const uid of ['b', 'c']) sink.put(other(uid))
  const asked = [ask(proxy, acme.host), ask(proxy, acme.host)]
  await held(2)
  const full = await ask(proxy, acme.host)
  t.deepEqual([full.status, full.headers['retry-after']], [503, '5'])
  t.is((JSON.parse(full.body) as { code: string }).code, 'crowded')
  const b = ask(proxy, 'b.localhost')
  await held(3)
  t.is((await ask(proxy, 'c.localhost')).status, 503)
  t.deepEqual(woken, [acme.uid, 'b', 'c'], 'who cannot wait wakes the tenant all the same')
  wakeUp()
  for (const reply of await Promise.all(asked)) t.is(reply.status, 200)
  sink.drop('b')
  t.is((await b).status, 404)
  t.deepEqual(proxy.stats().holds, { overflow: 2, forwarded: 2, closed: 1 })
})

test('after thirty seconds it is a 503 that says when to come back; a browser gets its page after two', async (t) => {
  const { proxy, acme, clock, held } = await sleeping(t)
  const program = ask(proxy, acme.host)
  const person = ask(proxy, acme.host, '/', browser)
  const posted = ask(proxy, acme.host, '/', { ...browser, method: 'POST', body: 'form' })
  await held(3)
  await clock.advance(2_000)
  const page = await person
  t.deepEqual([page.status, page.headers['retry-after']], [503, '5'])
  t.regex(page.body, /<meta http-equiv="refresh" content="5">[^]*Waking up/)
  await clock.advance(27_000)
  t.is(proxy.stats().held, 2)
  await clock.advance(1_000)
  for (const reply of await Promise.all([program, posted])) {
    t.deepEqual([reply.status, reply.headers['retry-after']], [503, '5'])
  }
  t.deepEqual(proxy.stats().holds, { page: 1, timeout: 2 })
  t.is(acme.reached(), 0)
})

test('a browser whose tenant is up within two seconds never sees the page', async (t) => {
  const { proxy, acme, clock, held, wakeUp } = await sleeping(t)
  const person = ask(proxy, acme.host, '/', browser)
  await held(1)
  await clock.advance(1_900)
  wakeUp()
  t.is((await person).body, 'awake')
})

test('billing, the admin and deletion have their page at once and wake nobody; meanwhile, too', async (t) => {
  for (const [reason, status] of [
    ['billing', 402],
    ['suspended', 503],
    ['deleting', 410],
  ] as const) {
    // prettier-ignore
    const { proxy, acme, woken, close, held } = await sleeping(t)
    const waits = ask(proxy, acme.host)
    await held(1)
    close(reason)
    t.is((await waits).status, status)
    t.is((await ask(proxy, acme.host)).status, status)
    t.deepEqual(woken, [acme.uid], 'once, while it slept')
    t.deepEqual(proxy.stats().holds, { closed: 1 })
    await proxy.close()
    await acme.close()
  }
})

test('a client that leaves is dropped at once, and leaves nothing behind', async (t) => {
  const { proxy, acme, clock, wakeUp, held } = await sleeping(t)
  const pending = clock.pending
  const client = http.request({ host: '127.0.0.1', port: proxy.port, headers: { host: acme.host } })
  client.on('error', () => undefined).end()
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
  socket.on('error', () => undefined)
  await held(2)
  client.destroy()
  await held(1)
  socket.terminate()
  await held(0)
  t.is(clock.pending, pending, 'no timer is left')
  await eventually(t, () => proxy.stats().inFlight + proxy.stats().openUpgrades === 0, 'nothing is open')
  wakeUp()
  t.is((await ask(proxy, acme.host)).status, 200)
  t.is(acme.reached(), 1)
  t.deepEqual(proxy.stats().holds, { gone: 2 })
})

test('a body is neither asked for nor taken before the tenant is there', async (t) => {
  const { proxy, acme, wakeUp, held, clock } = await sleeping(t)
  const heard: string[] = []
  const client = net.connect({ host: '127.0.0.1', port: proxy.port })
  client.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')))
  t.teardown(() => client.destroy())
  client.write(`POST /up HTTP/1.1\r\nHost: ${acme.host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
  await held(1)
  const large = http.request({ host: '127.0.0.1', port: proxy.port, method: 'POST', headers: { host: acme.host } })
  large.on('error', () => undefined)
  const size = 20_000_000
  let sent = false
  large.write(Buffer.alloc(size), () => (sent = true))
  await held(2)
  await clock.advance(1_000)
  t.deepEqual(heard, [])
  t.false(sent, 'most of it is still with the client')
  wakeUp()
  large.end()
  const [answer] = (await once(large, 'response')) as [IncomingMessage]
  t.is(await text(answer), 'awake')
  await eventually(t, () => heard.join('').includes('100 Continue'), 'it may go on')
  client.write('hello')
  await eventually(t, () => heard.join('').endsWith('awake'), 'it is answered')
})

test('a body that is too large is refused without waiting, and wakes nobody', async (t) => {
  const { proxy, acme, woken } = await sleeping(t, { limits: { bodyBytes: 3 } })
  t.is((await ask(proxy, acme.host, '/', { method: 'POST', body: 'four', headers: { 'content-length': 4 } })).status, 413) // prettier-ignore
  t.deepEqual(woken, [])
})

test('a WebSocket is held and then opened, with what its client said early', async (t) => {
  const { proxy, acme, woken, used, wakeUp, held } = await sleeping(t)
  const server = new WebSocketServer({ server: acme.gateway })
  server.on('connection', (peer) =>
    peer.on('message', (message) => peer.send(`echo ${(message as Buffer).toString()}`)),
  )
  t.teardown(() => server.close())
  const client = net.connect({ host: '127.0.0.1', port: proxy.port })
  const heard: Buffer[] = []
  client.on('data', (chunk: Buffer) => heard.push(chunk))
  t.teardown(() => client.destroy())
  const hello = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
  const head = `GET / HTTP/1.1\r\nHost: ${acme.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  client.write(Buffer.concat([Buffer.from(head), hello]))
  await held(1)
  client.write(hello)
  await eventually(t, () => client.bytesWritten > 0 && woken.length === 1, 'it wakes the tenant')
  wakeUp()
  await eventually(t, () => Buffer.concat(heard).toString('latin1').split('echo hi').length === 3, 'both are echoed')
  t.true(used.length >= 2)
})

test('upgrades that wait are refused like requests: timeout, billing', async (t) => {
  const { proxy, acme, clock, close, held } = await sleeping(t)
  const dial = () => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
    socket.on('error', () => undefined)
    return once(socket, 'unexpected-response') as Promise<[unknown, IncomingMessage]>
  }
  const late = dial()
  await held(1)
  await clock.advance(30_000)
  t.is((await late)[1].statusCode, 503)
  const unpaid = dial()
  await held(1)
  close('billing')
  t.is((await unpaid)[1].statusCode, 402)
})

test('a proxy that closes answers who waits', async (t) => {
  const { proxy, acme, held } = await sleeping(t)
  const request = open(proxy, acme.host, '/', { agent: new http.Agent({ keepAlive: true }) })
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
  socket.on('error', () => undefined)
  const refused = once(socket, 'unexpected-response') as Promise<[unknown, IncomingMessage]>
  await held(2)
  const closing = proxy.close()
  const answer = await request
  t.deepEqual([answer.statusCode, answer.headers.connection], [503, 'close'])
  answer.resume()
  const [, upgrade] = await refused
  t.is(upgrade.statusCode, 503)
  upgrade.resume()
  await closing
  t.deepEqual(proxy.stats().holds, { closing: 2 })
})

test('a tenant in use that is put to sleep is woken at once; an idle one is not', async (t) => {
  const answers: ServerResponse[] = []
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => answers.push(response)) // prettier-ignore
  const woken: string[] = []
  const unwritten = new Set<string>()
  const activity = {
    used: () => undefined,
    wake: (uid: string) => void woken.push(uid),
    unwritten: (uid: string) => unwritten.has(uid),
  }
  const { proxy, sink } = await startStage(t, [acme.route()], { activity })
  let revision = 2
  const sleep = () => sink.put(acme.route({ revision: revision++, route: { kind: 'closed', reason: 'asleep' } }))
  sleep()
  t.deepEqual(woken, [], 'nobody uses it')
  sink.put(acme.route({ revision: revision++ }))
  unwritten.add(acme.uid)
  sleep()
  t.deepEqual(woken, [acme.uid], 'a use is not written yet')
  sleep()
  t.is(woken.length, 1, 'it is asked once')
  unwritten.clear()
  sink.put(acme.route({ revision: revision++ }))
  const asked = ask(proxy, acme.host)
  await eventually(t, () => answers.length === 1, 'it is under way')
  sleep()
  t.is(woken.length, 2, 'a request is under way')
  answers[0]?.end('done')
  t.is((await asked).body, 'done')
})

test('where nobody can be woken it says so at once, and says when to come back; who wakes up anyway is waited for', async (t) => {
  const state = { reachable: false }
  const woken: string[] = []
  const activity = {
    used: () => undefined,
    wake: (uid: string) => void woken.push(uid),
    unwritten: () => false,
    canWake: () => state.reachable,
  }
  const { proxy, acme, close, wakeUp, held } = await sleeping(t, { activity })
  const program = await ask(proxy, acme.host)
  t.deepEqual([program.status, program.headers['retry-after']], [503, '30'])
  t.is((JSON.parse(program.body) as { code: string }).code, 'unwoken')
  const person = await ask(proxy, acme.host, '/', browser)
  t.regex(person.body, /<meta http-equiv="refresh" content="30">[^]*cannot be reached now/)
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
  socket.on('error', () => undefined)
  const [, upgrade] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  t.is(upgrade.statusCode, 503)
  upgrade.resume()
  t.is(woken.length, 3, 'the wish is kept')
  close('waking')
  const waits = ask(proxy, acme.host)
  await held(1)
  close('asleep')
  state.reachable = true
  const other = ask(proxy, acme.host)
  await held(2)
  wakeUp()
  for (const reply of await Promise.all([waits, other])) t.is(reply.body, 'awake')
  // A proxy that nobody gave anything to wake with.
  const alone = await startStage(t, [acme.route({ route: { kind: 'closed', reason: 'asleep' } })])
  t.is((await ask(alone.proxy, acme.host)).status, 503)
})

test('waits can be read as metrics', async (t) => {
  const metrics = new Registry()
  const { proxy, acme, clock, wakeUp, held } = await sleeping(t, { metrics })
  const asked = ask(proxy, acme.host)
  await held(1)
  t.regex(await metrics.metrics(), /^moorage_proxy_held 1$/m)
  await clock.advance(1_500)
  wakeUp()
  await asked
  const said = await metrics.metrics()
  for (const line of [
    'moorage_proxy_held 0',
    'moorage_proxy_wakes_total 1',
    'moorage_proxy_holds_total{outcome="forwarded"} 1',
    'moorage_proxy_held_seconds_sum 1.5',
  ])
    t.true(said.includes(`${line}\n`), line)
})
