// What counts as use: what users send, and nothing that a tenant or an open socket does by itself.
import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import WebSocket, { WebSocketServer } from 'ws'
import { ask, eventually, open, startStage, startTenant } from '../helpers/upstream.ts'

async function counted(t: ExecutionContext, handle: http.RequestListener) {
  const acme = await startTenant(t, 'acme', handle)
  const used: string[] = []
  const activity = { used: (uid: string) => void used.push(uid), wake: () => undefined, unwritten: () => false }
  const stage = await startStage(t, [acme.route()], { activity })
  const idle = () => eventually(t, () => stage.proxy.stats().inFlight === 0, 'all is over')
  return { ...stage, acme, used, idle }
}

const answering: http.RequestListener = (request, response) => void request.resume().once('end', () => response.end('ok')) // prettier-ignore

test('a request counts when it goes on and when it ends, in each lane; what goes nowhere does not', async (t) => {
  const { proxy, acme, sink, used, idle } = await counted(t, answering)
  await ask(proxy, acme.host)
  await idle()
  t.deepEqual(used, [acme.uid, acme.uid])
  await ask(proxy, acme.host, '/', { method: 'PUT' })
  await idle()
  t.is(used.length, 4)
  await ask(proxy, 'nobody.localhost')
  sink.put(acme.route({ revision: 2, route: { kind: 'closed', reason: 'billing' } }))
  await ask(proxy, acme.host)
  await idle()
  t.is(used.length, 4)
})

test('an upload counts while it flows', async (t) => {
  // The answers are held: a body of known length ends with its last part.
  const held: ServerResponse[] = []
  const { proxy, acme, used } = await counted(t, (request, response) => {
    request.resume().once('end', () => held.push(response))
  })
  for (const headers of [{ 'transfer-encoding': 'chunked' }, { 'content-length': 9 }]) {
    used.length = 0
    const upload = http.request({ host: '127.0.0.1', port: proxy.port, method: 'POST', headers: { host: acme.host, ...headers } }) // prettier-ignore
    for (const [index, part] of ['one', 'two', 'six'].entries()) {
      upload.write(part)
      await eventually(t, () => used.length === 2 + index, `${part} counts`)
    }
    upload.end()
    await eventually(t, () => held.length === 1, 'it has arrived')
    held.pop()?.end('ok')
    const [answer] = (await once(upload, 'response')) as [IncomingMessage]
    answer.resume()
    await eventually(t, () => used.length === 5, 'and its end')
  }
})

test('a stream counts at its start and its end, not for what the tenant sends, and not when its road is closed', async (t) => {
  const answers: ServerResponse[] = []
  const { proxy, acme, sink, used, idle } = await counted(t, (_request, response) => {
    response.write('data: 1\n\n')
    answers.push(response)
  })
  const stream = await open(proxy, acme.host, '/')
  let heard = ''
  stream.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  answers[0]?.write('data: 2\n\n')
  await eventually(t, () => heard.includes('2'), 'an event arrives')
  t.is(used.length, 1)
  answers[0]?.end()
  await eventually(t, () => used.length === 2, 'the end counts')
  const cut = await open(proxy, acme.host, '/')
  cut.on('error', () => undefined).resume()
  sink.put(acme.route({ revision: 2, route: { kind: 'closed', reason: 'suspended' } }))
  await eventually(t, () => cut.closed, 'it is cut')
  await idle()
  t.is(used.length, 3)
})

test('an upgrade counts, and each message of the client; no ping, no pong, nothing that the tenant sends', async (t) => {
  const { proxy, acme, used } = await counted(t, answering)
  const server = new WebSocketServer({ server: acme.gateway })
  t.teardown(() => server.close())
  const arrived = once(server, 'connection') as Promise<[WebSocket]>
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { host: acme.host } })
  await once(client, 'open')
  const [peer] = await arrived
  t.is(used.length, 1)

  client.ping('hello?')
  await once(client, 'pong')
  peer.ping('hello?')
  await once(peer, 'pong')
  peer.send('a tick')
  await once(client, 'message')
  t.is(used.length, 1)

  for (const [index, message] of ['short', 'x'.repeat(200), Buffer.from([1])].entries()) {
    client.send(message)
    await once(peer, 'message')
    t.is(used.length, 2 + index)
  }
  client.send('in', { fin: false })
  client.send(' two', { fin: true })
  await once(peer, 'message')
  t.true(used.length > 4)
  const before = used.length
  client.send('x'.repeat(1_000_000))
  await once(peer, 'message')
  t.true(used.length > before)
  const last = used.length
  client.close()
  await once(client, 'close')
  await eventually(t, () => proxy.stats().openUpgrades === 0, 'it is closed')
  t.is(used.length, last, 'a goodbye is no use')
})
