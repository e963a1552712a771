// Orphans in MongoDB: one small document for each, written by compare-and-set, so that a person's word is never lost to a
// sweep that began before it.
import type { Db, WithId } from 'mongodb'
import type { OrphanRecord, OrphanStore } from '../../reconciler/orphans/orphan.ts'

type Stored = Omit<OrphanRecord, 'id'> & { readonly _id: string }

const fromStored = ({ _id, ...rest }: WithId<Stored>): OrphanRecord => ({ id: _id, ...rest })
const toStored = ({ id, ...rest }: OrphanRecord): Stored => ({ _id: id, ...rest })

/** The orphans of a database. */
export function orphansIn(db: Db): OrphanStore {
  const collection = db.collection<Stored>('orphans')
  return {
    all: async () => (await collection.find({}).toArray()).map(fromStored),
    get: async (id) => {
      const found = await collection.findOne({ _id: id })
      return found === null ? undefined : fromStored(found)
    },
    page: async ({ after, limit }) => {
      const filter = after === undefined ? {} : { _id: { $gt: after } }
      return (await collection.find(filter).sort({ _id: 1 }).limit(limit).toArray()).map(fromStored)
    },
    add: async (records) => {
      const writes = records.map((record) => {
        const { _id, ...rest } = toStored(record)
        return { updateOne: { filter: { _id }, update: { $setOnInsert: rest }, upsert: true } }
      })
      await collection.bulkWrite(writes, { ordered: false })
    },
    save: async (before, after) => {
      const { id, revision } = before
      const next = { ...after, revision: revision + 1 }
      const { matchedCount } = await collection.replaceOne({ _id: id, revision }, toStored(next))
      return matchedCount === 1 ? next : undefined
    },
    remove: async (ids) => {
      await collection.deleteMany({ _id: { $in: [...ids] } })
    },
  }
}
