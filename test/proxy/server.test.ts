// The proxy as a whole: its pages over the wire, its log, how it starts and how it ends.
import test from 'ava'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import { startProxy } from '../../proxy/server.ts'
import { realClock } from '../../src/clock.ts'
import { listening } from '../helpers/bridge.ts'
import { ask, eventually, keys, open, raw, startStage, startTenant, text } from '../helpers/upstream.ts'

const answering = (body: string) => (_request: IncomingMessage, response: ServerResponse) => response.end(body)

test('closed and unknown tenants get their page, for people and for programs', async (t) => {
  const acme = await startTenant(t, 'acme', answering('acme'))
  const closed = (reason: 'provisioning' | 'suspended' | 'billing' | 'deleting' | 'failed') =>
    acme.route({ uid: reason, hosts: [`${reason}.localhost`], route: { kind: 'closed', reason } })
  const reasons = ['provisioning', 'suspended', 'billing', 'deleting', 'failed'] as const
  const { proxy } = await startStage(t, reasons.map(closed), { retryAfterSeconds: 9 })
  for (const [reason, status] of Object.entries({
    provisioning: 503,
    suspended: 503,
    billing: 402,
    deleting: 410,
    failed: 503,
    nobody: 404,
  })) {
    // prettier-ignore
    const program = await ask(proxy, `${reason}.localhost`, '/?q=secret')
    t.is(program.status, status)
    t.is((JSON.parse(program.body) as { status: number }).status, status)
    const person = await ask(proxy, `${reason}.localhost`, '/', { headers: { accept: 'text/html' } })
    t.is(person.status, status)
    t.regex(person.body, /^<!doctype html>/)
    t.is(person.headers['retry-after'], { provisioning: '9', failed: '30' }[reason])
    const head = await ask(proxy, `${reason}.localhost`, '/', { method: 'HEAD' })
    t.is(head.status, status)
    t.is(head.body, '')
  }
  t.is(acme.reached(), 0)
  t.is(proxy.stats().pages.billing, 3)
})

test('a refused upload is answered, and its connection carries no second request', async (t) => {
  const { proxy } = await startStage(t, [])
  const reply = await raw(
    proxy,
    'POST / HTTP/1.1\r\nHost: nobody.localhost\r\nContent-Length: 1000000\r\n\r\npart',
    2_000,
  )
  t.regex(reply.text, /^HTTP\/1\.1 404 /)
  t.is(reply.end, 'closed')
})

test('headers that are too large, and bytes that are no HTTP, get an answer with an id', async (t) => {
  const { proxy } = await startStage(t, [])
  const large = await raw(proxy, `GET / HTTP/1.1\r\nHost: a.localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)
  t.regex(large.text, /^HTTP\/1\.1 431 /)
  const noise = await raw(proxy, '\x16\x03\x01\x02\x00\x01\x00\x01')
  t.regex(noise.text, /^HTTP\/1\.1 400 [^]*x-request-id: [0-9a-f]{32}\r\n/)
})

test('the log tells each request once, without queries, tokens in paths, or cookies', async (t) => {
  const acme = await startTenant(t, 'acme', answering('acme'))
  const { proxy, lines } = await startStage(t, [acme.route()])
  const headers = { cookie: 'sid=s3cret', authorization: 'Bearer s3cret' }
  const { headers: answered } = await ask(proxy, acme.host, '/v1/models?token=s3cret', { headers })
  await ask(proxy, acme.host, '/bot123456-s3cret/updates')
  await eventually(t, () => lines.filter(({ message }) => message === 'request').length === 2, 'two lines')
  const [first, second] = lines.filter(({ message }) => message === 'request').map(({ fields }) => fields)
  const { ms, ...rest } = first as { ms: number }
  t.true(ms >= 0)
  t.deepEqual(rest, {
    requestId: answered['x-request-id'],
    uid: acme.uid,
    host: acme.host,
    method: 'GET',
    path: '/v1',
    upgrade: false,
    status: 200,
    complete: true,
  } as object)
  t.like(second, { path: '/…' })
  t.notRegex(JSON.stringify(lines), /s3cret/)
})

test('the log can be sampled: failures are always told, and a trace by its id', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(request.url === '/broken' ? 500 : 200).end()
  })
  const { proxy, lines } = await startStage(t, [acme.route()], { logSample: 0 })
  const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  await ask(proxy, acme.host)
  await ask(proxy, acme.host, '/broken', { headers })
  await ask(proxy, 'nobody.localhost')
  await eventually(t, () => proxy.stats().inFlight === 0, 'all are over')
  const told = lines.filter(({ message }) => message === 'request').map(({ fields }) => fields)
  t.is(told.length, 1)
  t.like(told[0], { path: '/broken', status: 500, trace: '0af7651916cd43dd8448eb211c80319c' })
})

test('behind Fly the client is who Fly says; a loopback client can have another name', async (t) => {
  const seen: (string | string[] | undefined)[] = []
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    seen.push(request.headers['x-forwarded-for'], request.headers['x-forwarded-proto'])
    response.end()
  })
  const fly = await startStage(t, [acme.route()], { edge: 'fly' })
  const headers = {
    'fly-client-ip': '203.0.113.9',
    'x-forwarded-for': '6.6.6.6, 203.0.113.9',
    'x-forwarded-proto': 'https',
  }
  await ask(fly.proxy, acme.host, '/', { headers })
  const local = await startStage(t, [acme.route()], { loopbackAs: '192.0.2.1' })
  await ask(local.proxy, acme.host, '/', { headers })
  t.deepEqual(seen, ['203.0.113.9', 'https', '192.0.2.1', 'http'])
})

test('it does not listen before it knows the routes, nor when it cannot', async (t) => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const options = { port: 0, host: '127.0.0.1', keys, clock: realClock, log }
  const unable = { follow: () => Promise.reject(new Error('no database')) }
  await t.throwsAsync(startProxy({ ...options, routes: unable }), { message: 'no database' })

  let closed = 0
  const routes = { follow: async () => ({ close: async () => void (closed += 1) }) }
  const taken = net.createServer()
  const port = await listening(taken)
  await t.throwsAsync(startProxy({ ...options, port, routes }), { code: 'EADDRINUSE' })
  t.is(closed, 1, 'it stops following')
  taken.close()
})

test('closing lets a request finish, takes no new one, and then ends what is left', async (t) => {
  const held: ServerResponse[] = []
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) =>
    held.push(response),
  )
  const { proxy } = await startStage(t, [acme.route()], { graceMs: 300 })
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  const finishing = ask(proxy, acme.host, '/', { agent })
  const stuck = ask(proxy, acme.host, '/')
  const lost = t.throwsAsync(stuck, { code: 'ECONNRESET' })
  await eventually(t, () => held.length === 2, 'both are under way')
  const closing = proxy.close()
  held[0]?.end('done')
  const reply = await finishing
  t.is(reply.body, 'done')
  t.is(reply.headers.connection, 'close')
  await t.throwsAsync(ask(proxy, acme.host), { code: 'ECONNREFUSED' })
  await lost
  await closing
  await eventually(t, () => acme.sockets.size === 0, 'no connection to the tenant is left')
})

test('a stream that runs when the proxy closes is cut at the end of the grace, not completed', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) =>
    response.write('begun'),
  )
  const { proxy } = await startStage(t, [acme.route()], { graceMs: 100 })
  const answer = await open(proxy, acme.host, '/')
  const cut = t.throwsAsync(text(answer), { code: 'ECONNRESET' })
  await proxy.close()
  await cut
})
