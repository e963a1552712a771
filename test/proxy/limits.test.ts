// One tenant cannot take more than its share, and the others notice nothing of its trying.
import test from 'ava'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import WebSocket, { WebSocketServer } from 'ws'
import { defaultLimits, TenantLimiter } from '../../proxy/limits.ts'
import { ask, eventually, open, raw, startStage, startTenant } from '../helpers/upstream.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

const code = (body: string) => (JSON.parse(body) as { code: string }).code

test('a rate lets a burst through, then its pace, per tenant', async (t) => {
  const clock = new VirtualClock()
  const limiter = new TenantLimiter({ ...defaultLimits, ratePerSecond: 10, burst: 3 }, clock)
  const enter = (uid: string) => {
    const entered = limiter.enter(uid, 'request')
    if (entered === 'entered') limiter.leave(uid, 'request')
    return entered
  }
  t.deepEqual(['a', 'a', 'a', 'a', 'b'].map(enter), ['entered', 'entered', 'entered', 'too-many-requests', 'entered'])
  await clock.advance(100)
  t.deepEqual(['a', 'a'].map(enter), ['entered', 'too-many-requests'])
  await clock.advance(10_000)
  t.deepEqual(['a', 'a', 'a', 'a'].map(enter).filter((entered) => entered === 'entered').length, 3)
  await clock.advance(10_000)
  limiter.enter('b', 'socket')
  limiter.sweep()
  t.is(limiter.tenants, 1, 'only who has something in use is remembered')
})

test('too many requests at a time are 503, for this tenant only, until one has ended', async (t) => {
  const held: ServerResponse[] = []
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => held.push(response)) // prettier-ignore
  const globex = await startTenant(t, 'globex', (_request: IncomingMessage, response: ServerResponse) => response.end())
  const { proxy } = await startStage(t, [acme.route(), globex.route()], { limits: { concurrency: 2 } })
  const answers = [ask(proxy, acme.host), ask(proxy, acme.host)]
  await eventually(t, () => held.length === 2, 'two are in progress')
  const third = await ask(proxy, acme.host)
  t.is(third.status, 503)
  t.is(code(third.body), 'busy')
  t.is(third.headers['retry-after'], '1')
  t.is((await ask(proxy, globex.host)).status, 200)
  held.splice(0).forEach((response) => response.end())
  await Promise.all(answers)
  const after = ask(proxy, acme.host)
  await eventually(t, () => held.length === 1, 'there is a place again')
  held[0]?.end()
  t.is((await after).status, 200)
  t.is(proxy.stats().pages.busy, 1)
})

test('a place is given back also by who leaves, and by who meets a dead machine', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.write('x')) // prettier-ignore
  const { proxy } = await startStage(t, [acme.route()], { limits: { concurrency: 1 } })
  for (let round = 0; round < 3; round += 1) {
    const answer = await open(proxy, acme.host, '/')
    t.is(answer.statusCode, 200)
    answer.on('error', () => undefined).destroy()
    await eventually(t, () => proxy.stats().inFlight === 0, 'it is over')
  }
  await acme.close()
  for (let round = 0; round < 3; round += 1) t.is((await ask(proxy, acme.host, '/', { method: 'POST' })).status, 502)
})

test('too many requests in a time are 429', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end())
  const { proxy } = await startStage(t, [acme.route()], { limits: { burst: 2, ratePerSecond: 0.001 } })
  const replies = [await ask(proxy, acme.host), await ask(proxy, acme.host), await ask(proxy, acme.host)]
  t.deepEqual(replies.map(({ status }) => status), [200, 200, 429]) // prettier-ignore
  t.is(replies[2]?.headers['retry-after'], '1')
  t.is(acme.reached(), 1)
})

test('WebSockets have a number of their own', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end())
  new WebSocketServer({ server: acme.gateway })
  const { proxy } = await startStage(t, [acme.route()], { limits: { sockets: 1, concurrency: 1 } })
  const dial = () => new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
  const first = dial()
  await once(first, 'open')
  t.is((await ask(proxy, acme.host)).status, 200)
  const second = dial().on('error', () => undefined)
  const [, answer] = (await once(second, 'unexpected-response')) as [unknown, IncomingMessage]
  t.is(answer.statusCode, 503)
  answer.resume()
  first.terminate()
  await eventually(t, () => proxy.stats().openUpgrades === 0, 'it is gone')
  const third = dial()
  await once(third, 'open')
  third.terminate()
})

test('a body that is too large is 413: at once where its length is told, else when it has become so', async (t) => {
  const got: number[] = []
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    let size = 0
    request.on('data', (chunk: Buffer) => (size += chunk.length))
    request.on('end', () => (got.push(size), response.end())).on('error', () => undefined)
  })
  const { proxy } = await startStage(t, [acme.route()], { limits: { bodyBytes: 1_000 } })
  const head = `POST / HTTP/1.1\r\nHost: ${acme.host}\r\n`
  const told = await raw(proxy, `${head}Content-Length: 1001\r\n\r\n`)
  t.regex(told.text, /^HTTP\/1\.1 413 [^]*"code":"too-large"/)
  t.is(told.end, 'closed')
  t.is(acme.reached(), 0)
  const chunk = `3e8\r\n${'x'.repeat(1_000)}\r\n`
  const grown = await raw(proxy, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}1\r\nx\r\n`)
  t.regex(grown.text, /^HTTP\/1\.1 413 /)
  t.deepEqual(got, [])
  const right = await raw(
    proxy,
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`,
    2_000,
    /^HTTP\/1\.1 200 /,
  )
  t.regex(right.text, /^HTTP\/1\.1 200 /)
  t.deepEqual(got, [1_000])
})

test('headers that do not arrive in time are 408', async (t) => {
  const { proxy } = await startStage(t, [], { limits: { headersMs: 100 } })
  const reply = await raw(proxy, 'GET / HTTP/1.1\r\nHost: a.local', 12_000)
  t.regex(reply.text, /^HTTP\/1\.1 408 /)
})

test('an exchange in which nothing moves, or that takes too long, ends; one that moves goes on', async (t) => {
  const clock = new VirtualClock()
  const streams: ServerResponse[] = []
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/never') return
    response.write('begun')
    streams.push(response)
  })
  const limits = { idleMs: 60_000, totalMs: 300_000 }
  const { proxy } = await startStage(t, [acme.route()], { clock, limits, headTimeoutMs: 10_000_000 })
  const never = ask(proxy, acme.host, '/never')
  const ended: string[] = []
  for (const name of ['quiet', 'lively']) {
    const answer = await open(proxy, acme.host, '/', { agent: new http.Agent() })
    answer.on('error', () => ended.push(name)).resume()
  }
  await eventually(t, () => proxy.stats().inFlight === 3, 'three are in progress')
  for (let second = 0; second < 90; second += 15) {
    const { bytesWritten } = streams[1]?.socket ?? { bytesWritten: 0 }
    streams[1]?.write('.'.repeat(1 + bytesWritten * 0))
    await new Promise((resolve) => setTimeout(resolve, 60))
    await clock.advance(15_000)
  }
  t.is((await never).status, 504)
  await eventually(t, () => ended.length === 1, 'the quiet one has ended')
  t.deepEqual(ended, ['quiet'])
  await clock.advance(300_000)
  await eventually(t, () => ended.length === 2, 'the lively one took too long altogether')
  await eventually(t, () => acme.sockets.size === 0, 'nothing is left at the tenant')
})
