// Headers across the proxy, as tables: what passes, what is replaced, and who the client is.
import test from 'ava'
import { clientOf, framingProblem, plainAddress, requestHeaders, responseHeaders } from '../../proxy/headers.ts'

const client = { address: '203.0.113.9', proto: 'https', authority: 'acme.example', requestId: 'id' } as const
const ours = {
  host: 'acme.example',
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'acme.example',
  'x-request-id': 'id',
  traceparent: '00-id-id-00',
}

test('of a request that tells stories, only the facts pass', (t) => {
  const made = ['forwarded', 'x-forwarded', 'x-forwarded-for', 'x-forwarded-port', 'x-forwarded-anything', 'x_forwarded_for', 'x-real-ip', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip', 'fly-client-ip', 'fly-region', 'fly-replay-src', 'x-moorage-guest', 'x_moorage_guest', 'x-request-id', 'expect'] // prettier-ignore
  for (const name of made) t.deepEqual(requestHeaders({ [name]: 'x' }, client, false), ours, name)
  t.deepEqual(requestHeaders({ host: 'other.example', 'x-forwarded-host': 'x' }, client, false), ours)
})

test('hop-by-hop headers end here, and those that Connection names', (t) => {
  const hops = ['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'upgrade'] // prettier-ignore
  for (const name of hops) t.deepEqual(requestHeaders({ [name]: 'x' }, client, false), ours, name)
  const named = { connection: 'close, X-Secret , x-other', 'x-secret': '1', 'x-other': '2', 'x-kept': '3' }
  t.deepEqual(requestHeaders(named, client, false), { ...ours, 'x-kept': '3' })
})

test('Connection cannot take the framing or the host away, nor what we say', (t) => {
  const connection = 'content-length, transfer-encoding, host, x-forwarded-for, x-request-id'
  t.deepEqual(requestHeaders({ connection, 'content-length': '5' }, client, false), { ...ours, 'content-length': '5' })
  const chunked = requestHeaders({ connection, 'transfer-encoding': 'Chunked' }, client, false)
  t.deepEqual(chunked, { ...ours, 'transfer-encoding': 'chunked' })
})

test('the rest passes as it is', (t) => {
  const passed = { authorization: 'Bearer t', cookie: 'a=1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'x', origin: 'o', 'x-forward': 'y', via: 'z' } // prettier-ignore
  t.deepEqual(requestHeaders(passed, client, false), { ...ours, ...passed })
})

test('a trace is passed on as it came; what is none is replaced, with its state', (t) => {
  const id = '0123456789abcdef'.repeat(2)
  const facts = { ...client, requestId: id }
  const begun = `00-${id}-0123456789abcdef-00`
  t.is(requestHeaders({}, facts, false)['traceparent'], begun)
  for (const wrong of [
    '00-aa',
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
    `ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`,
  ]) {
    const { traceparent, tracestate } = requestHeaders({ traceparent: wrong, tracestate: 'x=1' }, facts, false)
    t.deepEqual([traceparent, tracestate], [begun, undefined], wrong)
  }
})

test('an upgrade says so itself', (t) => {
  const wanted = { ...ours, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'k' }
  const asked = { connection: 'keep-alive, Upgrade', upgrade: 'WebSocket', 'sec-websocket-key': 'k' }
  t.deepEqual(requestHeaders(asked, client, true), wanted)
})

test('an answer cannot speak to Fly, in neither way', (t) => {
  t.deepEqual(responseHeaders({ 'fly-replay': 'app=x', 'fly-cache': 'x', 'x-a': '1' }, 'id'), {
    'x-a': '1',
    'x-request-id': 'id',
  })
  const type = (text: string) => responseHeaders({ 'content-type': text }, 'id')['content-type']
  t.is(type('Application/Vnd.Fly.Replay+json; charset=utf-8'), 'application/json')
  t.is(type('application/vnd.other+json'), 'application/vnd.other+json')
})

test('a body’s length is certain or the request is refused', (t) => {
  t.is(framingProblem({ 'content-length': '5' }, '1.1', false), undefined)
  t.is(framingProblem({ 'transfer-encoding': 'chunked' }, '1.1', false), undefined)
  t.is(framingProblem({ 'content-length': '0' }, '1.1', true), undefined)
  t.truthy(framingProblem({ 'transfer-encoding': 'chunked' }, '1.0', false))
  t.truthy(framingProblem({ 'transfer-encoding': 'chunked', 'content-length': '5' }, '1.1', false))
  t.truthy(framingProblem({ 'transfer-encoding': 'chunked' }, '1.1', true))
  t.truthy(framingProblem({ 'content-length': '5' }, '1.1', true))
  for (const coding of ['gzip, chunked', 'chunked, chunked', 'identity', 'chunked;x', ''])
    t.truthy(framingProblem({ 'transfer-encoding': coding }, '1.1', false), coding)
})

test('addresses are plain', (t) => {
  t.is(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
  t.is(plainAddress('fe80::1%eth0'), 'fe80::1')
  t.is(plainAddress('2001:db8::1'), '2001:db8::1')
})

test('Fly’s proxy is believed where it stands, and only there', (t) => {
  const told = { 'fly-client-ip': '203.0.113.9', 'x-forwarded-proto': 'https' }
  t.deepEqual(clientOf('direct', told, '::ffff:192.0.2.1'), { address: '192.0.2.1', proto: 'http' })
  t.deepEqual(clientOf('fly', told, '172.16.0.1'), { address: '203.0.113.9', proto: 'https' })
  t.deepEqual(clientOf('fly', { ...told, 'x-forwarded-proto': 'http' }, '172.16.0.1').proto, 'http')
  t.is(clientOf('fly', { 'fly-client-ip': '1.2.3.4, 5.6.7.8' }, '172.16.0.1').address, '172.16.0.1')
})
