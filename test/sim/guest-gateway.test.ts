// The stand-in gateway over the real bridge and the real handshake: it behaves like OpenClaw where the platform relies on it.
import test from 'ava'
import { once } from 'node:events'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { WebSocket } from 'ws'
import { DialError } from '../../proxy/handshake.ts'
import type { GuestStart } from '../../src/sim/guest-host.ts'
import { localGuestHost } from '../../src/sim/guest/local.ts'
import { startupOf } from '../../src/sim/guest/startup.ts'
import { ask, connect, ending, guestStart, token } from './guest-fixture.ts'

const bearer = { authorization: `Bearer ${token}` }

async function running(t: Parameters<typeof ending>[0], more: Parameters<typeof guestStart>[1] = {}) {
  const host = ending(t, localGuestHost())
  const start = await guestStart('m1', more)
  await host.start(start)
  return { host, start }
}

async function socketTo(start: GuestStart, url: string, headers: Record<string, string> = {}) {
  const { socket } = await connect(start)
  return new WebSocket(`ws://acme.localhost${url}`, { createConnection: () => socket, headers })
}

/** The next message, as text. */
async function message(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, 'message')) as [Buffer]
  return data.toString()
}

const connectRequest = (auth: object) =>
  JSON.stringify({ type: 'req', id: '1', method: 'connect', params: { minProtocol: 4, maxProtocol: 4, auth } })

test('it names the tenant on its page and in a header of every answer', async (t) => {
  const { start } = await running(t)
  for (const url of ['/', '/anything', '/v1/models', '/healthz', '/startupz', '/headers']) {
    const answer = await ask(start, url)
    t.is(answer.headers['x-moorage-guest'], 'tenantuidone/2', url)
  }
  const page = await ask(start, '/some/page')
  t.is(page.status, 200)
  t.regex(page.body, /tenantuidone.*incarnation <code>2/s)
})

test('only a bearer token opens what is locked', async (t) => {
  const { start } = await running(t)
  for (const url of ['/control-ui-config.json', '/v1/models']) {
    t.is((await ask(start, url)).status, 401)
    t.is((await ask(start, `${url}?token=${token}`)).status, 401)
    t.is((await ask(start, url, { headers: { authorization: 'Bearer wrong' } })).status, 401)
    t.is((await ask(start, url, { headers: bearer })).status, 200)
  }
})

