// Service tokens in MongoDB: who may call, without any secret. A token that nobody can use any more is kept for the list for a
// while, and then goes by a TTL index.
import type { Collection, Db, WithId } from 'mongodb'
import { day, type ServiceToken } from '../identity/service-token.ts'
import type { TokenStore } from '../identity/service-tokens.ts'

type Stored = Omit<ServiceToken, 'id'> & {
  readonly _id: string
  /** A date, because a TTL index reads nothing else. */
  readonly forgetAt: Date
}

const keptMs = 90 * day

function fromStored(stored: WithId<Stored>): ServiceToken {
  const { name, role, selector, createdAt, createdBy, expiresAt, revokedAt, lastUsedAt } = stored
  const { version, previous, revision } = stored
  const times = { createdAt, createdBy, expiresAt, revokedAt, lastUsedAt }
  return { id: stored._id, name, role, selector, ...times, version, previous, revision }
}

const forgetAt = ({ expiresAt }: ServiceToken) => new Date(expiresAt + keptMs)

/** The index that forgets. */
export async function applyTokenSchema(db: Db): Promise<void> {
  await db.collection<Stored>('tokens').createIndex({ forgetAt: 1 }, { name: 'forget', expireAfterSeconds: 0 }, {})
}

async function save(collection: Collection<Stored>, token: ServiceToken): Promise<ServiceToken | undefined> {
  const { id, expiresAt, version, previous, revokedAt, revision } = token
  const changed = { expiresAt, version, previous, revokedAt, forgetAt: forgetAt(token), revision: revision + 1 }
  const found = await collection.findOneAndUpdate({ _id: id, revision }, { $set: changed }, { returnDocument: 'after' })
  return found === null ? undefined : fromStored(found)
}

/** The service tokens of a database. */
export function tokensIn(db: Db): TokenStore {
  const collection = db.collection<Stored>('tokens')
  return {
    add: async (token) => {
      const { id, ...rest } = token
      await collection.insertOne({ _id: id, ...rest, forgetAt: forgetAt(token) })
    },
    get: async (id) => {
      const found = await collection.findOne({ _id: id })
      return found === null ? undefined : fromStored(found)
    },
    page: async ({ after, limit }) => {
      const filter = after === undefined ? {} : { _id: { $gt: after } }
      return (await collection.find(filter).sort({ _id: 1 }).limit(limit).toArray()).map(fromStored)
    },
    save: (token) => save(collection, token),
    used: async (id, at) => {
      await collection.updateOne({ _id: id }, { $max: { lastUsedAt: at } })
    },
  }
}
