// One embedded database for many scenarios, one after the other.
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { startEmbedded } from '../../../src/store/embedded/server.ts'
import { applySchema } from '../../../src/store/schema.ts'
import { activityIn, type Activity } from '../../../src/store/activity.ts'
import { fleetIn, type FleetStore } from '../../../src/store/fleet.ts'
import { tenantsIn, type Tenants } from '../../../src/store/tenants.ts'
import { openFeeds, type Feeds } from './feeds.ts'

export interface Database {
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly activity: Activity
  readonly feeds: Feeds
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
  const stores = { tenants: tenantsIn(db), fleet: fleetIn(db), activity: activityIn(db) }
  const feeds = await openFeeds(stores)
  return {
    ...stores,
    feeds,
    empty: async () => {
      for (const name of ['tenants', 'fleet', 'ledger', 'activity']) await db.collection(name).deleteMany({})
    },
    close: async () => {
      await feeds.close()
      await client.close()
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
