// Classes in MongoDB: each write is one compare-and-set on one document, as with tenants.
import type { Db } from 'mongodb'
import type { StoredClass } from '../../specs/class.ts'
import { watchCollection, type CollectionSink, type Watch } from './changes.ts'
import { unlessTaken } from './tenants.ts'

/** As stored: the name is the document's id. */
type ClassRecord = Omit<StoredClass, 'name'> & { readonly _id: string }

export interface ClassStore {
  read(name: string): Promise<StoredClass | undefined>
  all(): Promise<readonly StoredClass[]>
  /** Adds the class; false when its name is taken, which changes nothing. */
  add(found: StoredClass): Promise<boolean>
  /** Writes the class if nobody wrote it since `next.revision` was read; undefined when somebody did. */
  save(next: StoredClass): Promise<StoredClass | undefined>
  /** Removes the class if nobody wrote it since it was read. */
  remove(before: StoredClass): Promise<boolean>
  watch(sink: CollectionSink<StoredClass>): Promise<Watch>
}

function fromRecord({
  _id,
  kind,
  spec,
  uid,
  stable,
  rollout,
  generation,
  revision,
  createdAt,
}: ClassRecord): StoredClass {
  const found = { kind, name: _id, spec, uid, stable, generation, revision, createdAt }
  return rollout === undefined ? found : { ...found, rollout }
}

/** The classes of a database. */
export function classesIn(db: Db): ClassStore {
  const collection = db.collection<ClassRecord>('classes')
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
    save: async ({ name, uid, revision, spec, stable, rollout, generation }) => {
      const set = { spec, stable, generation, ...(rollout === undefined ? {} : { rollout }) }
      const record = await collection.findOneAndUpdate(
        { _id: name, uid, revision },
        { $set: set, $inc: { revision: 1 }, ...(rollout === undefined ? { $unset: { rollout: true as const } } : {}) },
        { returnDocument: 'after' },
      )
      return record === null ? undefined : fromRecord(record)
    },
    remove: async ({ name, uid, revision }) =>
      (await collection.deleteOne({ _id: name, uid, revision })).deletedCount === 1,
    watch: (sink) =>
      watchCollection(collection, {
        changed: (record) => sink.changed(fromRecord(record)),
        removed: (name) => sink.removed(name),
        missed: () => sink.missed(),
      }),
  }
}
