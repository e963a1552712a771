// The proxy's pure parts as tables: which host a request means, which headers pass, which page is sent.
import test from 'ava'
import type { IncomingHttpHeaders } from 'node:http'
import { readRequest } from '../../proxy/host.ts'
import { clientOf, framingProblem, plainAddress, requestHeaders, responseHeaders } from '../../proxy/headers.ts'
import { page, type Reason } from '../../proxy/pages.ts'
import { resolve } from '../../proxy/resolve.ts'
import { RouteTable } from '../../proxy/table.ts'
import type { Route, TenantRoute } from '../../specs/route.ts'

/** The Host headers, the target, and the host that is meant; undefined: refused. */
const heads: readonly (readonly [hosts: readonly string[], url: string, means: string | undefined, path?: string])[] = [
  [['acme.localhost'], '/', 'acme.localhost', '/'],
  [['acme.localhost:7080'], '/a?b', 'acme.localhost', '/a?b'],
  [['ACME.LocalHost'], '/', 'acme.localhost'],
  [['acme.localhost.'], '/', 'acme.localhost'],
  [[' acme.localhost '], '/', 'acme.localhost'],
  [['xn--mnchen-3ya.test'], '/', 'xn--mnchen-3ya.test'],
  [['acme.localhost'], 'http://acme.localhost/x', 'acme.localhost', '/x'],
  [['acme.localhost'], 'http://ACME.localhost:80?q', 'acme.localhost', '/?q'],
  [[], '/', undefined],
  [[''], '/', undefined],
  [['acme.localhost', 'globex.localhost'], '/', undefined],
  [['acme.localhost', 'acme.localhost'], '/', undefined],
  [['acme.localhost,globex.localhost'], '/', undefined],
  [['acme.localhost globex.localhost'], '/', undefined],
  [['user@acme.localhost'], '/', undefined],
  [['acme.localhost:abc'], '/', undefined],
  [['acme.localhost:0'], '/', undefined],
  [['acme.localhost:70000'], '/', undefined],
  [['acme_1.localhost'], '/', undefined],
  [['münchen.test'], '/', undefined],
  [['acme..localhost'], '/', undefined],
  [['-acme.localhost'], '/', undefined],
  [['[::1]'], '/', undefined],
  [['acme.localhost/'], '/', undefined],
  [['acme.localhost#'], '/', undefined],
  [['acme.localhost\0'], '/', undefined],
  [['acme.localhost'], 'http://globex.localhost/', undefined],
  [['acme.localhost'], 'http://acme.localhost@globex.localhost/', undefined],
  [['acme.localhost'], 'ftp://acme.localhost/', undefined],
  [['acme.localhost'], '*', undefined],
  [['acme.localhost'], 'acme.localhost:80', undefined],
  [[`${'a'.repeat(64)}.test`], '/', undefined],
  [[`${'a.'.repeat(130)}test`], '/', undefined],
]

for (const [hosts, url, means, path] of heads)
  test(`Host ${JSON.stringify(hosts).slice(0, 60)} and ${url} mean ${means ?? 'nothing'}`, (t) => {
    const rawHeaders = hosts.flatMap((host, index) => [index % 2 === 0 ? 'Host' : 'hOST', host])
    const asked = readRequest({ httpVersion: '1.1', url, rawHeaders: ['Accept', '*/*', ...rawHeaders] })
    t.is(asked.kind === 'host' ? asked.host : undefined, means)
    if (asked.kind === 'host' && path !== undefined) t.is(asked.path, path)
    if (asked.kind === 'refused') t.notRegex(asked.detail, /acme|globex/)
  })

const client = { address: '203.0.113.9', proto: 'http', authority: 'acme.localhost:7080', requestId: 'r1' } as const

test('what a client says of itself is thrown away, and what we know is said exactly once', (t) => {
  const forged: IncomingHttpHeaders = {
    host: 'evil',
    'x-forwarded-for': '127.0.0.1, 10.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil',
    'x-forwarded-prefix': '/x',
    forwarded: 'for=127.0.0.1',
    'x-real-ip': '127.0.0.1',
    'fly-client-ip': '127.0.0.1',
    'fly-replay-src': 'x',
    'x-moorage-uid': 'other',
    x_forwarded_for: '127.0.0.1',
    'x-request-id': 'theirs',
    authorization: 'Bearer tenant-token',
    cookie: 'a=b',
    traceparent: '00-a-b-01',
  }
  t.deepEqual(requestHeaders(forged, client, false), {
    authorization: 'Bearer tenant-token',
    cookie: 'a=b',
    traceparent: '00-a-b-01',
    host: 'acme.localhost:7080',
    'x-forwarded-for': '203.0.113.9',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': 'acme.localhost:7080',
    'x-request-id': 'r1',
  })
})