test('forwarded headers need a trusted proxy and a client that is not loopback', async (t) => {
  const { start } = await running(t)
  const status = async (headers: Record<string, string>) => (await ask(start, '/', { headers })).status
  t.is(await status({ 'x-forwarded-for': '203.0.113.9' }), 200)
  t.is(await status({ 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https' }), 200)
  t.is(await status({ 'x-forwarded-for': '2001:db8::1' }), 200)
  t.is(await status({ 'x-forwarded-proto': 'https' }), 403)
  t.is(await status({ 'x-forwarded-for': '127.0.0.1' }), 403)
  t.is(await status({ 'fly-client-ip': '203.0.113.9', via: '1.1 fly' }), 200)
})

test('the configuration on the volume is private, and a renamed one counts at once', async (t) => {
  const { start } = await running(t)
  const file = path.join(start.volumeFolder ?? '', 'openclaw.json')
  t.is(statSync(file).mode & 0o777, 0o600)
  const config = JSON.parse(readFileSync(file, 'utf8')) as { gateway: Record<string, unknown> }
  t.deepEqual(config.gateway['trustedProxies'], ['127.0.0.1/32', '::1/128'])
  delete config.gateway['trustedProxies']
  writeFileSync(`${file}.new`, JSON.stringify(config))
  renameSync(`${file}.new`, file)
  const headers = { 'x-forwarded-for': '203.0.113.9' }
  const refused = await ask(start, '/', { headers })
  t.is(refused.status, 403)
  t.regex(refused.body, /proxy_attribution_required/)
  t.is((await ask(start, '/healthz', { headers })).status, 200)
  const { socket } = await connect(start)
  const web = new WebSocket('ws://acme.localhost/', { createConnection: () => socket, headers })
  const [error] = (await once(web, 'error')) as [Error]
  t.regex(error.message, /403/)
  writeFileSync(`${file}.new`, '{ broken')
  renameSync(`${file}.new`, file)
  t.is((await ask(start, '/')).status, 200, 'a broken replacement leaves the last good one')
})

test('bodies are echoed, headers are shown, events are streamed', async (t) => {
  const { start } = await running(t)
  const body = 'x'.repeat(300_000)
  t.is((await ask(start, '/echo', { method: 'POST', body })).body, body)
  const shown = JSON.parse((await ask(start, '/headers', { headers: { 'x-test': 'yes' } })).body) as {
    headers: Record<string, string>
  }
  t.is(shown.headers['x-test'], 'yes')
  const events = await ask(start, '/sse?count=3&every=5')
  t.is(events.headers['content-type'], 'text/event-stream')
  t.deepEqual(events.body.match(/data: .*/g), ['data: {"tick":1}', 'data: {"tick":2}', 'data: {"tick":3}'])
})

test('a WebSocket is admitted by the connect exchange, then it echoes', async (t) => {
  const { start } = await running(t)
  const web = await socketTo(start, '/')
  web.on('upgrade', ({ headers }) => t.is(headers['x-moorage-guest'], 'tenantuidone/2'))
  const challenge = JSON.parse(await message(web)) as { event: string; payload: { nonce: string } }
  t.is(challenge.event, 'connect.challenge')
  web.send(connectRequest({ token }))
  const hello = JSON.parse(await message(web)) as { ok: boolean; payload: { type: string } }
  t.true(hello.ok)
  t.is(hello.payload.type, 'hello-ok')
  web.send('after that it echoes')
  t.is(await message(web), 'after that it echoes')
  web.send(Buffer.from([1, 2, 3]))
  const [data, binary] = (await once(web, 'message')) as [Buffer, boolean]
  t.true(binary)
  t.deepEqual([...data], [1, 2, 3])
  web.close()
})

test('a bearer token on the upgrade is enough, a wrong one is not', async (t) => {
  const { start } = await running(t)
  const web = await socketTo(start, '/', bearer)
  await once(web, 'open')
  web.send('at once')
  t.is(await message(web), 'at once')
  web.close()
  const wrong = await socketTo(start, '/', { authorization: 'Bearer no' })
  const refusal = await message(wrong)
  t.regex(refusal, /AUTH_TOKEN_MISMATCH/)
  t.false(refusal.includes('tenantuidone'))
  const [code] = (await once(wrong, 'close')) as [number]
  t.is(code, 1008)
})

for (const [what, request, code] of [
  ['no token', connectRequest({}), 'AUTH_TOKEN_MISSING'],
  ['a wrong token', connectRequest({ token: 'wrong' }), 'AUTH_TOKEN_MISMATCH'],
  ['something else first', '{"type":"req","id":"1","method":"health"}', 'INVALID_HANDSHAKE'],
  ['no JSON', 'hello?', 'INVALID_HANDSHAKE'],
] as const) {
  test(`a connect with ${what} is refused and closed with 1008`, async (t) => {
    const { start } = await running(t)
    const web = await socketTo(start, '/')
    await message(web)
    web.send(request)
    t.regex(await message(web), new RegExp(code))
    const [closed] = (await once(web, 'close')) as [number]
    t.is(closed, 1008)
  })
}

test('/echo is an open echo that says nothing of the tenant', async (t) => {
  const { start } = await running(t)
  const web = await socketTo(start, '/echo')
  await once(web, 'open')
  web.send('hello')
  t.is(await message(web), 'hello')
  web.close()
})

test('start-up: nothing, then alive, then ready; a used volume is quicker', async (t) => {
  const clock = { time: Date.now() }
  const host = ending(t, localGuestHost({ now: () => clock.time }))
  const start = await guestStart('m1', { scale: 1 })
  await host.start(start)
  const { opensAfterMs, readyAfterMs } = startupOf('tenantuidone', true, 1)
  t.true(readyAfterMs >= 12_000 && readyAfterMs <= 20_000)
  t.true(readyAfterMs - opensAfterMs >= 1_000 && readyAfterMs - opensAfterMs <= 6_000)
  const { socket } = await connect(start)
  t.deepEqual(await socket.toArray(), [], 'the bridge proves itself, then the connection ends')
  clock.time += opensAfterMs
  t.is((await ask(start, '/healthz')).status, 200)
  t.is((await ask(start, '/startupz')).status, 503)
  t.is((await ask(start, '/v1/models', { headers: bearer })).status, 503)
  const web = await socketTo(start, '/')
  await message(web)
  web.send(connectRequest({ token }))
  t.regex(await message(web), /UNAVAILABLE.*startup-sidecars/)
  clock.time += readyAfterMs - opensAfterMs
  t.is((await ask(start, '/startupz')).status, 200)
  t.is((await ask(start, '/v1/models', { headers: bearer })).status, 200)
  await host.stop('m1')
  await host.start(start)
  clock.time += 7_999
  t.is((await ask(start, '/startupz')).status, 503)
  clock.time += 1
  t.is((await ask(start, '/startupz')).status, 200)
})

test('the wrong incarnation, tenant or key is never let through to the gateway', async (t) => {
  const { start } = await running(t)
  const wrong = await t.throwsAsync<DialError>(connect(start, 3), { instanceOf: DialError })
  t.is(wrong.code, 'mismatch')
})
