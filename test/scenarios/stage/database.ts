// One embedded database for many scenarios, one after the other.
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { startEmbedded } from '../../../src/store/embedded/server.ts'
import { applySchema } from '../../../src/store/schema.ts'
import { tenantsIn, type Tenants } from '../../../src/store/tenants.ts'
import { openFeed, type Feed } from './store.ts'

export interface Database {
  readonly tenants: Tenants
  readonly feed: Feed
  /** Forgets everything; the next scenario begins with nothing. */
  empty(): Promise<void>
  close(): Promise<void>
}

/** Files that a disk need not keep: in memory where there is such a place. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export const newFolder = (): Promise<string> => mkdtemp(join(base, 'moorage-scenario-'))

export async function openDatabase(): Promise<Database> {
  const folder = await newFolder()
  const server = await startEmbedded({ folder: join(folder, 'db') })
  const client = await new MongoClient(server.uri, { ignoreUndefined: true }).connect()
  const db = client.db()
  await applySchema(db)
  const tenants = tenantsIn(db)
  const feed = await openFeed(tenants)
  return {
    tenants,
    feed,
    empty: async () => {
      await db.collection('tenants').deleteMany({})
    },
    close: async () => {
      await feed.close()
      await client.close()
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
