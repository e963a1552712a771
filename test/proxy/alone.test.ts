// The proxy as a process of its own: it serves running tenants after a restart although nothing else is left.
import test from 'ava'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { realClock } from '../../src/clock.ts'
import { keysFrom } from '../../src/keys.ts'
import { startEmbedded } from '../../src/store/embedded/server.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { openBridge } from '../helpers/bridge.ts'
import { ask } from '../helpers/client.ts'
import { startNode, until, withFolder } from '../helpers/processes.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'
import { startTenant } from '../helpers/upstream.ts'

async function startAlone(env: NodeJS.ProcessEnv) {
  const started = startNode('src/main.ts', { MOORAGE_ROLES: 'proxy', MOORAGE_PROXY_PORT: '0', ...env })
  const port = await until(`it listens: ${started.output()}`, 20_000, () => {
    if (started.child.exitCode !== null) throw new Error(started.output())
    return Promise.resolve(/Proxy +http:\S+:(\d+)\n/.exec(started.output())?.[1])
  })
  const visit = () => ask(`http://127.0.0.1:${port}/`, { headers: { host: 'acme.localhost' } })
  return { ...started, visit }
}

test('with the database gone it starts again from its disk, serves, and catches up', (t) =>
  withFolder(async (folder) => {
    const master = randomBytes(32)
    const keys = await keysFrom(master, realClock)
    const guest = await startTenant(t, 'acme', (_request: IncomingMessage, response: ServerResponse) =>
      response.end('from acme'),
    )
    const uid = 'abcdefghijklmnop'
    const targetPort = (guest.gateway.address() as { port: number }).port
    const key = new Uint8Array(keys.bridgeKey(uid, 1))
    const { bridge, port } = await openBridge({ targetPort, uid, incarnation: 1, key })
    t.teardown(() => bridge.close())

    const db = () => startEmbedded({ folder: join(folder, 'db') })
    let mongo = await db()
    const client = new MongoClient(mongo.uri)
    const tenants = tenantsIn(client.db())
    const route = { kind: 'forward', machine: 'm1', incarnation: 1, address: '127.0.0.1', port } as const
    await tenants.add(tenantWith({}, { uid, status: { ...freshStatus, route } }))

    const env = { MOORAGE_DATA: join(folder, 'proxy'), MONGODB_URI: mongo.uri, MOORAGE_MASTER_KEY: master.toString('base64url') } // prettier-ignore
    const first = await startAlone(env)
    t.is((await first.visit()).text, 'from acme')
    await first.end('SIGTERM')
    await client.close()
    await mongo.close()

    const second = await startAlone(env)
    try {
      t.is((await second.visit()).text, 'from acme', 'database, Fly and reconciler are gone')
      mongo = await db()
      t.is(mongo.uri, env.MONGODB_URI)
      const again = new MongoClient(mongo.uri)
      const stored = await tenantsIn(again.db()).get(uid)
      if (stored !== undefined)
        await tenantsIn(again.db()).saveStatus(stored, {
          ...stored.status,
          route: { kind: 'closed', reason: 'billing' },
        })
      await again.close()
      const status = await until('it has caught up', 40_000, async () => {
        const answer = await second.visit()
        return answer.status === 402 ? answer.status : undefined
      })
      t.is(status, 402)
    } finally {
      await second.end('SIGTERM')
      await mongo.close()
    }
  }))

test('alone without a database it does not let anybody wait for a sleeper', (t) =>
  withFolder(async (folder) => {
    const route = { uid: 'abcdefghijklmnop', name: 'acme', hosts: ['acme.localhost'], revision: 1, route: { kind: 'closed', reason: 'asleep' } } // prettier-ignore
    await writeFile(join(folder, 'routes.json'), JSON.stringify({ version: 1, routes: [route] }))
    const key = randomBytes(32).toString('base64url')
    const alone = await startAlone({ MOORAGE_DATA: folder, MOORAGE_MASTER_KEY: key })
    try {
      const { status, headers, text } = await alone.visit()
      t.deepEqual([status, headers['retry-after']], [503, '30'])
      t.regex(text, /"code":"unwoken"/)
    } finally {
      await alone.end('SIGTERM')
    }
  }))

test('alone, without what it needs, it says what that is', (t) =>
  withFolder(async (folder) => {
    const said = async (env: NodeJS.ProcessEnv) => {
      const started = startNode('src/main.ts', { MOORAGE_ROLES: 'proxy', MOORAGE_PROXY_PORT: '0', MOORAGE_DATA: folder, ...env }) // prettier-ignore
      await new Promise((resolve) => started.child.once('exit', resolve))
      return started.output()
    }
    t.regex(await said({}), /MOORAGE_MASTER_KEY: the proxy alone needs the key/)
    const key = randomBytes(32).toString('base64url')
    t.regex(await said({ MOORAGE_MASTER_KEY: key }), /The proxy alone needs MONGODB_URI, or routes/)
  }))
