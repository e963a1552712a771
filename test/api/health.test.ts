// The server itself: health, keys, schemas, what is no HTTP, and going down without dropping anybody.
import { connect } from 'node:net'
import test from 'ava'
import { realClock } from '../../src/clock.ts'
import { openOperations } from '../../src/operations.ts'
import { noTracing } from '../../src/tracing/open.ts'
import { ask } from '../helpers/client.ts'
import { lint, valueOf } from '../metrics/lint.ts'
import { startTestApi, tenantDocument } from './fixture.ts'

test('ready: yes as JSON, verbose as lines, and no with each reason', async (t) => {
  let checks: Record<string, string> = { store: 'ok' }
  const api = await startTestApi(t, () => ({ ready: async () => ({ ok: checks['store'] === 'ok', checks }) }))
  t.deepEqual((await ask(`${api.url}/readyz`)).json(), { ok: true, checks })
  t.is((await ask(`${api.url}/readyz?verbose`)).text, '[+]store ok\nreadyz check passed\n')
  checks = { store: 'no primary', lease: 'ok' }
  const answer = await ask(`${api.url}/readyz`)
  t.is(answer.status, 503)
  t.regex(answer.headers['content-type'] ?? '', /application\/problem\+json/)
  t.like(answer.json(), { code: 'not-ready', detail: 'store: no primary; lease: ok', checks })
  t.is((await ask(`${api.url}/livez`)).status, 200)
})

test('a readiness check that throws or hangs is a no, and its message is not shown', async (t) => {
  const failing = await startTestApi(t, () => ({ ready: () => Promise.reject(new TypeError('canary')) }))
  const failed = await ask(`${failing.url}/readyz`)
  t.is(failed.status, 503)
  t.like(failed.json(), { code: 'not-ready', checks: { all: 'TypeError' } })
  t.notRegex(failed.text, /canary/)
  const hanging = await startTestApi(t, () => ({
    ready: () => new Promise(() => {}),
    clock: { ...realClock, after: (_ms, action) => realClock.after(10, action) },
  }))
  t.is((await ask(`${hanging.url}/readyz`)).status, 503)
})

test('keys may come late, and may be kept for five minutes', async (t) => {
  const api = await startTestApi(t, () => ({ jwks: () => Promise.resolve({ keys: [{ kid: 'a' }] }) }))
  const answer = await ask(`${api.url}/.well-known/jwks.json`)
  t.deepEqual(answer.json(), { keys: [{ kid: 'a' }] })
  t.is(answer.headers['cache-control'], 'public, max-age=300')
})

test('classes and schemas, one and all', async (t) => {
  const api = await startTestApi(t)
  const { items } = (await api.call('/v1/classes')).json() as { items: { name: string }[] }
  t.deepEqual(items.map(({ name }) => name).sort(), ['browser', 'byok', 'standard'])
  t.like((await api.call('/v1/classes/byok')).json(), { kind: 'Class', name: 'byok' })
  t.deepEqual(Object.keys((await api.call('/v1/schemas')).json()), ['Tenant', 'Class', 'Pool'])
  t.is((await api.call('/v1/schemas/Tenant')).json()['type'], 'object')
  for (const path of ['/v1/classes/nope', '/v1/schemas/tenant', '/v1/schemas/toString', '/v1/classes/constructor'])
    t.is((await api.call(path)).status, 404, path)
})

test('every answer has an id of its own, and an error names it', async (t) => {
  const api = await startTestApi(t)
  const answers = await Promise.all(['/livez', '/v1/tenants', '/v1/tenants/no', '/no'].map((path) => api.call(path)))
  const ids = answers.map(({ headers }) => String(headers['x-request-id']))
  t.is(new Set(ids).size, answers.length)
  t.is(answers[2]?.json()['instance'], `urn:request:${ids[2] ?? ''}`)
  t.true(answers.every(({ headers }) => headers['x-content-type-options'] === 'nosniff'))
})

test('HEAD, OPTIONS, and a method that the resource does not know', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const head = await api.call('/v1/tenants/acme', { method: 'HEAD' })
  t.is(head.status, 200)
  t.is(head.text, '')
  t.is(head.headers.etag, (await api.call('/v1/tenants/acme')).headers.etag)
  const options = await api.call('/v1/tenants/acme', { method: 'OPTIONS' })
  t.is(options.status, 200)
  t.deepEqual((options.headers.allow ?? '').split(', ').sort(), ['DELETE', 'GET', 'HEAD', 'PUT'])
  for (const method of ['PATCH', 'POST', 'PROPFIND']) {
    const answer = await api.call('/v1/tenants/acme', { method })
    t.is(answer.status, 405, method)
    t.is(answer.json()['code'], 'method-not-allowed')
    t.regex(answer.headers.allow ?? '', /PUT/)
  }
})

/** Sends bytes as they are and answers with everything that comes back. */
function bare(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (said += text))
    socket.on('error', reject)
    socket.on('close', () => resolve(said))
  })
}

test('what is no HTTP, or too much of it, is told so in a problem', async (t) => {
  const api = await startTestApi(t)
  const { port } = api.running
  for (const [bytes, status] of [
    ['nonsense\r\n\r\n', 400],
    [`GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ] as const) {
    const said = await bare(port, bytes)
    t.regex(said, new RegExp(`^HTTP/1.1 ${status} `))
    t.regex(said, /application\/problem\+json/)
    t.regex(said, /X-Request-Id: [0-9a-f]{24}/)
    t.is((JSON.parse(said.split('\r\n\r\n')[1] ?? '') as { status: number }).status, status)
  }
  t.is((await ask(`${api.url}/livez`)).status, 200)
})

test('close lets the request that came finish, then the connection goes', async (t) => {
  const arrived = Promise.withResolvers<undefined>()
  const release = Promise.withResolvers<object>()
  const jwks = () => {
    arrived.resolve(undefined)
    return release.promise
  }
  const api = await startTestApi(t, () => ({ jwks }))
  const said = bare(api.running.port, 'GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n\r\n')
  await arrived.promise
  const started = performance.now()
  const closed = api.running.close()
  await t.throwsAsync(ask(`${api.url}/livez`), { code: 'ECONNREFUSED' })
  release.resolve({ keys: [] })
  t.regex(await said, /"keys":\[\]/)
  await closed
  t.true(performance.now() - started < 4_000, 'it did not wait for the deadline')
})

test('metrics: with a token, in Prometheus’ form, and each answer is counted by its status', async (t) => {
  const { watch } = openOperations(realClock, noTracing, '0.0.0')
  const api = await startTestApi(t, () => ({ watch }))
  t.is((await ask(`${api.url}/metrics`)).status, 401)
  await api.call('/v1/tenants/nobody')
  await api.call('/v1/tenants/nobody')
  await api.call('/v1/tenants', { method: 'PROPFIND' })
  const answer = await api.call('/metrics')
  t.is(answer.status, 200)
  t.regex(answer.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/)
  t.deepEqual(lint(answer.text), [])
  const count = (code: string, method = 'GET') => valueOf(answer.text, 'moorage_api_requests_total', { code, method })
  t.deepEqual([count('401'), count('404'), count('405', 'other')], [1, 2, 1])
  t.notRegex(answer.text, /nobody/)
  t.is((await (await startTestApi(t)).call('/metrics')).status, 404)
})
