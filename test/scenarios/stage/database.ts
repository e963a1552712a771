// One embedded database for many scenarios, one after the other.
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient, type Db, type Document } from 'mongodb'
import { webhookKeys } from '../../helpers/webhook-keys.ts'
import { moneyIn, type Money } from '../../../src/money.ts'
import { startEmbedded } from '../../../src/store/embedded/server.ts'
import { applySchema } from '../../../src/store/schema.ts'
import { activityIn, type Activity } from '../../../src/store/activity.ts'
import { classesIn, type ClassStore } from '../../../src/store/classes.ts'
import { fleetIn, type FleetStore } from '../../../src/store/fleet.ts'
import { poolStoresIn, type PoolStores } from '../../../src/pools.ts'
import { orphansIn } from '../../../src/store/orphans.ts'
import { replaysIn, type Replays } from '../../../src/store/replays.ts'
import { rolloutsIn, type Rollouts } from '../../../src/store/rollouts.ts'
import { tenantsIn, type Tenants } from '../../../src/store/tenants.ts'
import { openFeeds, type Feeds } from './feeds.ts'

export interface Database {
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly activity: Activity
  readonly classStore: ClassStore
  readonly rollouts: Rollouts
  readonly orphans: ReturnType<typeof orphansIn>
  readonly money: Money
  readonly replays: Replays
  readonly pools: PoolStores
  /** The uids of the members that were given up without having been claimed: they end with their volumes. */
  retiredMembers(): Promise<ReadonlySet<string>>
  readonly feeds: Feeds
  /** Everything that is stored, by collection. */
  dump(): Promise<Dump>
  /** Stores what was dumped, and waits until every watcher has heard of it. */
  load(dump: Dump): Promise<void>
  /** Forgets everything; the next scenario begins with nothing. */
  empty(): Promise<void>
  close(): Promise<void>
}

const collections = ['tenants', 'fleet', 'ledger', 'activity', 'pools', 'arrivals'] as const

export type Dump = ReadonlyMap<string, readonly Document[]>

/** Files that a disk need not keep: in memory where there is such a place. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export const newFolder = (): Promise<string> => mkdtemp(join(base, 'moorage-scenario-'))

const storesIn = (db: Db) => ({
  tenants: tenantsIn(db),
  fleet: fleetIn(db),
  activity: activityIn(db),
  classStore: classesIn(db),
  rollouts: rolloutsIn(db),
  orphans: orphansIn(db),
  money: moneyIn(db, { billingSecrets: undefined, allowPrivate: true }, webhookKeys),
  replays: replaysIn(db),
  pools: poolStoresIn(db),
})

export async function openDatabase(): Promise<Database> {
  const folder = await newFolder()
  const server = await startEmbedded({ folder: join(folder, 'db') })
  // One connection: what is asked first is answered first. Those who watch wait on connections of their own.
  const client = await new MongoClient(server.uri, { ignoreUndefined: true, maxPoolSize: 1 }).connect()
  const watcher = await new MongoClient(server.uri, { ignoreUndefined: true }).connect()
  const db = client.db()
  await applySchema(db)
  const stores = storesIn(db)
  const feeds = await openFeeds(storesIn(watcher.db()))
  return {
    ...stores,
    feeds,
    retiredMembers: async () => {
      const filter = { 'pool.retiredAt': { $exists: true } }
      const records = await db
        .collection<{ _id: string }>('tenants')
        .find(filter, { projection: { _id: 1 } })
        .toArray()
      return new Set(records.map(({ _id }) => _id))
    },
    dump: async () => {
      const all = collections.map(async (name) => [name, await db.collection(name).find().toArray()] as const)
      return new Map<string, Document[]>(await Promise.all(all))
    },
    load: async (dump) => {
      const heard = feeds.tenantChanges(dump.get('tenants')?.length ?? 0)
      for (const [name, documents] of dump)
        if (documents.length > 0) await db.collection(name).insertMany([...documents])
      await heard
    },
    empty: async () => {
      const heard = feeds.tenantChanges(await db.collection('tenants').countDocuments())
      for (const name of collections) await db.collection(name).deleteMany({})
      await heard
    },
    close: async () => {
      await feeds.close()
      await client.close()
      await watcher.close()
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
