// What happens between a call and the network: time limits, broken connections, unreadable answers, secrets.
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Fault } from '../../specs/faults.ts'
import { flyClient } from '../../src/fly/client.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { machine, standIn, token, type Told } from './stand-in.ts'

async function faultFrom(t: ExecutionContext, call: Promise<unknown>): Promise<Fault> {
  const error: unknown = await t.throwsAsync(call, { any: true })
  if (error instanceof Fault) return error
  throw new Error(`not a fault: ${inspect(error)}`)
}

const silence: Told = { act: () => undefined }

test('every call has its time limit', async (t) => {
  const { client, clock } = await standIn(t, Array<Told>(8).fill(silence))
  const limits: readonly [string, number, () => Promise<unknown>][] = [
    ['machineGet', 30, () => client.machineGet('app', 'm1')],
    ['machineStart', 30, () => client.machineStart('app', 'm1')],
    ['machineCreate', 60, () => client.machineCreate('app', { name: 'n', region: 'iad', config: {} })],
    ['volumeCreate', 60, () => client.volumeCreate('app', { name: 'n', region: 'iad', size_gb: 1 })],
    ['machineExec', 17, () => client.machineExec('app', 'm1', { command: ['true'], timeout: 12 })],
    ['machineWait', 15, () => client.machineWait('app', 'm1', { state: 'started', timeoutSeconds: 10 })],
    ['machineWait', 65, () => client.machineWait('app', 'm1', { state: 'started' })],
  ]
  for (const [name, seconds, call] of limits) {
    let ended = false
    const fault = faultFrom(t, call()).finally(() => (ended = true))
    await clock.advance(seconds * 1000 - 1)
    t.false(ended, name)
    await clock.advance(1)
    t.is((await fault).message, `Fly did not answer ${name} within ${seconds} s`)
    t.is((await fault).kind, 'timeout')
    t.true((await fault).ambiguous)
    t.is(clock.pending, 0)
  }
})

test('an answer that stops half way is a timeout too', async (t) => {
  const half: Told = { act: (response) => void response.writeHead(200).write('{"id":') }
  const { client, clock } = await standIn(t, [half], { timeoutMs: 1_000 })
  const fault = faultFrom(t, client.machineGet('app', 'm1'))
  t.is((await clock.until(fault)).kind, 'timeout')
})

test('broken connections are unavailable, ambiguous, and never repeated', async (t) => {
  const reset: Told = { act: (_, socket) => socket.resetAndDestroy() }
  const closed: Told = { act: (_, socket) => socket.destroy() }
  const cut: Told = {
    act: (response, socket) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"id":', () => socket.destroy())
    },
  }
  const script = [reset, closed, cut]
  const { client, asked, records } = await standIn(t, script)
  for (let n = 0; n < script.length; n++) {
    const fault = await faultFrom(t, client.machineCreate('app', { name: 'n', region: 'iad', config: {} }))
    t.is(fault.kind, 'unavailable')
    t.true(fault.ambiguous)
    t.regex(fault.message, /^Fly could not be reached for machineCreate: /)
    t.is(fault.details.status, undefined)
  }
  t.is(asked.length, 3)
  t.deepEqual(
    records.map(({ fault, status }) => [fault, status]),
    Array(3).fill(['unavailable', undefined]),
  )
})

test('a closed port is unavailable, in words', async (t) => {
  const server: Server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const clock = new VirtualClock()
  const client = flyClient({ baseUrl: `http://127.0.0.1:${port}`, token, clock })
  const fault = await faultFrom(t, client.machineGet('app', 'm1'))
  t.is(fault.message, 'Fly could not be reached for machineGet: the connection was refused')
  t.is(fault.kind, 'unavailable')
  t.regex(inspect(fault.cause), /ECONNREFUSED/)
})

