// No byte of a request reaches another tenant: addresses that moved, requests that can be read in two ways, forged headers.
import test from 'ava'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ask, eventually, raw, startStage, startTenant } from '../helpers/upstream.ts'

/** Tells whose machine answered, and what it was asked. */
const named = (name: string) => (request: IncomingMessage, response: ServerResponse) => {
  request.resume()
  request.on('end', () => response.end(`${name} ${request.method ?? ''} ${request.url ?? ''}`))
}

test('tenants whose addresses have been swapped get nothing of each other', async (t) => {
  const acme = await startTenant(t, 'acme', named('acme'))
  const globex = await startTenant(t, 'globex', named('globex'))
  const there = (of: typeof acme) => {
    const { route } = of.route()
    return route.kind === 'forward' ? { address: route.address, port: route.port } : {}
  }
  const { proxy, lines } = await startStage(t, [acme.route({}, there(globex)), globex.route({}, there(acme))])
  for (const { host } of [acme, globex]) {
    const reply = await ask(proxy, host, '/?secret=1', { method: 'POST', body: 'secret' })
    t.is(reply.status, 502)
    t.notRegex(reply.body, /acme|globex|127\.0\.0/)
  }
  t.is(acme.reached() + globex.reached(), 0, 'not one connection came through a bridge')
  t.true(proxy.stats().crossTenantBlocked >= 2)
  t.true(lines.some(({ level }) => level === 'error'))
})

test('an earlier incarnation of the same tenant is refused as well', async (t) => {
  const acme = await startTenant(t, 'acme', named('acme'), { incarnation: 1 })
  const { proxy } = await startStage(t, [acme.route({}, { incarnation: 2 })])
  t.is((await ask(proxy, acme.host)).status, 502)
  t.is(acme.reached(), 0)
})

test('a machine that moves takes no pooled connection along', async (t) => {
  const old = await startTenant(t, 'acme', named('old'))
  const { proxy, sink } = await startStage(t, [old.route()])
  t.is((await ask(proxy, old.host)).body, 'old GET /')
  await eventually(t, () => proxy.stats().upstreamConnections === 1, 'one connection is kept')
  sink.put(old.route({ revision: 2, route: { kind: 'closed', reason: 'provisioning' } }))
  await eventually(t, () => old.sockets.size === 0, 'the kept connection is closed with the route')
  t.is((await ask(proxy, old.host)).status, 503)
})

const get = (extra: string, line = 'GET / HTTP/1.1') => `${line}\r\n${extra}\r\n`
const host = 'Host: acme.localhost\r\n'

/** Requests that two servers could read differently: each is refused, and the tenant never hears of it. */
const doubtful: Readonly<Record<string, string>> = {
  'no Host': get(''),
  'no Host in HTTP/1.0': get('', 'GET / HTTP/1.0'),
  'two Hosts': get(`${host}Host: globex.localhost\r\n`),
  'Host with a space before the colon': get('Host : acme.localhost\r\n'),
  'absolute form of another host': get(host, 'GET http://globex.localhost/ HTTP/1.1'),
  'length and chunks':
    get(`${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`, 'POST / HTTP/1.1') + '0\r\n\r\n',
  'two lengths': get(`${host}Content-Length: 4\r\nContent-Length: 5\r\n`, 'POST / HTTP/1.1') + 'aaaa',
  'a length with a sign': get(`${host}Content-Length: +4\r\n`, 'POST / HTTP/1.1') + 'aaaa',
  'chunked, obscured by a tab':
    get(`${host}Transfer-Encoding:\tchunked, identity\r\n`, 'POST / HTTP/1.1') + '0\r\n\r\n',
  'chunked twice':
    get(`${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`, 'POST / HTTP/1.1') + '0\r\n\r\n',
  'an unknown coding': get(`${host}Transfer-Encoding: xchunked\r\n`, 'POST / HTTP/1.1') + '0\r\n\r\n',
  'a folded header': get(`${host}X-A: 1\r\n Transfer-Encoding: chunked\r\n`),
  'a bare line feed in a header': get(`${host}X-A: 1\nTransfer-Encoding: chunked\r\n`),
  'a null byte in a header': get(`${host}X-A: a\0b\r\n`),
  CONNECT: get(host, 'CONNECT acme.localhost:80 HTTP/1.1'),
}

test('a request that can be read in two ways is refused and reaches nobody', async (t) => {
  const acme = await startTenant(t, 'acme', named('acme'))
  const globex = await startTenant(t, 'globex', named('globex'))
  const { proxy } = await startStage(t, [acme.route(), globex.route()])
  for (const [what, bytes] of Object.entries(doubtful)) {
    const reply = await raw(proxy, bytes)
    t.regex(reply.text, /^(HTTP\/1\.1 (4\d\d|501) |$)/, `${what}: ${reply.text.slice(0, 80)}`)
    t.notRegex(reply.text, /acme GET|acme POST|globex GET/, what)
  }
  t.is(acme.reached() + globex.reached(), 0)
  t.is((await ask(proxy, acme.host)).body, 'acme GET /', 'and the road is open as before')
})

test('a request hidden in the body of another stays a body', async (t) => {
  const seen: string[] = []
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''} ${body.length}`)
      response.end('ok')
    })
  })
  const { proxy } = await startStage(t, [acme.route()])
  const hidden = `GET /hidden HTTP/1.1\r\n${host}\r\n`
  for (const method of ['DELETE', 'OPTIONS', 'GET', 'POST']) {
    const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`
    const reply = await raw(proxy, `${method} /outer HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunk}`)
    t.regex(reply.text, /^HTTP\/1\.1 200/, method)
  }
  t.is(seen.length, 4)
  t.true(
    seen.every((line) => line.includes('/outer') && line.endsWith(` ${hidden.length}`)),
    seen.join(),
  )
})

test('forged forwarding headers do not reach the tenant, and each true one does once', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    response.end(JSON.stringify(request.rawHeaders))
  })
  const { proxy } = await startStage(t, [acme.route()], { loopbackAs: '192.0.2.1' })
  const forged = ['X-Forwarded-For', 'x-forwarded-for', 'Forwarded', 'X-Real-IP', 'X-Forwarded-Proto', 'Fly-Client-IP']
  const bytes = get(`${host}Connection: close\r\n${forged.map((name) => `${name}: 127.0.0.1\r\n`).join('')}`)
  const reply = await raw(proxy, bytes)
  const headers = JSON.parse(reply.text.slice(reply.text.indexOf('['), reply.text.lastIndexOf(']') + 1)) as string[]
  const values = (name: string) => headers.filter((_, index) => headers[index - 1]?.toLowerCase() === name)
  t.deepEqual(values('x-forwarded-for'), ['192.0.2.1'])
  t.deepEqual(values('x-forwarded-proto'), ['http'])
  for (const name of ['forwarded', 'x-real-ip', 'fly-client-ip']) t.deepEqual(values(name), [])
})
