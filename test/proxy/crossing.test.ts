// No byte of a request reaches another tenant's machine: moved and swapped addresses, routes that change under way, hosts
// that two tenants claim.
import test, { type ExecutionContext } from 'ava'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { Proxy } from '../../proxy/server.ts'
import { ask, eventually, open, startStage, startTenant, text } from '../helpers/upstream.ts'

const forwards = { kind: 'forward' } as const

/** A tenant that answers with its own name, and `/slow` only when told. */
async function named(t: ExecutionContext, name: string, incarnation = 1) {
  const held: ServerResponse[] = []
  const asked: string[] = []
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.headers.host ?? ''}${request.url ?? ''}`)
    if (request.url === '/slow') held.push(response)
    else if (request.url === '/stream') response.write('begun')
    else response.end(name)
  }
  return { ...(await startTenant(t, name, answer, { incarnation })), held, asked }
}

async function codeOf(proxy: Proxy, host: string): Promise<string> {
  return (JSON.parse((await ask(proxy, host)).body) as { code: string }).code
}

test('two tenants whose addresses are swapped get a 502, never each other', async (t) => {
  const acme = await named(t, 'acme')
  const globex = await named(t, 'globex')
  const { proxy, sink, lines } = await startStage(t, [acme.route(), globex.route()])
  t.is((await ask(proxy, acme.host)).body, 'acme')
  t.is((await ask(proxy, globex.host)).body, 'globex')
  const [there, here] = [acme.route().route, globex.route().route]
  if (there.kind !== 'forward' || here.kind !== 'forward') throw new Error('both forward')
  const asked = [acme.asked.length, globex.asked.length]
  sink.put(acme.route({ revision: 2 }, { port: here.port }))
  sink.put(globex.route({ revision: 2 }, { port: there.port }))
  t.is(await codeOf(proxy, acme.host), 'mismatch')
  t.is(await codeOf(proxy, globex.host), 'mismatch')
  t.is(proxy.stats().crossTenantBlocked, 2)
  t.is(lines.filter(({ level }) => level === 'error').length, 2)
  t.deepEqual([acme.asked.length, globex.asked.length], asked, 'neither gateway saw anything')
})

test('an older incarnation at the address is not the tenant either', async (t) => {
  const old = await named(t, 'acme', 1)
  const { proxy } = await startStage(t, [old.route({}, { incarnation: 2 })])
  t.is((await ask(proxy, old.host)).status, 502)
  t.is(old.asked.length, 0)
  t.is(proxy.stats().crossTenantBlocked, 1)
})

test('a mismatch ends the connections that were proved before', async (t) => {
  const acme = await named(t, 'acme')
  const globex = await named(t, 'globex')
  const { proxy, sink } = await startStage(t, [acme.route()])
  const stream = await open(proxy, acme.host, '/stream')
  const cut = t.throwsAsync(text(stream))
  // The same target in every respect, as if the platform had given its address away under it.
  const port = acme.route().route.kind === 'forward' ? globex.route().route : undefined
  t.truthy(port)
  await acme.close()
  await cut
  sink.put(acme.route({ revision: 2 }, port?.kind === 'forward' ? { port: port.port } : {}))
  t.is(await codeOf(proxy, acme.host), 'mismatch')
  t.is(proxy.stats().upstreamConnections, 0)
})

test('a changed machine, incarnation or address drops the old connections, an unchanged one keeps them', async (t) => {
  const acme = await named(t, 'acme')
  const { proxy, sink } = await startStage(t, [acme.route()])
  await ask(proxy, acme.host)
  sink.put(acme.route({ revision: 2, hosts: [acme.host, 'www.acme.example'] }))
  t.is((await ask(proxy, 'www.acme.example')).body, 'acme')
  t.is(proxy.stats().dials, 1, 'another host of the same tenant shares its connections')
  sink.put(acme.route({ revision: 3 }, { machine: 'other' }))
  await eventually(t, () => acme.sockets.size === 0, 'the old connection is closed')
  t.is((await ask(proxy, acme.host)).body, 'acme')
  t.is(proxy.stats().dials, 2)
  sink.put(acme.route({ revision: 4, route: { kind: 'closed', reason: 'suspended' } }))
  await eventually(t, () => acme.sockets.size === 0, 'nothing stays open to a suspended tenant')
})

test('a request under way when the route closes is answered with the reason, a stream is cut', async (t) => {
  const acme = await named(t, 'acme')
  const { proxy, sink } = await startStage(t, [acme.route()])
  const waiting = ask(proxy, acme.host, '/slow')
  const stream = await open(proxy, acme.host, '/stream')
  const cut = t.throwsAsync(text(stream), { code: 'ECONNRESET' })
  await eventually(t, () => acme.held.length === 1, 'the request is under way')
  sink.put(acme.route({ revision: 2, route: { kind: 'closed', reason: 'billing' } }))
  t.is((await waiting).status, 402)
  await cut
})

test('a client connection is not tied to a tenant: each request finds its own', async (t) => {
  const acme = await named(t, 'acme')
  const globex = await named(t, 'globex')
  const { proxy } = await startStage(t, [acme.route(), globex.route()])
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  for (const tenant of [acme, globex, acme, globex])
    t.is((await ask(proxy, tenant.host, '/', { agent })).body, tenant.host.replace('.localhost', ''))
  t.is(proxy.stats().dials, 2)
})

test('a host that two tenants claim stays with the first', async (t) => {
  const acme = await named(t, 'acme')
  const globex = await named(t, 'globex')
  const shared = 'shop.example'
  const { proxy, sink } = await startStage(t, [acme.route({ hosts: [acme.host, shared] })])
  sink.put(
    globex.route({ hosts: [globex.host, shared], uid: 'a-lower-uid', route: { kind: 'closed', reason: 'failed' } }),
  )
  t.is((await ask(proxy, shared)).body, 'acme')
  t.is(proxy.stats().hostConflicts, 1)
})

test('many tenants under concurrent load answer for themselves alone, while their routes change', async (t) => {
  const tenants = await Promise.all(['a', 'b', 'c', 'd'].map((name) => named(t, name)))
  const { proxy, sink } = await startStage(t, tenants.map((tenant) => tenant.route())) // prettier-ignore
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  const asking = Array.from({ length: 400 }, async (_, index) => {
    const tenant = tenants[index % tenants.length]
    if (tenant === undefined) throw new Error('there are four')
    const reply = await ask(proxy, tenant.host, '/', { agent })
    return reply.status === 200 ? tenant.host === `${reply.body}.localhost` : reply.status >= 500
  })
  for (let revision = 2; revision < 12; revision += 1) {
    for (const tenant of tenants) sink.put(tenant.route({ revision }, { machine: `m${revision}` }))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.true((await Promise.all(asking)).every((own) => own))
  for (const tenant of tenants) t.true(tenant.asked.every((line) => line.startsWith(tenant.host)))
  t.is(proxy.stats().crossTenantBlocked, 0)
  t.is(forwards.kind, 'forward')
})