test('hop-by-hop headers, and those that Connection names, end here; framing does not', (t) => {
  const sent: IncomingHttpHeaders = {
    connection: 'keep-alive, x-hop, content-length',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    trailer: 'x',
    upgrade: 'h2c',
    'proxy-authorization': 'Basic x',
    'proxy-connection': 'close',
    'x-hop': '1',
    'content-length': '5',
    'x-end': '2',
  }
  const passed = requestHeaders(sent, client, false)
  t.deepEqual(
    Object.keys(passed)
      .filter((name) => !name.startsWith('x-forwarded'))
      .sort(),
    ['content-length', 'host', 'x-end', 'x-request-id'],
  )
  t.like(requestHeaders(sent, client, true), { connection: 'Upgrade', upgrade: 'websocket' })
  const answered = responseHeaders(
    { connection: 'close, x-hop', 'keep-alive': 'x', 'x-hop': '1', etag: 'e', 'fly-replay': 'app=other' },
    'r1',
  )
  t.deepEqual(answered, { etag: 'e', 'x-request-id': 'r1' })
})

test('a body whose length is in doubt is refused', (t) => {
  t.is(framingProblem({ 'transfer-encoding': 'chunked' }, '1.1', false), undefined)
  t.is(framingProblem({ 'content-length': '5' }, '1.1', false), undefined)
  for (const [headers, version, upgrade] of [
    [{ 'transfer-encoding': 'chunked', 'content-length': '5' }, '1.1', false],
    [{ 'transfer-encoding': 'gzip, chunked' }, '1.1', false],
    [{ 'transfer-encoding': 'identity' }, '1.1', false],
    [{ 'transfer-encoding': 'chunked' }, '1.0', false],
    [{ 'content-length': '5' }, '1.1', true],
  ] as const)
    t.is(typeof framingProblem(headers, version, upgrade), 'string', JSON.stringify(headers))
})

test('the client is the other end of the socket, or who Fly says', (t) => {
  t.is(plainAddress('::ffff:10.0.0.1'), '10.0.0.1')
  t.is(plainAddress('fe80::1%eth0'), 'fe80::1')
  const told = { 'fly-client-ip': '198.51.100.7', 'x-forwarded-proto': 'https' }
  t.deepEqual(clientOf('direct', told, '203.0.113.9'), { address: '203.0.113.9', proto: 'http' })
  t.deepEqual(clientOf('fly', told, '203.0.113.9'), { address: '198.51.100.7', proto: 'https' })
  t.is(clientOf('fly', { 'fly-client-ip': 'not an address' }, '203.0.113.9').address, '203.0.113.9')
})

const statuses: readonly (readonly [Reason, number, retry: boolean])[] = [
  ['unknown', 404, false],
  ['provisioning', 503, true],
  ['suspended', 503, false],
  ['billing', 402, false],
  ['deleting', 410, false],
  ['failed', 503, true],
  ['unreachable', 502, false],
  ['mismatch', 502, false],
  ['timeout', 504, false],
  ['bad-request', 400, false],
]

for (const [reason, status, retry] of statuses)
  test(`the page for ${reason} is ${status}, as HTML and as a problem`, (t) => {
    for (const accept of ['text/html,*/*', '*/*', undefined, 'text/html;q=0']) {
      const answer = page({ reason, requestId: 'r1', accept, retrySeconds: 5 })
      t.is(answer.status, status)
      t.is(answer.headers['retry-after'] !== undefined, retry)
      t.is(answer.headers['content-length'], String(Buffer.byteLength(answer.body)))
      if (accept === 'text/html,*/*') t.regex(answer.body, /^<!doctype html>/i)
      else t.like(JSON.parse(answer.body) as object, { status, code: reason, requestId: 'r1' })
    }
  })

const forward = (address: string): Route => ({ kind: 'forward', machine: 'm', incarnation: 1, address, port: 1 })
const tenant = (uid: string, hosts: string[], route: Route, revision = 1): TenantRoute => ({
  uid,
  name: uid,
  hosts,
  route,
  revision,
})

test('a route is replaced only by a newer one; a host stays with who had it first', (t) => {
  const contested: string[] = []
  const retired: string[] = []
  const table = new RouteTable({
    opened: () => {},
    retired: ({ address }) => retired.push(address),
    contested: (host) => contested.push(host),
  })
  const kindOf = (host: string) => resolve(host, (name) => table.lookup(name), 5)
  table.put(tenant('a', ['a.test'], forward('127.0.0.2'), 5))
  table.put(tenant('a', ['a.test'], { kind: 'closed', reason: 'billing' }, 4))
  t.is(kindOf('a.test').kind, 'forward')
  table.put(tenant('b', ['b.test', 'a.test'], forward('127.0.0.3')))
  t.deepEqual(contested, ['a.test'])
  const found = kindOf('a.test')
  t.is(found.kind === 'forward' ? found.tenant.uid : '', 'a')
  t.is(kindOf('b.test').kind, 'forward')
  table.put(tenant('a', ['a.test'], forward('127.0.0.4'), 6))
  t.deepEqual(retired, ['127.0.0.2'])
  table.put(tenant('a', ['a.test'], { kind: 'closed', reason: 'billing' }, 7))
  t.like(kindOf('a.test'), { kind: 'page', status: 402 })
  table.drop('a')
  t.false(retired.includes('127.0.0.3'))
  t.like(kindOf('nobody.test'), { kind: 'page', status: 404 })
})
