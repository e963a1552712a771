// The audit in MongoDB: one document for each entry under its number, never written again. The head is kept beside it.
import { MongoBulkWriteError, type Collection, type Db, type Filter, type WithId } from 'mongodb'
import type { AuditChainStore } from '../audit/appender.ts'
import type { AuditEntry, AuditHead, AuditOutcome } from '../audit/entry.ts'

type Stored = Omit<AuditEntry, 'seq'> & { readonly _id: number }
type StoredHead = AuditHead & { readonly _id: 'audit' }

export interface AuditQuery {
  /** Of whom, such as `token:abc`. */
  readonly caller?: string | undefined
  /** Of what, such as `tenants/acme`: what was addressed, or what was changed by it. */
  readonly object?: string | undefined
  readonly outcome?: AuditOutcome | undefined
  /** ISO 8601 in UTC, with milliseconds; from here on, and before then. */
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly order: 'newest' | 'oldest'
  /** The number of the last entry of the page before. */
  readonly after?: number | undefined
  readonly limit: number
}

export interface AuditStore extends AuditChainStore {
  page(query: AuditQuery): Promise<readonly AuditEntry[]>
  /** The head that was kept. */
  head(): Promise<AuditHead | undefined>
}

const duplicateKey = 11_000

/** Everything that is stored: a field that was put in later must break the chain. */
const fromStored = ({ _id, ...rest }: WithId<Stored>): AuditEntry => ({ ...rest, seq: _id })

async function insert(collection: Collection<Stored>, entries: readonly AuditEntry[]): Promise<number> {
  try {
    const documents = entries.map(({ seq, ...rest }) => ({ _id: seq, ...rest }))
    return (await collection.insertMany(documents, { ordered: true })).insertedCount
  } catch (error) {
    if (error instanceof MongoBulkWriteError && error.code === duplicateKey) return error.insertedCount
    throw error
  }
}

function filterOf({ caller, object, outcome, since, until, order, after }: AuditQuery): Filter<Stored> {
  const parts: Filter<Stored>[] = [
    ...(caller === undefined ? [] : [{ 'caller.id': caller }]),
    ...(object === undefined ? [] : [{ $or: [{ object }, { 'changes.object': object }] }]),
    ...(outcome === undefined ? [] : [{ outcome }]),
    ...(since === undefined ? [] : [{ at: { $gte: since } }]),
    ...(until === undefined ? [] : [{ at: { $lt: until } }]),
    ...(after === undefined ? [] : [{ _id: order === 'newest' ? { $lt: after } : { $gt: after } }]),
  ]
  return parts.length === 0 ? {} : { $and: parts }
}

/** The indexes for what people ask for; the numbers are the ids. */
export async function applyAuditSchema(db: Db): Promise<void> {
  const audit = db.collection<Stored>('audit')
  await audit.createIndex({ 'caller.id': 1, _id: -1 }, { name: 'of_caller' }, {})
  await audit.createIndex({ object: 1, _id: -1 }, { name: 'of_object' }, {})
  await audit.createIndex({ 'changes.object': 1, _id: -1 }, { name: 'of_changed' }, {})
}

async function keepHead(heads: Collection<StoredHead>, head: AuditHead): Promise<void> {
  const { matchedCount } = await heads.updateOne({ _id: 'audit', seq: { $lt: head.seq } }, { $set: head })
  if (matchedCount === 0) await heads.updateOne({ _id: 'audit' }, { $setOnInsert: head }, { upsert: true })
}

/** The audit of a database. */
export function auditIn(db: Db): AuditStore {
  const collection = db.collection<Stored>('audit')
  const heads = db.collection<StoredHead>('heads')
  return {
    last: async () => {
      const [last] = await collection
        .find({}, { projection: { hash: 1 } })
        .sort({ _id: -1 })
        .limit(1)
        .toArray()
      return last && { seq: last._id, hash: last.hash }
    },
    insert: (entries) => insert(collection, entries),
    keepHead: (head) => keepHead(heads, head),
    head: async () => {
      const found = await heads.findOne({ _id: 'audit' })
      return found === null ? undefined : { seq: found.seq, hash: found.hash }
    },
    page: async (query) => {
      const direction = query.order === 'newest' ? -1 : 1
      const found = collection.find(filterOf(query)).sort({ _id: direction }).limit(query.limit)
      return (await found.toArray()).map(fromStored)
    },
  }
}
