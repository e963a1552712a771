// When each tenant was last used, and who asked to be woken: written by the proxies, seldom, beside the tenants, so that a
// busy tenant's document does not move with its traffic.
import type { Collection, Db } from 'mongodb'
import type { Instant } from '../../specs/clock.ts'
import { watchCollection } from './changes.ts'

interface ActivityRecord {
  readonly _id: string
  /** Epoch milliseconds; only ever rises. */
  readonly lastUsedAt: Instant
  /** When a request last found the tenant asleep. */
  readonly wakeAt?: Instant
  /** When it was last put to sleep. */
  readonly sleptAt?: Instant
  readonly revision: number
}

export interface Activity {
  lastUsedAt(uid: string): Promise<Instant | undefined>
  /** Notes uses, many tenants at once; an earlier time than the one known changes nothing. */
  used(uses: ReadonlyMap<string, Instant>): Promise<void>
  /** Notes a use of a tenant that sleeps: whoever watches wakes it. */
  wake(uid: string, at: Instant): Promise<void>
  /** Whether nobody has used the tenant after `at`, noted in the same write, so that a use and a sleep cannot miss each other. */
  sleep(uid: string, at: Instant, now: Instant): Promise<boolean>
  /** Tells of each wish to be woken from now on. */
  watch(woken: (uid: string) => void): Promise<{ close(): Promise<void> }>
}

interface Use {
  readonly lastUsedAt: Instant
  readonly wakeAt?: Instant
}

function updateOf(uid: string, { lastUsedAt, wakeAt }: Use) {
  const $set = wakeAt === undefined ? {} : { $set: { wakeAt } }
  return { filter: { _id: uid }, update: { $max: { lastUsedAt }, $inc: { revision: 1 }, ...$set }, upsert: true }
}

async function sleep(
  collection: Collection<ActivityRecord>,
  uid: string,
  at: Instant,
  sleptAt: Instant,
): Promise<boolean> {
  const update = { $set: { sleptAt }, $inc: { revision: 1 } }
  const { matchedCount } = await collection.updateOne({ _id: uid, lastUsedAt: { $lte: at } }, update)
  return matchedCount === 1 || (await collection.countDocuments({ _id: uid })) === 0
}

/** The activity in a database. */
export function activityIn(db: Db): Activity {
  const collection = db.collection<ActivityRecord>('activity')
  return {
    lastUsedAt: async (uid) => (await collection.findOne({ _id: uid }))?.lastUsedAt,
    used: async (uses) => {
      if (uses.size === 0) return
      const writes = [...uses].map(([uid, lastUsedAt]) => ({ updateOne: updateOf(uid, { lastUsedAt }) }))
      await collection.bulkWrite(writes, { ordered: false })
    },
    wake: async (uid, at) => {
      const { filter, update, upsert } = updateOf(uid, { lastUsedAt: at, wakeAt: at })
      await collection.updateOne(filter, update, { upsert })
    },
    sleep: (uid, at, now) => sleep(collection, uid, at, now),
    watch: (woken) => {
      const known = new Map<string, Instant>()
      return watchCollection(collection, {
        changed: ({ _id, wakeAt }) => {
          if (wakeAt === undefined || known.get(_id) === wakeAt) return
          known.set(_id, wakeAt)
          woken(_id)
        },
        removed: (uid) => void known.delete(uid),
        // Whoever is asleep and used meanwhile is seen at the next resync.
        missed: () => {},
      })
    },
  }
}
