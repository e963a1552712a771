// Rollouts in MongoDB: one document each, kept after their end as the history of a class's image.
import type { Db } from 'mongodb'
import type { Rollout } from '../../specs/rollout.ts'
import { watchCollection, type CollectionSink, type Watch } from './changes.ts'
import { unlessTaken } from './tenants.ts'

type RolloutRecord = Omit<Rollout, 'id'> & { readonly _id: string }

export interface Rollouts {
  read(id: string): Promise<Rollout | undefined>
  /** The newest ones first. */
  newest(limit: number): Promise<readonly Rollout[]>
  /** Those that roll or are halted. */
  open(): Promise<readonly Rollout[]>
  /** Adds the rollout if there is none of its id, and answers the one that there is. */
  begin(rollout: Rollout): Promise<Rollout>
  /** Writes the rollout if nobody wrote it since `next.revision` was read; undefined when somebody did. */
  save(next: Rollout): Promise<Rollout | undefined>
  watch(sink: CollectionSink<Rollout>): Promise<Watch>
}

function fromRecord({ _id, ...rest }: RolloutRecord): Rollout {
  return { id: _id, ...rest }
}

/** The rollouts of a database. */
export function rolloutsIn(db: Db): Rollouts {
  const collection = db.collection<RolloutRecord>('rollouts')
  const read = async (id: string) => {
    const record = await collection.findOne({ _id: id })
    return record === null ? undefined : fromRecord(record)
  }
  return {
    read,
    newest: async (limit) => {
      const records = await collection.find().sort({ startedAt: -1, _id: 1 }).limit(limit).toArray()
      return records.map(fromRecord)
    },
    open: async () => {
      const records = await collection.find({ state: { $in: ['rolling', 'halted'] } }).toArray()
      return records.map(fromRecord)
    },
    begin: async ({ id, ...rest }) => {
      const added = collection.insertOne({ _id: id, ...rest }).then(() => ({ id, ...rest }))
      const begun = (await unlessTaken(added, undefined)) ?? (await read(id))
      if (begun === undefined) throw new Error(`the rollout ${id} was removed while it began`)
      return begun
    },
    save: async ({ id, revision, ...rest }) => {
      const next = { _id: id, ...rest, revision: revision + 1 }
      const record = await collection.findOneAndReplace({ _id: id, revision }, next, { returnDocument: 'after' })
      return record === null ? undefined : fromRecord(record)
    },
    watch: (sink) =>
      watchCollection(collection, {
        changed: (record) => sink.changed(fromRecord(record)),
        removed: (id) => sink.removed(id),
        missed: () => sink.missed(),
      }),
  }
}
