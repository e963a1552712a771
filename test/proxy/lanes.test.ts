// Both lanes held to one table: what a tenant sees of a request, and a client of an answer, does not depend on the lane.
import test, { type ExecutionContext } from 'ava'
import type net from 'node:net'
import { ask, eventually, raw, startStage, startTenant } from '../helpers/upstream.ts'

/** A client that waits to be told before it sends a body keeps out of the fast lane, and differs in nothing else. */
const lanes = { fast: '', other: 'Expect: 100-continue\r\n' } as const

/** Lines in the order of the alphabet, without what differs from one request to the next. */
function comparable(whole: string): string {
  const text = whole.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const [head = '', ...body] = text.split('\r\n\r\n')
  const [first = '', ...lines] = head
    .split('\r\n')
    .map((line) => line.replace(/^([^:]*):/, (name) => name.toLowerCase()))
  const kept = lines
    .filter((line) => !/^date/.test(line))
    .map((line) => line.replace(/[0-9a-f]{32}(-[0-9a-f]{16})?/g, 'ID'))
  return [first, ...kept.sort(), '', ...body].join('\n').replace(/"requestId":"[0-9a-f]{32}"/, '"requestId":"ID"')
}

/** Whether a request is all here, with its body. */
function isWhole(text: string): boolean {
  const [head = '', ...body] = text.split('\r\n\r\n')
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(head) ?? []
  if (/\r\ntransfer-encoding:/i.test(head)) return text.endsWith('\r\n0\r\n\r\n')
  return body.length > 0 && body.join('\r\n\r\n').length >= Number(length ?? 0)
}