test('a success that cannot be read is unavailable, because the call had its effect', async (t) => {
  const script: Told[] = [
    { text: '{"id": "1' },
    { text: '' },
    { text: '<html>hello</html>' },
    { json: { ...machine, id: 7 } },
    { json: [] },
    { status: 204 },
  ]
  const { client } = await standIn(t, script)
  const said = [
    'it is not JSON',
    'it is empty',
    'it is not JSON',
    'id: Invalid input',
    'the body: Invalid',
    'it is empty',
  ]
  for (const [place, words] of said.entries()) {
    const fault = await faultFrom(t, client.machineGet('app', 'm1'))
    t.is(fault.kind, 'unavailable')
    t.true(fault.message.includes(words), `${place}: ${fault.message}`)
    t.is(fault.details.status, place === 5 ? 204 : 200)
    t.is(fault.details.requestId, '01TEST-iad')
  }
})

test('answers without a body are enough where nobody reads them', async (t) => {
  const { client, asked } = await standIn(t, [{ status: 204 }, { json: { ok: true } }, { status: 202, text: 'ok' }])
  await client.machineMetadataSet('app', 'm1', 'moorage_uid', 'a')
  await client.machineSuspend('app', 'm1')
  await client.volumeDelete('app', 'vol_1')
  t.deepEqual(
    asked.map(({ method, url, body }) => [method, url, body]),
    [
      ['POST', '/v1/apps/app/machines/m1/metadata/moorage_uid', '{"value":"a"}'],
      ['POST', '/v1/apps/app/machines/m1/suspend', ''],
      ['DELETE', '/v1/apps/app/volumes/vol_1', ''],
    ],
  )
})

test('refusals are judged, carry the request id, and are not repeated', async (t) => {
  const { client, asked, records } = await standIn(t, [{ status: 503, json: { error: 'aborted: no capacity' } }])
  const fault = await faultFrom(t, client.machineStart('app', 'm1'))
  t.is(fault.kind, 'unavailable')
  t.is(fault.details.requestId, '01TEST-iad')
  t.is(asked.length, 1)
  t.like(records[0], {
    call: 'machineStart',
    method: 'POST',
    status: 503,
    fault: 'unavailable',
    requestId: '01TEST-iad',
  })
  t.is(records[0]?.path, '/apps/app/machines/m1/start')
})

test('a redirect is not followed', async (t) => {
  const { client, asked } = await standIn(t, [{ status: 307, headers: { location: '/v1/apps/other' } }])
  t.is((await faultFrom(t, client.appGet('app'))).kind, 'unavailable')
  t.is(asked.length, 1)
})

test('connections are kept: ten calls in a row need no more than two', async (t) => {
  const refused: Told = { status: 404, json: { error: 'not_found: machine not found' } }
  const { client, asked, connections } = await standIn(
    t,
    Array<Told[]>(5)
      .fill([{ json: machine }, refused])
      .flat(),
  )
  for (let n = 0; n < 5; n++) {
    await client.machineGet('app', 'm1')
    await faultFrom(t, client.machineGet('app', 'm1'))
  }
  t.is(asked.length, 10)
  // The second is opened when a call begins in the very turn in which the one before has ended.
  t.true(connections() <= 2, `${connections()} connections`)
})

test('who gives up gets the own reason back, before and during the call', async (t) => {
  const { client, clock, records, asked } = await standIn(t, [silence])
  const controller = new AbortController()
  const call = client.machineGet('app', 'm1', { signal: controller.signal })
  while (asked.length === 0) await clock.idle()
  const reason = new Error('the lease was lost')
  controller.abort(reason)
  t.is(await t.throwsAsync(call), reason)
  t.is(await t.throwsAsync(client.machineGet('app', 'm1', { signal: controller.signal })), reason)
  t.is(asked.length, 1)
  t.deepEqual(
    records.map(({ fault }) => fault),
    [undefined, undefined],
  )
  t.is(clock.pending, 0)
})

