// Requests through the proxy to a real bridge: bodies both ways, streams, cuts, aborts, and what happens to connections.
import test from 'ava'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type net from 'node:net'
import { freePort } from '../helpers/bridge.ts'
import { ask, eventually, open, raw, startStage, startTenant, text } from '../helpers/upstream.ts'

const sha = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

/** Answers with the hash of what it was sent. */
async function hash(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const digest = createHash('sha256')
  for await (const chunk of request) digest.update(chunk as Buffer)
  response.end(digest.digest('hex'))
}

test('a GET reaches the tenant with its path and query, and comes back with a request id', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('x-seen', `${request.method} ${request.url}`)
    response.end('hello')
  })
  const { proxy } = await startStage(t, [acme.route()])
  const reply = await ask(proxy, `ACME.localhost:${proxy.port}`, '/a//b%2f?q=1&q=2')
  t.is(reply.status, 200)
  t.is(reply.body, 'hello')
  t.is(reply.headers['x-seen'], 'GET /a//b%2f?q=1&q=2')
  t.regex(String(reply.headers['x-request-id']), /^[0-9a-f]{32}$/)
})

test('5 MB go up and down unharmed, with a length and in chunks', async (t) => {
  const payload = randomBytes(5_000_000)
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'GET') response.end(payload)
    else void hash(request, response)
  })
  const { proxy } = await startStage(t, [acme.route()])
  const sized = { method: 'POST', body: payload, headers: { 'content-length': payload.length } }
  const chunked = { method: 'POST', body: payload, headers: { 'transfer-encoding': 'chunked' } }
  t.is((await ask(proxy, acme.host, '/', sized)).body, sha(payload))
  t.is((await ask(proxy, acme.host, '/', chunked)).body, sha(payload))
  t.is(sha(Buffer.from((await ask(proxy, acme.host)).body, 'latin1')), sha(payload))
})

test('requests share a connection, which is proved once; chunked bodies do not cost it', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    void hash(request, response)
  })
  const { proxy } = await startStage(t, [acme.route()])
  const chunked = { method: 'POST', body: 'x', headers: { 'transfer-encoding': 'chunked', connection: 'close' } }
  for (let count = 0; count < 3; count += 1) {
    t.is((await ask(proxy, acme.host)).body, sha(''))
    t.is((await ask(proxy, acme.host, '/', chunked)).body, sha('x'))
  }
  t.is(acme.reached(), 1)
  t.is(proxy.stats().dials, 1)
  t.is(proxy.stats().fast, 6)
})

test('server-sent events arrive one by one', async (t) => {
  const gates: (() => void)[] = []
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 0\n\n')
    gates.push(
      () => response.write('data: 1\n\n'),
      () => response.end('data: 2\n\n'),
    )
  })
  const { proxy } = await startStage(t, [acme.route()])
  const answer = await open(proxy, acme.host, '/events')
  for (const wanted of ['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n']) {
    // Each event must be here before the next one is let go.
    const [chunk] = (await once(answer, 'data')) as [Buffer]
    t.is(chunk.toString(), wanted)
    gates.shift()?.()
  }
})

test('an answer cut in the middle never looks complete', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/length') response.setHeader('content-length', 1_000)
    response.write('part')
    setTimeout(() => (request.url === '/fin' ? response.socket?.end() : response.socket?.resetAndDestroy()), 30)
  })
  const { proxy } = await startStage(t, [acme.route()])
  for (const [path, method] of ['/chunked', '/length', '/fin'].flatMap((path) =>
    ['GET', 'POST'].map((method) => [path, method] as const),
  )) {
    const answer = await open(proxy, acme.host, path, { method })
    t.is(answer.statusCode, 200)
    await t.throwsAsync(text(answer), { code: 'ECONNRESET' }, path)
    t.false(answer.complete)
  }
  const old = await raw(proxy, `GET /chunked HTTP/1.0\r\nHost: ${acme.host}\r\n\r\n`)
  t.is(old.end, 'reset')
  await eventually(t, () => proxy.stats().inFlight === 0, 'nothing is left in flight')
})

test('a client that leaves takes the request to the tenant with it', async (t) => {
  const closed = Promise.withResolvers<boolean>()
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => {
    response.once('close', () => closed.resolve(response.writableFinished))
    response.write('part')
  })
  const { proxy } = await startStage(t, [acme.route()])
  const answer = await open(proxy, acme.host, '/')
  answer.on('error', () => undefined).destroy()
  t.false(await closed.promise)
  await eventually(t, () => acme.sockets.size === 0, 'the connection is not kept')
})

test('a client that leaves before the answer begins takes its request with it', async (t) => {
  const arrived = Promise.withResolvers<undefined>()
  const closed = Promise.withResolvers<undefined>()
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => {
    response.once('close', () => closed.resolve(undefined))
    arrived.resolve(undefined)
  })
  const { proxy } = await startStage(t, [acme.route()])
  const to = { host: '127.0.0.1', port: proxy.port, headers: { host: acme.host }, agent: false }
  const request = http.get(to).on('error', () => undefined)
  await arrived.promise
  request.destroy()
  await closed.promise
  await eventually(t, () => proxy.stats().inFlight === 0, 'nothing is left in flight')
})

