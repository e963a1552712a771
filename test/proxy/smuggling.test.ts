// Requests made to be read in two ways: raw bytes in, and what the tenant's gateway made of them.
import test, { type ExecutionContext } from 'ava'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ask, raw, startStage, startTenant } from '../helpers/upstream.ts'

/** A tenant that writes down every request it sees, with its body. */
async function witness(t: ExecutionContext, name: string) {
  const seen: string[] = []
  const heads: IncomingMessage[] = []
  const tenant = await startTenant(t, name, (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    heads.push(request)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen.push(`${request.method ?? ''} ${request.url ?? ''} ${Buffer.concat(chunks).toString()}`.trim())
      response.end(name)
    })
  })
  return { ...tenant, seen, heads }
}

async function stage(t: ExecutionContext) {
  const acme = await witness(t, 'acme')
  const globex = await witness(t, 'globex')
  return { acme, globex, ...(await startStage(t, [acme.route(), globex.route()])) }
}

const status = (text: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
const inner = 'GET /inner HTTP/1.1\r\nHost: globex.localhost\r\n\r\n'

const refused: Record<string, string> = {
  'two hosts': 'GET / HTTP/1.1\r\nHost: acme.localhost\r\nHost: globex.localhost\r\n\r\n',
  'two equal hosts': 'GET / HTTP/1.1\r\nHost: acme.localhost\r\nhost: acme.localhost\r\n\r\n',
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'no host in HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'an empty host': 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
  'a host in another script': 'GET / HTTP/1.1\r\nHost: äcme.localhost\r\n\r\n',
  'a host with an underscore': 'GET / HTTP/1.1\r\nHost: ac_me.localhost\r\n\r\n',
  'a host with userinfo': 'GET / HTTP/1.1\r\nHost: globex@acme.localhost\r\n\r\n',
  'a list of hosts': 'GET / HTTP/1.1\r\nHost: acme.localhost, globex.localhost\r\n\r\n',
  'an absolute form for another host': 'GET http://globex.localhost/ HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
  'an absolute form with userinfo':
    'GET http://acme.localhost@globex.localhost/ HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
  'an absolute form of another scheme': 'GET ftp://acme.localhost/ HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
  'an absolute form, no host': 'GET http://acme.localhost/ HTTP/1.1\r\n\r\n',
  'the asterisk form': 'OPTIONS * HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
  CONNECT: 'CONNECT globex.localhost:80 HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
  'a path that URL cannot read': 'GET // HTTP/1.1\r\nHost: acme.localhost\r\n\r\n',
  'length and coding': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  'coding and length': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`,
  'two lengths': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${inner}`,
  'a length list': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nContent-Length: 5, 5\r\n\r\n${inner}`,
  'a signed length': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nContent-Length: +5\r\n\r\n${inner}`,
  'an unknown coding': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`,
  'chunked twice': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${inner}`,
  'two codings': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${inner}`,
  'chunked not last': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${inner}`,
  'chunked in two headers': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n${inner}`,
  'a space before the colon': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${inner}`,
  'a folded header': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nX: y\r\n Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n chunked, x\r\n\r\n0\r\n\r\n${inner}`,
  'a vertical tab in the coding': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${inner}`,
  'a bare line feed in a header': `POST / HTTP/1.1\r\nHost: acme.localhost\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  'a coding in HTTP/1.0': `POST / HTTP/1.0\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  'an upgrade with a body': `GET / HTTP/1.1\r\nHost: acme.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
}

test('what can be read in two ways is refused, and no tenant sees any of it', async (t) => {
  const { proxy, acme, globex } = await stage(t)
  await Promise.all(
    Object.entries(refused).map(async ([what, bytes]) => {
      const reply = await raw(proxy, Buffer.from(bytes, 'utf8'))
      t.is(status(reply.text), 400, what)
      t.is(reply.text.match(/HTTP\/1\.1 /g)?.length, 1, `${what}: one answer`)
      t.not(reply.end, 'open', `${what}: the connection ends`)
      t.regex(reply.text, /x-request-id: [0-9a-f]{32}\r\n/, what)
      t.regex(reply.text, /"code":"bad-request"/, what)
    }),
  )
  t.deepEqual([acme.seen, globex.seen], [[], []])
})

const answered = /^HTTP\/1\.1 [^]*?\r\n\r\n/

test('a body stays a body, whatever the method says', async (t) => {
  const { proxy, acme, globex } = await stage(t)
  const chunks = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`
  for (const method of ['DELETE', 'OPTIONS', 'GET', 'HEAD', 'PATCH', 'POST', 'TRACE', 'SEARCH']) {
    const head = `${method} /outer HTTP/1.1\r\nHost: acme.localhost\r\n`
    await raw(proxy, `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`, 15_000, answered)
    await raw(proxy, `${head}Content-Length: ${inner.length}\r\n\r\n${inner}`, 15_000, answered)
    await raw(
      proxy,
      `${head}Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      15_000,
      answered,
    )
    await raw(
      proxy,
      `${head}Connection: close, Content-Length\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      15_000,
      answered,
    )
    await ask(proxy, acme.host, '/after')
    const wanted = `${method} /outer ${inner}`.trim()
    t.deepEqual(acme.seen.splice(0), [wanted, wanted, wanted, wanted, 'GET /after'], method)
  }
  t.deepEqual(globex.seen, [])
})

test('two requests in one write are two requests, each to its own tenant', async (t) => {
  const { proxy, acme, globex } = await stage(t)
  const first = 'POST /one HTTP/1.1\r\nHost: acme.localhost\r\nContent-Length: 2\r\n\r\nhi'
  const reply = await raw(proxy, `${first}GET /two HTTP/1.1\r\nHost: globex.localhost\r\n\r\n`, 15_000, /globex$/)
  t.regex(reply.text, /acme[^]*HTTP\/1\.1 200[^]*globex$/)
  t.deepEqual(acme.seen, ['POST /one hi'])
  t.deepEqual(globex.seen, ['GET /two'])
})