test('calls wait for the limit, and a 429 slows down those that follow', async (t) => {
  const script: Told[] = [{}, {}, {}, {}, { status: 429, headers: { 'retry-after': '4' } }, {}]
  const { client, clock, records } = await standIn(t, script, { limits: {} })
  const calls = Array.from({ length: 4 }, () => client.machineStop('app', 'm1'))
  await clock.until(Promise.all(calls), 10)
  t.true(Math.max(...records.map(({ waitedMs }) => waitedMs)) >= 1_111)
  const fault = await clock.until(faultFrom(t, client.machineStop('app', 'm1')), 10)
  t.is(fault.details.retryAfterMs, 4_000)
  await clock.until(client.machineStop('app', 'm1'), 10)
  t.true((records[5]?.waitedMs ?? 0) >= 4_000 + 2_000, 'four seconds as asked, then a token at half the rate')
})

test('a call that the limit holds back too long is not sent', async (t) => {
  const { client, asked, records } = await standIn(t, [{}, {}, {}], { limits: { maxWaitMs: 1_000 } })
  for (let n = 0; n < 3; n++) await client.machineStop('app', 'm1')
  const fault = await faultFrom(t, client.machineStop('app', 'm1'))
  t.is(fault.kind, 'throttled')
  t.is(asked.length, 3)
  t.like(records[3], { status: undefined, fault: 'throttled', tookMs: 0 })
})

test('the token is sent as Fly wants it', async (t) => {
  const sent = async (given: string): Promise<string | undefined> => {
    const { client, asked } = await standIn(t, [{ json: { name: 'app' } }], { token: given })
    await client.appGet('app')
    return asked[0]?.headers.authorization
  }
  t.is(await sent('fo1_abc'), 'Bearer fo1_abc')
  t.is(await sent('Bearer fo1_abc\n'), 'Bearer fo1_abc')
  t.is(await sent('fm2_abc=='), 'FlyV1 fm2_abc==')
  t.is(await sent('FlyV1 fm2_abc, fm2_def'), 'FlyV1 fm2_abc,fm2_def')
})

test('a token that cannot be sent is refused without being repeated', (t) => {
  const clock = new VirtualClock()
  for (const given of ['', '   ', 'Bearer ', 'canary\r\nx-evil: 1', 'canary canary', 'canary\u2014']) {
    const error = t.throws(() => flyClient({ baseUrl: 'http://127.0.0.1:1', token: given, clock }))
    t.notRegex(error.message, /canary/)
  }
})

test('a base URL that cannot be used is refused', (t) => {
  const clock = new VirtualClock()
  for (const baseUrl of [
    '',
    'api.machines.dev',
    'ftp://x',
    'https://api.machines.dev/v1',
    'https://api.machines.dev/v1/',
  ])
    t.throws(() => flyClient({ baseUrl, token, clock }), { instanceOf: TypeError, message: /^the Fly base URL must/ })
})

test('the token is in no error, no cause and no record', async (t) => {
  const macaroon = 'fm2_lJPECAAAAAAAAcanary='
  const echo = (status: number): Told => ({
    status,
    json: { error: `Authenticate: token ${token} and ${macaroon} are not valid`, message: `Bearer ${token}` },
    headers: { 'x-echo': token },
  })
  const broken: Told = { act: (_, socket) => socket.destroy() }
  const script: Told[] = [echo(401), echo(400), echo(500), { status: 502, text: token }, { text: token }, broken]
  const { client, clock, records } = await standIn(t, [...script, silence])
  const faults: Fault[] = []
  for (let n = 0; n < script.length; n++) faults.push(await faultFrom(t, client.machineGet('app', 'm1')))
  faults.push(await clock.until(faultFrom(t, client.machineGet('app', 'm1'))))
  t.is(faults.length, 7)
  t.true(faults[0]?.message.includes('[token]'))
  const everything = [...faults, ...records, client].map((thing) =>
    inspect(thing, { depth: Infinity, showHidden: true }),
  )
  for (const text of [
    ...everything,
    JSON.stringify(faults),
    JSON.stringify(records),
    ...faults.map((f) => f.stack ?? ''),
  ])
    t.notRegex(text, /canary/)
})