test('a machine that is gone is a 502, and the page says nothing about it', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end())
  const { proxy, lines } = await startStage(t, [acme.route({}, { port: await freePort() })])
  const reply = await ask(proxy, acme.host, '/x?token=secret', { headers: { accept: 'text/html' } })
  t.is(reply.status, 502)
  t.regex(String(reply.headers['content-type']), /^text\/html/)
  t.notRegex(reply.body, /127\.0\.0\.1|m-acme|secret|uidacme/)
  const posted = await ask(proxy, acme.host, '/', { method: 'POST', body: Buffer.alloc(300_000) })
  t.is(posted.status, 502)
  t.is((JSON.parse(posted.body) as { code: string }).code, 'unreachable')
  t.notRegex(JSON.stringify(lines), /secret/)
})

test('a gateway that is not up behind its bridge is a 502', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end())
  acme.gateway.close()
  const { proxy } = await startStage(t, [acme.route()])
  t.is((await ask(proxy, acme.host)).status, 502)
})

test('an answer that does not begin is a 504; one that began may be quiet', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/never') return
    response.flushHeaders()
    setTimeout(() => response.end('late'), 4_000)
  })
  const { proxy } = await startStage(t, [acme.route()], { headTimeoutMs: 2_000 })
  t.is((await ask(proxy, acme.host, '/never')).status, 504)
  t.is((await ask(proxy, acme.host, '/never', { method: 'POST' })).status, 504)
  t.is((await ask(proxy, acme.host, '/quiet')).body, 'late')
})

test('an upload may be slow', async (t) => {
  const acme = await startTenant(t, 'acme', (request: IncomingMessage, response: ServerResponse) => {
    void hash(request, response)
  })
  const { proxy } = await startStage(t, [acme.route()], { headTimeoutMs: 2_000 })
  const to = { host: '127.0.0.1', port: proxy.port, headers: { host: acme.host }, method: 'POST', agent: false }
  const request = http.request(to)
  const answered = once(request, 'response') as Promise<[IncomingMessage]>
  for (let count = 0; count < 8; count += 1) {
    request.write('x')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  request.end()
  const [answer] = await answered
  t.is(await text(answer), sha('xxxxxxxx'))
})

test('a GET that meets a connection closed meanwhile is sent again, a POST is not', async (t) => {
  let asked = 0
  const acme = await startTenant(
    t,
    'acme',
    (socket: net.Socket) => {
      // Each connection answers once and hangs up on the second request: a close that the proxy could not have seen.
      socket.once('data', () => {
        asked += 1
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        socket.once('data', () => socket.resetAndDestroy())
      })
    },
    { raw: true },
  )
  const { proxy } = await startStage(t, [acme.route()])
  t.is((await ask(proxy, acme.host)).body, 'ok')
  t.is((await ask(proxy, acme.host)).body, 'ok')
  t.is(asked, 2)
  t.is(proxy.stats().repeated, 1)
  t.is((await ask(proxy, acme.host)).body, 'ok')
  t.is((await ask(proxy, acme.host, '/', { method: 'POST', body: 'x' })).status, 502)
})

test('a kept connection is let go when it has been idle', async (t) => {
  const acme = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) => response.end())
  const { proxy } = await startStage(t, [acme.route()], { idleMs: 80 })
  await ask(proxy, acme.host)
  t.is(acme.sockets.size, 1)
  await eventually(t, () => acme.sockets.size === 0, 'the idle connection is closed')
  t.is(proxy.stats().upstreamConnections, 0)
})

test('what a hostile gateway sends is a 502 and nothing worse', async (t) => {
  const answers = [
    'HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
    'nonsense\r\n\r\n',
  ]
  for (const [index, answer] of answers.entries()) {
    const tenant = await startTenant(
      t,
      `t${index}`,
      (socket: net.Socket) => void socket.once('data', () => socket.end(answer)),
      {
        raw: true,
      },
    )
    const { proxy } = await startStage(t, [tenant.route()])
    t.is((await ask(proxy, tenant.host)).status, 502, answer.slice(0, 40))
  }
})

test('odd but harmless answers pass', async (t) => {
  const answers: Record<string, string> = {
    '/reason': 'HTTP/1.1 200 \x01\xff\r\nContent-Length: 2\r\n\r\nok',
    '/early': 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    '/until-close': 'HTTP/1.0 200 OK\r\n\r\nok',
  }
  const acme = await startTenant(
    t,
    'acme',
    (socket: net.Socket) => {
      socket.once('data', (head: Buffer) =>
        socket.end(Buffer.from(answers[head.toString().split(' ')[1] ?? ''] ?? '', 'latin1')),
      )
    },
    { raw: true },
  )
  const { proxy } = await startStage(t, [acme.route()])
  for (const path of Object.keys(answers)) {
    const reply = await ask(proxy, acme.host, path)
    t.is(reply.status, 200, path)
    t.is(reply.body, 'ok', path)
  }
})
