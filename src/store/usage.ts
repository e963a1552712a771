// The usage ledger in MongoDB. `usage` holds a machine's changes of state, one document for each machine and day, which only
// grows; `usage_things` one document for each machine and volume: its sizes, which only grow, and what the writer knows of it.
import type { AnyBulkWriteOperation, Collection, Db } from 'mongodb'
import { hasEnded, type Known, type KnownMachine, type News } from '../../reconciler/usage/derive.ts'
import type { Change, SizeChange, VolumeChange } from '../../reconciler/usage/ledger.ts'
import type { UsageStore } from '../../reconciler/usage/recorder.ts'
import type { Instant } from '../../specs/clock.ts'

interface DayRecord {
  readonly _id: string
  readonly thing: string
  /** Of the first millisecond of a day, in UTC. */
  readonly day: Instant
  readonly changes: readonly Change[]
}

interface ThingRecord {
  readonly _id: string
  readonly kind: 'machine' | 'volume'
  readonly uid: string
  readonly region: string
  readonly firstAt: Instant
  readonly endedAt: Instant
  readonly last: Change | VolumeChange
  readonly toldTo?: Instant
  readonly updatedAt?: Instant
  readonly size?: SizeChange | undefined
  readonly sizes: readonly (SizeChange | VolumeChange)[]
}

/** One machine or volume with all entries that matter to a time. */
export type UsedThing =
  | {
      readonly kind: 'machine'
      readonly id: string
      readonly uid: string
      readonly region: string
      readonly changes: readonly Change[]
      readonly sizes: readonly SizeChange[]
    }
  | {
      readonly kind: 'volume'
      readonly id: string
      readonly uid: string
      readonly region: string
      readonly sizes: readonly VolumeChange[]
    }

export interface Usage extends UsageStore {
  /** Everything that existed between the two instants, of one tenant or of all. */
  between(from: Instant, to: Instant, uid?: string): Promise<readonly UsedThing[]>
}

const dayMs = 86_400_000
/** The last instant that there is: not ended yet. */
const never = 8_640_000_000_000_000
const mostLost = 500
/** Look-backs under way at once. */
const mostAtOnce = 32

const dayOf = (at: Instant) => Math.floor(at / dayMs) * dayMs

function dayWrites({ known: { id }, changes }: Extract<News, { known: KnownMachine }>) {
  const days = Map.groupBy(changes, ({ at }) => dayOf(at))
  return [...days].map(([day, entries]): AnyBulkWriteOperation<DayRecord> => {
    const update = { $setOnInsert: { thing: id, day }, $addToSet: { changes: { $each: entries } } }
    return { updateOne: { filter: { _id: `${id} ${day}` }, update, upsert: true } }
  })
}

const isMachine = (news: News): news is Extract<News, { known: KnownMachine }> => news.known.kind === 'machine'

function thingWrite(news: News): AnyBulkWriteOperation<ThingRecord> {
  const { id, firstAt, ...rest } = news.known
  const sizes = isMachine(news) ? (news.size === undefined ? [] : [news.size]) : news.changes
  const endedAt = hasEnded(news.known) ? news.known.last.at : never
  const grown = { $min: { firstAt }, $addToSet: { sizes: { $each: [...sizes] } } }
  return { updateOne: { filter: { _id: id }, update: { $set: { ...rest, endedAt }, ...grown }, upsert: true } }
}

function knownOf({ _id: id, kind, uid, region, firstAt, last, toldTo = 0, updatedAt = 0, size }: ThingRecord): Known {
  if (kind === 'volume') return { kind, id, uid, region, firstAt, last: last as VolumeChange }
  return { kind, id, uid, region, firstAt, last: last as Change, toldTo, updatedAt, size }
}

/** Runs a read for each, not all at once. */
async function each<T, R>(items: readonly T[], read: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let start = 0; start < items.length; start += mostAtOnce)
    results.push(...(await Promise.all(items.slice(start, start + mostAtOnce).map(read))))
  return results
}

function reader(days: Collection<DayRecord>, things: Collection<ThingRecord>) {
  /** What a machine was in when the time began: the entries of the last day before that has any. */
  const carried = async ({ _id, last, firstAt }: ThingRecord, first: Instant): Promise<readonly Change[]> => {
    if (firstAt >= first) return []
    const change = last as Change
    if (change.at < first && change.look !== true) return [change]
    const [before] = await days
      .find({ thing: _id, day: { $lt: first } })
      .sort({ day: -1 })
      .limit(1)
      .toArray()
    return before?.changes ?? []
  }
  const inside = async (ids: readonly string[] | undefined, first: Instant, to: Instant) => {
    const filter = { ...(ids === undefined ? {} : { thing: { $in: [...ids] } }), day: { $gte: first, $lt: to } }
    return Map.groupBy(await days.find(filter).toArray(), ({ thing }) => thing)
  }
  return async (from: Instant, to: Instant, uid?: string): Promise<readonly UsedThing[]> => {
    const first = dayOf(from)
    const filter = { firstAt: { $lt: to }, endedAt: { $gte: from }, ...(uid === undefined ? {} : { uid }) }
    const found = await things.find(filter).toArray()
    const changes = await inside(uid === undefined ? undefined : found.map(({ _id }) => _id), first, to)
    return each(found, async (thing): Promise<UsedThing> => {
      const { _id: id, kind, region } = thing
      const common = { id, uid: thing.uid, region }
      if (kind === 'volume') return { kind, ...common, sizes: thing.sizes as readonly VolumeChange[] }
      const now = (changes.get(id) ?? []).flatMap((day) => day.changes)
      const before = await carried(thing, first)
      return { kind, ...common, changes: [...before, ...now], sizes: thing.sizes as readonly SizeChange[] }
    })
  }
}

/** The indexes: by time for the fleet's sums, by thing for what was before. */
export async function applyUsageSchema(db: Db): Promise<void> {
  const days = db.collection<DayRecord>('usage')
  await days.createIndex({ day: 1 }, { name: 'by_day' }, {})
  await days.createIndex({ thing: 1, day: -1 }, { name: 'of_thing' }, {})
  const things = db.collection<ThingRecord>('usage_things')
  await things.createIndex({ endedAt: 1 }, { name: 'by_end' }, {})
  await things.createIndex({ uid: 1 }, { name: 'of_tenant' }, {})
}

/** The ledger in a database. */
export function usageIn(db: Db): Usage {
  const days = db.collection<DayRecord>('usage')
  const things = db.collection<ThingRecord>('usage_things')
  return {
    open: async () => {
      const open = await things.find({ endedAt: never }).toArray()
      const lost = await things.find({ 'last.look': true }).sort({ endedAt: -1 }).limit(mostLost).toArray()
      return [...new Map([...lost, ...open].map((thing) => [thing._id, thing])).values()].map(knownOf)
    },
    // The entries first: what is known of a thing may be behind them, never ahead.
    append: async (news) => {
      const entries = news.filter(isMachine).flatMap(dayWrites)
      if (entries.length > 0) await days.bulkWrite(entries, { ordered: false })
      if (news.length > 0) await things.bulkWrite(news.map(thingWrite), { ordered: false })
    },
    between: reader(days, things),
  }
}
