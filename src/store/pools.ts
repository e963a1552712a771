// Pools in MongoDB: each write is one compare-and-set on one document, as with tenants.
import type { Db } from 'mongodb'
import type { StoredPool } from '../../specs/pool.ts'
import { unlessTaken } from './tenants.ts'

/** As stored: the name is the document's id. */
type PoolRecord = Omit<StoredPool, 'name'> & { readonly _id: string }

export interface PoolStore {
  read(name: string): Promise<StoredPool | undefined>
  all(): Promise<readonly StoredPool[]>
  /** Adds the pool; false when its name is taken, which changes nothing. */
  add(found: StoredPool): Promise<boolean>
  /** Writes what is wanted of the pool if nobody wrote it since it was read; undefined when somebody did. */
  change(before: StoredPool, spec: StoredPool['spec']): Promise<StoredPool | undefined>
  /** Removes the pool if nobody wrote it since it was read. */
  remove(before: StoredPool): Promise<boolean>
}

function fromRecord({ _id, kind, spec, uid, generation, revision, createdAt }: PoolRecord): StoredPool {
  return { kind, name: _id, spec, uid, generation, revision, createdAt }
}

/** The pools of a database. */
export function poolsIn(db: Db): PoolStore {
  const collection = db.collection<PoolRecord>('pools')
  return {
    read: async (name) => {
      const record = await collection.findOne({ _id: name })
      return record === null ? undefined : fromRecord(record)
    },
    all: async () => (await collection.find().sort({ _id: 1 }).toArray()).map(fromRecord),
    add: ({ name, ...rest }) =>
      unlessTaken(
        collection.insertOne({ _id: name, ...rest }).then(() => true),
        false,
      ),
    change: async ({ name, uid, revision }, spec) => {
      const change = { $set: { spec }, $inc: { revision: 1, generation: 1 } }
      const record = await collection.findOneAndUpdate({ _id: name, uid, revision }, change, {
        returnDocument: 'after',
      })
      return record === null ? undefined : fromRecord(record)
    },
    remove: async ({ name, uid, revision }) =>
      (await collection.deleteOne({ _id: name, uid, revision })).deletedCount === 1,
  }
}
