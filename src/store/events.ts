// Events in MongoDB: what is the same again within an hour is one document with a count. Old ones go by a TTL index, and of
// one tenant only the newest stay.
import { createHash } from 'node:crypto'
import { MongoBulkWriteError, type AnyBulkWriteOperation, type Collection, type Db, type Filter } from 'mongodb'
import type { Instant } from '../../specs/clock.ts'
import { watchCollection, type Watch } from './changes.ts'
import { folds, type EventKind, type EventRecord } from '../events/event.ts'

/** As stored: dates, because a TTL index reads nothing else. */
interface StoredEvent {
  readonly _id: string
  /** Of everything that makes two events the same. */
  readonly key: string
  readonly uid: string
  readonly tenant: string
  readonly kind: EventKind
  readonly reason: string
  readonly step?: string | undefined
  readonly message: string
  readonly who?: string | undefined
  readonly tookMs?: number | undefined
  readonly firstAt: Date
  readonly lastAt: Date
  readonly count: number
  /** +1 on every write; those of an earlier version have none. */
  readonly revision?: number | undefined
}

/** An event as it is kept: at revision 1 it is new. */
export interface KeptEvent extends EventRecord {
  readonly revision: number
}

/** After which event a page goes on. */
export interface EventPlace {
  readonly lastAt: Instant
  readonly id: string
}

export interface EventQuery {
  readonly uid?: string | undefined
  /** Only of one of these. */
  readonly uids?: readonly string[] | undefined
  readonly tenant?: string | undefined
  readonly kind?: EventKind | undefined
  readonly reason?: string | undefined
  readonly after?: EventPlace | undefined
  readonly limit: number
}

export interface Events {
  /** Adds the records; one whose id is known already is left as it is. */
  write(batch: readonly EventRecord[]): Promise<void>
  /** Newest first. */
  page(query: EventQuery): Promise<readonly KeptEvent[]>
  /** Tells of every event that is written from the moment this resolves, again where it is the same again. */
  watch(sink: EventSink): Promise<Watch>
}

export interface EventSink {
  changed(event: KeptEvent): void
  /** Events may have been missed. */
  missed(): void
}

/** Kubernetes folds for ten minutes and forgets after an hour; our slowest retry comes every 15 minutes. */
const foldMs = 3_600_000
export const keptSeconds = 14 * 86_400
export const mostPerTenant = 100
/** A tenant's oldest are looked for after so many new ones, and not with each. */
const trimAfter = 20
/** Tenants that are counted for it; beyond that the count begins anew. */
const mostCounted = 50_000
const duplicateKey = 11_000

function keyOf({ uid, kind, reason, step, message, who }: EventRecord): string {
  return createHash('sha256')
    .update(JSON.stringify([uid, kind, reason, step, message, who]))
    .digest('base64url')
}

function operation(record: EventRecord): AnyBulkWriteOperation<StoredEvent> {
  const { id, firstAt, lastAt, count, tookMs, ...rest } = record
  const key = keyOf(record)
  const [first, last] = [new Date(firstAt), new Date(lastAt)]
  if (!folds(record.kind)) {
    const document = { _id: id, key, ...rest, tookMs, firstAt: first, lastAt: last, count, revision: 1 }
    return { insertOne: { document } }
  }
  const took = tookMs === undefined ? {} : { $set: { tookMs } }
  return {
    updateOne: {
      filter: { key, lastAt: { $gte: new Date(firstAt - foldMs) } },
      update: {
        $inc: { count, revision: 1 },
        $max: { lastAt: last },
        $setOnInsert: { _id: id, ...rest, firstAt: first },
        ...took,
      },
      upsert: true,
    },
  }
}

/** A batch that was written and whose answer was lost is written again: what is there already is no failure. */
async function writeAll(collection: Collection<StoredEvent>, batch: readonly EventRecord[]): Promise<void> {
  try {
    await collection.bulkWrite(batch.map(operation), { ordered: false })
  } catch (error) {
    const known =
      error instanceof MongoBulkWriteError && [error.writeErrors].flat().every(({ code }) => code === duplicateKey)
    if (!known) throw error
  }
}

async function trim(collection: Collection<StoredEvent>, uid: string): Promise<void> {
  const old = await collection
    .find({ uid }, { projection: { _id: 1 } })
    .sort({ lastAt: -1, _id: -1 })
    .skip(mostPerTenant)
    .toArray()
  if (old.length > 0) await collection.deleteMany({ _id: { $in: old.map(({ _id }) => _id) } })
}

function fromStored({ _id: id, firstAt, lastAt, ...rest }: StoredEvent): KeptEvent {
  const { uid, tenant, kind, reason, step, message, who, tookMs, count, revision = 1 } = rest
  const times = { firstAt: firstAt.getTime(), lastAt: lastAt.getTime() }
  return { id, uid, tenant, kind, reason, step, message, who, tookMs, count, revision, ...times }
}

function filterOf({ uid, uids, tenant, kind, reason, after }: EventQuery): Filter<StoredEvent> {
  const among = uids === undefined ? uid : { $in: [...uids] }
  const wanted = Object.entries({ uid: among, tenant, kind, reason }).filter(([, value]) => value !== undefined)
  const fields = Object.fromEntries(wanted) as Filter<StoredEvent>
  if (after === undefined) return fields
  const lastAt = new Date(after.lastAt)
  return { ...fields, $or: [{ lastAt: { $lt: lastAt } }, { lastAt, _id: { $lt: after.id } }] }
}

/** The indexes: by tenant and by time for the lists, by what is the same for the count, and the one that forgets. */
export async function applyEventSchema(db: Db): Promise<void> {
  const events = db.collection<StoredEvent>('events')
  await events.createIndex({ lastAt: 1 }, { name: 'forget', expireAfterSeconds: keptSeconds }, {})
  await events.createIndex({ lastAt: -1, _id: -1 }, { name: 'newest' }, {})
  await events.createIndex({ uid: 1, lastAt: -1, _id: -1 }, { name: 'of_tenant' }, {})
  await events.createIndex({ key: 1, lastAt: -1 }, { name: 'same' }, {})
}

/** The events of a database. */
export function eventsIn(db: Db): Events {
  const collection = db.collection<StoredEvent>('events')
  const untrimmed = new Map<string, number>()
  const trimDue = async (batch: readonly EventRecord[]) => {
    if (untrimmed.size > mostCounted) untrimmed.clear()
    for (const { uid } of batch) untrimmed.set(uid, (untrimmed.get(uid) ?? 0) + 1)
    for (const uid of new Set(batch.map((record) => record.uid))) {
      if ((untrimmed.get(uid) ?? 0) < trimAfter) continue
      await trim(collection, uid)
      untrimmed.delete(uid)
    }
  }
  return {
    write: async (batch) => {
      if (batch.length === 0) return
      await writeAll(collection, batch)
      await trimDue(batch)
    },
    page: async (query) => {
      const found = collection.find(filterOf(query)).sort({ lastAt: -1, _id: -1 }).limit(query.limit)
      return (await found.toArray()).map(fromStored)
    },
    watch: (sink) =>
      watchCollection(collection as unknown as Collection<StoredEvent & { readonly revision: number }>, {
        changed: (record) => sink.changed(fromStored(record)),
        // What is forgotten is no news.
        removed: () => {},
        missed: () => sink.missed(),
      }),
  }
}
