// New tenants counted by region, class and slot of five minutes: one document a slot, gone by itself when it is too old.
import type { Db } from 'mongodb'
import { historyMs, slotOf, type Arrivals } from '../../reconciler/pool/demand.ts'
import type { Instant } from '../../specs/clock.ts'

/** `warm`: it got a machine that stood ready; `cold`: one was made for it. */
export type ArrivalKind = 'warm' | 'cold'

interface ArrivalRecord {
  readonly _id: string
  readonly region: string
  readonly class: string
  readonly at: Instant
  readonly warm: number
  readonly cold: number
  /** For the index that lets it expire. */
  readonly until: Date
}

export interface ArrivalCounts {
  readonly warm: number
  readonly cold: number
}

export interface ArrivalStore {
  note(region: string, className: string, kind: ArrivalKind, now: Instant): Promise<void>
  since(region: string, className: string, since: Instant): Promise<readonly Arrivals[]>
  /** All of them, summed up. */
  counts(region: string, className: string, since: Instant): Promise<ArrivalCounts>
}

/** The arrivals in a database. */
export function arrivalsIn(db: Db): ArrivalStore {
  const collection = db.collection<ArrivalRecord>('arrivals')
  const find = (region: string, className: string, since: Instant) =>
    collection.find({ region, class: className, at: { $gte: since } }).toArray()
  return {
    note: async (region, className, kind, now) => {
      const at = slotOf(now)
      const other = kind === 'warm' ? 'cold' : 'warm'
      const first = { region, class: className, at, until: new Date(at + historyMs), [other]: 0 }
      await collection.updateOne(
        { _id: `${region} ${className} ${at}` },
        { $inc: { [kind]: 1 }, $setOnInsert: first },
        { upsert: true },
      )
    },
    since: async (region, className, since) =>
      (await find(region, className, since)).map(({ at, warm, cold }) => ({ at, count: warm + cold })),
    counts: async (region, className, since) =>
      (await find(region, className, since)).reduce<ArrivalCounts>(
        (sum, { warm, cold }) => ({ warm: sum.warm + warm, cold: sum.cold + cold }),
        { warm: 0, cold: 0 },
      ),
  }
}

/** The index that finds a region's arrivals, and the one that lets old ones go. */
export async function applyArrivalSchema(db: Db): Promise<void> {
  const arrivals = db.collection('arrivals')
  await arrivals.createIndex({ until: 1 }, { name: 'arrival_end', expireAfterSeconds: 0 }, {})
  await arrivals.createIndex({ region: 1, at: 1 }, { name: 'arrival_region' }, {})
}