test('garbage after a request does not disturb its answer, nor get one in its place', async (t) => {
  const { proxy } = await stage(t)
  const reply = await raw(
    proxy,
    'GET / HTTP/1.1\r\nHost: acme.localhost\r\n\r\n\x00\x01garbage\r\n\r\n',
    15_000,
    /acme$/,
  )
  t.notRegex(reply.text, /HTTP\/1\.1 400/)
  const body = 'POST / HTTP/1.1\r\nHost: acme.localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'
  t.is(status((await raw(proxy, body)).text), 400, 'but garbage inside a body is that request’s own')
})

test('an absolute form for the same host is a path', async (t) => {
  const { proxy, acme } = await stage(t)
  for (const [target, path] of [
    ['http://ACME.localhost:80/a?b', '/a?b'],
    ['http://acme.localhost', '/'],
    ['https://acme.localhost?b', '/?b'],
  ])
    // prettier-ignore
    if (target !== undefined && path !== undefined) {
      await raw(proxy, `GET ${target} HTTP/1.1\r\nHost: acme.localhost\r\nConnection: close\r\n\r\n`)
      t.is(acme.seen.pop(), `GET ${path}`)
    }
})

test('what a client says about itself is replaced by what we know', async (t) => {
  const { proxy, acme } = await stage(t)
  const made = ['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 7.7.7.7', 'X_Forwarded_For: 6.6.6.6', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: globex.localhost', 'Forwarded: for=6.6.6.6', 'X-Real-IP: 6.6.6.6', 'Fly-Client-IP: 6.6.6.6', 'X-Moorage-Guest: x', 'X-Request-Id: mine'] // prettier-ignore
  const hops = ['Connection: close, x-secret', 'X-Secret: s', 'TE: trailers', 'Keep-Alive: timeout=9', 'Proxy-Authorization: Basic x', 'Proxy-Connection: keep-alive', 'Trailer: X'] // prettier-ignore
  const kept = ['Authorization: Bearer t', 'Cookie: a=1', 'Cookie: b=2', 'Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'Tracestate: x=y', 'Origin: http://acme.localhost'] // prettier-ignore
  await raw(
    proxy,
    `GET / HTTP/1.1\r\nHost: ACME.localhost.:7080\r\n${[...made, ...hops, ...kept].join('\r\n')}\r\n\r\n`,
    15_000,
    answered,
  )
  const headers = acme.heads[0]?.headers ?? {}
  const { 'x-request-id': id, ...rest } = headers
  t.regex(String(id), /^[0-9a-f]{32}$/)
  t.deepEqual(rest, {
    host: 'acme.localhost:7080',
    connection: 'keep-alive',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'acme.localhost:7080',
    authorization: 'Bearer t',
    cookie: 'a=1; b=2',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'x=y',
    origin: 'http://acme.localhost',
  })
})

test('what an answer says hop by hop, or to Fly, ends here', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, {
      connection: 'close, x-hop',
      'x-hop': '1',
      'keep-alive': 'timeout=9',
      'proxy-authenticate': 'Basic',
      'fly-replay': 'app=other',
      'content-type': 'application/vnd.fly.replay+json',
      'x-request-id': 'theirs',
      'set-cookie': ['a=1', 'b=2'],
      'x-moorage-guest': 'uid/1',
    })
    response.end('{}')
  })
  const { proxy } = await startStage(t, [acme.route()])
  const { headers } = await ask(proxy, acme.host, '/', { headers: { connection: 'keep-alive' } })
  const { date, 'x-request-id': id, ...rest } = headers
  t.truthy(date)
  t.regex(String(id), /^[0-9a-f]{32}$/)
  t.deepEqual(rest, {
    connection: 'keep-alive',
    'content-type': 'application/json',
    'set-cookie': ['a=1', 'b=2'],
    'x-moorage-guest': 'uid/1',
    'transfer-encoding': 'chunked',
  })
})

test('a client that wants its connection closed gets that, and the tenant’s connection stays', async (t) => {
  const { proxy, acme } = await stage(t)
  for (let count = 0; count < 2; count += 1) {
    const reply = await raw(proxy, 'GET / HTTP/1.1\r\nHost: acme.localhost\r\nConnection: close\r\n\r\n')
    t.is(reply.end, 'closed')
    t.regex(reply.text, /connection: close/i)
  }
  t.is(acme.reached(), 1)
  const old = await raw(proxy, 'GET / HTTP/1.0\r\nHost: acme.localhost\r\nConnection: keep-alive\r\n\r\n')
  t.is(old.end, 'closed')
  t.regex(old.text, /\r\n\r\nacme$/)
})

test('a client asks before it sends a body: a tenant that is there gets it, a closed one does not', async (t) => {
  const acme = await witness(t, 'acme')
  const closed = acme.route({
    uid: 'closed',
    hosts: ['closed.localhost'],
    route: { kind: 'closed', reason: 'billing' },
  })
  const { proxy } = await startStage(t, [acme.route(), closed])
  const head = (host: string) => `POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`
  t.regex(
    (await raw(proxy, `${head(acme.host)}hi`, 15_000, /acme$/)).text,
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/,
  )
  const no = await raw(proxy, head('closed.localhost'))
  t.regex(no.text, /^HTTP\/1\.1 402 /)
  t.is(no.end, 'closed')
  t.deepEqual(acme.seen, ['POST / hi'])
})
