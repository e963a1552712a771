// Sleep and waking end to end: nobody has used a tenant for long, it sleeps; a request wakes it and is answered by it.
import { join } from 'node:path'
import test from 'ava'
import { MongoClient } from 'mongodb'
import { startEmbedded } from '../../src/store/embedded/server.ts'
import { converged, flyState, put, tenant, visit } from '../helpers/client.ts'
import { startMoorage, until, withFolder } from '../helpers/processes.ts'

/** Each start takes another port; without this the machine's configuration would differ, and be updated in its sleep. */
const sameOrigin = { MOORAGE_PUBLIC_ORIGIN: 'http://localhost:7080' }

/** Makes as if nobody had used any tenant for an hour; the process that has the database is stopped. */
async function letHourPass(folder: string): Promise<void> {
  const server = await startEmbedded({ folder: join(folder, 'db') })
  const client = new MongoClient(server.uri)
  const past = Date.now() - 3_600_000
  const db = client.db('moorage')
  await db.collection('tenants').updateMany({}, { $set: { createdAt: past, 'status.awakeSince': past } })
  await db.collection('activity').updateMany({}, { $set: { lastUsedAt: past } })
  await client.close()
  await server.close()
}

test('a tenant that nobody used sleeps, and requests wake it', (t) =>
  withFolder(async (folder) => {
    const first = await startMoorage(folder, sameOrigin)
    try {
      t.is((await put(first, 'sleepy', { state: 'running', idle: { afterMinutes: 1 } })).status, 201)
      await converged(first, 'sleepy')
      t.is((await visit(first, 'sleepy')).status, 200)
    } finally {
      await first.end('SIGTERM')
    }
    await letHourPass(folder)

    const second = await startMoorage(folder, sameOrigin)
    try {
      const { uid } = await until('sleepy sleeps', 40_000, async () => {
        const answer = await tenant(second, 'sleepy')
        return answer.status.machine?.state === 'suspended' ? answer : undefined
      })
      const machine = async () =>
        (await flyState(second.fly)).machines.find(({ config }) => config.metadata['moorage_uid'] === uid)?.state
      t.is(await machine(), 'suspended')
      const asked = Array.from({ length: 10 }, () => visit(second, 'sleepy', '/', { timeoutMs: 40_000 }))
      for (const { status, headers } of await Promise.all(asked)) {
        t.is(status, 200)
        t.is(headers['x-moorage-guest'], `${uid}/1`)
      }
      t.is(await machine(), 'started')
    } finally {
      await second.end('SIGTERM')
    }
  }))