/** What a request and its answer look like at both ends, by the lane that is asked for. */
async function through(t: ExecutionContext, lane: keyof typeof lanes, request: string, answer: string) {
  let seen = ''
  const listen = (socket: net.Socket) =>
    socket.on('data', (bytes: Buffer) => {
      seen += bytes.toString('latin1')
      if (isWhole(seen)) socket.end(Buffer.from(answer, 'latin1'))
    })
  const acme = await startTenant(t, 'acme', listen, { raw: true })
  const { proxy } = await startStage(t, [acme.route()])
  const [plain = '', body = ''] = request.split('\n\n')
  const [line = '', ...headers] = plain.split('\n')
  const head = [line, `Host: ${acme.host}`, ...headers].join('\r\n')
  const bytes = Buffer.from(`${head}\r\n${lanes[lane]}Connection: close\r\n\r\n${body}`, 'latin1')
  const reply = await raw(proxy, bytes, 8_000)
  await eventually(t, () => proxy.stats().inFlight === 0, 'it is over')
  t.is(proxy.stats().fast, lane === 'fast' ? 1 : 0)
  return { seen: comparable(seen), got: comparable(reply.text), end: reply.end }
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

for (const [what, request] of Object.entries({
  'a path and a query': 'GET /a//b%2f?q=1&q=2 HTTP/1.1',
  'an absolute form': 'GET http://acme.localhost/x?y HTTP/1.1',
  'headers of every kind':
    'GET / HTTP/1.1\nCookie: a=1\nCookie: b=2\nAccept: x\nAccept: y\nX-Twice: 1\nX-Twice: 2\nX-Latin: \xe9\nX-Empty:',
  'stories about the client':
    'GET / HTTP/1.1\nX-Forwarded-For: 6.6.6.6\nForwarded: for=6.6.6.6\nX_Real_IP: 6.6.6.6\nFly-Client-IP: 6.6.6.6\nX-Request-Id: mine',
  'hop-by-hop headers':
    'GET / HTTP/1.1\nTE: trailers\nKeep-Alive: timeout=9\nProxy-Authorization: Basic x\nProxy-Connection: keep-alive\nTrailer: X',
  'a trace': 'GET / HTTP/1.1\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate: a=b',
  'another upgrade': 'GET / HTTP/1.1\nUpgrade: h2c\nHTTP2-Settings: AA',
  'a condition': 'GET / HTTP/1.1\nIf-None-Match: "x"\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'no body in its answer': 'HEAD / HTTP/1.1',
  'a body': 'POST / HTTP/1.1\nContent-Length: 5\n\nhello',
  'a body of nothing': 'PUT / HTTP/1.1\nContent-Length: 0',
  'no word of a body': 'POST / HTTP/1.1',
  'a body in chunks': 'PATCH / HTTP/1.1\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n',
  'a body where none is usual': 'DELETE / HTTP/1.1\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n',
  'a body in chunks, with more to say':
    'OPTIONS / HTTP/1.1\nTransfer-Encoding: chunked\n\n5;a=b\r\nhello\r\n0\r\nX-A: 1\r\n\r\n',
  'a body in a GET': 'GET / HTTP/1.1\nContent-Length: 5\n\nhello',
}))
  // prettier-ignore
  test(`a request with ${what} reaches the tenant alike`, async (t) => {
    const fast = await through(t, 'fast', request, ok)
    t.regex(fast.seen, /^[A-Z]+ \/[^]*\nx-forwarded-for: 127\.0\.0\.1\n/)
    t.deepEqual(fast, await through(t, 'other', request, ok))
  })

for (const [what, answer] of Object.entries({
  'a length': ok,
  chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\n...\r\n0\r\nX-Trailer: 1\r\n\r\n',
  'no end but the connection’s': 'HTTP/1.1 200 OK\r\n\r\nok',
  'an old version': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'no content': 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n',
  'nothing new': 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  'early hints': `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok}`,
  'an error of the tenant': 'HTTP/1.1 503 Busy Now\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy',
  'an unknown status': 'HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n',
  'a reason that is no text': 'HTTP/1.1 200 \x01\xff\r\nContent-Length: 2\r\n\r\nok',
  'headers of every kind':
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nVary: x\r\nVary: y\r\nServer: one\r\nServer: two\r\nX-Latin: \xe9\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n',
  'hop-by-hop headers':
    'HTTP/1.1 200 OK\r\nConnection: close, X-Secret\r\nX-Secret: s\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
  'words for Fly':
    'HTTP/1.1 200 OK\r\nFly-Replay: app=x\r\nContent-Type: application/vnd.fly.replay+json\r\nContent-Length: 2\r\n\r\n{}',
  'a status below all': 'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n',
  'a coding that is not carried': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
  'a length and a coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  'a switch that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  'a head that is too large': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
  'too few bytes': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok',
  'a last chunk that is missing': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
  'a chunk that is none': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n',
  nonsense: 'nonsense\r\n\r\n',
  nothing: '',
}))
  // prettier-ignore
  test(`an answer with ${what} reaches the client alike`, async (t) => {
    const fast = await through(t, 'fast', 'GET / HTTP/1.1', answer)
    t.regex(fast.got, /^HTTP\/1\.1 \d{3}/)
    t.deepEqual(fast, await through(t, 'other', 'GET / HTTP/1.1', answer))
  })

for (const [what, method, answer] of [
  ['nothing new, and its length', 'GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n'],
  ['a length to a HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
  ['a coding to a HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a body to a DELETE', 'DELETE', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
] as const)
  test(`an answer with ${what} reaches the client alike`, async (t) => {
    const fast = await through(t, 'fast', `${method} / HTTP/1.1`, answer)
    t.regex(fast.got, /^HTTP\/1\.1 (200|304)/)
    t.deepEqual(fast, await through(t, 'other', `${method} / HTTP/1.1`, answer))
  })

test('what a tenant says unasked is the answer to nothing: the connection ends', async (t) => {
  const listen = (socket: net.Socket) => {
    socket.on('end', () => socket.end())
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    socket.once('data', () => setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'), 30))
  }
  const acme = await startTenant(t, 'acme', listen, { raw: true })
  const { proxy } = await startStage(t, [acme.route()])
  t.is((await ask(proxy, acme.host)).body, 'ok')
  await eventually(t, () => acme.sockets.size === 0, 'the connection is not kept')
  t.is((await ask(proxy, acme.host)).body, 'ok')
  t.is(acme.reached(), 2)
})

test('an answer that comes before the body is all there ends the upload, and its connection', async (t) => {
  const listen = (socket: net.Socket) => socket.on('end', () => socket.end()).once('data', () => socket.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno')) // prettier-ignore
  const acme = await startTenant(t, 'acme', listen, { raw: true })
  const { proxy } = await startStage(t, [acme.route()])
  const reply = await raw(
    proxy,
    `POST / HTTP/1.1\r\nHost: ${acme.host}\r\nContent-Length: 9000\r\n\r\nbegun`,
    5_000,
    /no$/,
  )
  t.regex(reply.text, /^HTTP\/1\.1 413 No\r\n[^]*\r\n\r\nno$/)
  await eventually(t, () => acme.sockets.size === 0, 'the connection is not kept')
})
