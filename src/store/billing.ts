// Billing's messages that were taken, by their id, so that one that comes again is answered and not taken again.
import type { Db } from 'mongodb'
import type { Instant } from '../../specs/clock.ts'
import { unlessTaken } from './tenants.ts'

interface MessageRecord {
  readonly _id: string
  /** A date, because a TTL index reads nothing else. */
  readonly at: Date
  readonly answer: string
}

export interface BillingMessages {
  /** What the message was answered with, if it was taken before. */
  answered(id: string): Promise<string | undefined>
  taken(id: string, at: Instant, answer: string): Promise<void>
}

const keptSeconds = 48 * 3_600

export async function applyBillingSchema(db: Db): Promise<void> {
  await db
    .collection<MessageRecord>('billing_messages')
    .createIndex({ at: 1 }, { name: 'forget', expireAfterSeconds: keptSeconds }, {})
}

/** The messages in a database. */
export function billingMessagesIn(db: Db): BillingMessages {
  const collection = db.collection<MessageRecord>('billing_messages')
  return {
    answered: async (id) => (await collection.findOne({ _id: id }))?.answer,
    taken: async (id, at, answer) => {
      await unlessTaken(
        collection.insertOne({ _id: id, at: new Date(at), answer }).then(() => undefined),
        undefined,
      )
    },
  }
}
