// Webhooks out, in MongoDB: who is told (`webhook_endpoints`), what is still to be told (`webhook_deliveries`, the outbox), and
// what each tenant was last told to be (`webhook_told`). Ids follow from the thing told, so that writing it again adds nothing.
import type { Collection, Db } from 'mongodb'
import type { Instant } from '../../specs/clock.ts'
import type { EventType, Telling } from '../webhooks/events.ts'
import { unlessTaken } from './tenants.ts'

export interface Endpoint {
  readonly id: string
  readonly url: string
  /** Empty: everything. */
  readonly events: readonly EventType[]
  readonly state: 'enabled' | 'disabled'
  readonly reason?: string | undefined
  /** Which secret is in use; the one before is, too, for a day after `rotatedAt`. */
  readonly secretVersion: number
  readonly rotatedAt?: Instant | undefined
  readonly createdAt: Instant
  readonly revision: number
}

export type DeliveryState = 'pending' | 'done' | 'dead'

export interface Delivery extends Telling {
  readonly id: string
  readonly endpoint: string
  readonly state: DeliveryState
  readonly attempts: number
  /** Of the next try; while one is under way, when another may be made if nothing more is heard of it. */
  readonly nextAt: Instant
  readonly lastStatus?: number | undefined
  readonly lastError?: string | undefined
  /** For the TTL index; a date. */
  readonly endedAt?: Date | undefined
}

type Stored<T extends { id: string }> = Omit<T, 'id'> & { readonly _id: string }

interface Told {
  readonly _id: string
  readonly type: EventType
  readonly tenant: string
  readonly revision: number
}

export interface DeliveryQuery {
  readonly state?: DeliveryState | undefined
  readonly endpoint?: string | undefined
  readonly tenant?: string | undefined
  readonly after?: DeliveryPlace | undefined
  readonly limit: number
}

/** After which delivery a page goes on. */
export interface DeliveryPlace {
  readonly at: Instant
  readonly id: string
}

export interface Outcome {
  readonly state: DeliveryState
  readonly nextAt: Instant
  readonly lastStatus?: number | undefined
  readonly lastError?: string | undefined
}

export interface Webhooks {
  endpoints(): Promise<readonly Endpoint[]>
  endpoint(id: string): Promise<Endpoint | undefined>
  addEndpoint(endpoint: Endpoint): Promise<void>
  /** Undefined when somebody wrote it since it was read. */
  saveEndpoint(next: Endpoint): Promise<Endpoint | undefined>
  /** With everything that was to be told there. */
  removeEndpoint(id: string): Promise<boolean>
  /** Puts it into the outbox for these endpoints, and notes what the tenant was told to be. */
  tell(telling: Telling, endpoints: readonly Endpoint[]): Promise<void>
  /** What each tenant was last told to be. */
  told(): Promise<ReadonlyMap<string, Pick<Told, 'type' | 'tenant' | 'revision'>>>
  due(now: Instant, limit: number): Promise<readonly Delivery[]>
  nextDue(): Promise<Instant | undefined>
  /** The first that is still to be told to this endpoint of this tenant. */
  head(delivery: Delivery): Promise<Delivery | undefined>
  /** Takes a try, if nobody else did since it was read. */
  claim(delivery: Delivery, until: Instant): Promise<boolean>
  end(delivery: Delivery, outcome: Outcome, now: Instant): Promise<void>
  /** What waits behind a delivery is not due before it. */
  holdBehind(delivery: Delivery, until: Instant): Promise<void>
  /** Newest first. */
  deliveries(query: DeliveryQuery): Promise<readonly Delivery[]>
  redeliver(id: string, now: Instant): Promise<Delivery | undefined>
}

const keptSeconds = 7 * 86_400

function fromStored<T extends { id: string }>({ _id, ...rest }: Stored<T>): T {
  return { id: _id, ...rest } as unknown as T
}

export async function applyWebhookSchema(db: Db): Promise<void> {
  const deliveries = db.collection<Stored<Delivery>>('webhook_deliveries')
  await deliveries.createIndex({ state: 1, nextAt: 1 }, { name: 'due' }, {})
  await deliveries.createIndex({ endpoint: 1, uid: 1, revision: 1 }, { name: 'in_order' }, {})
  await deliveries.createIndex({ endedAt: 1 }, { name: 'forget', expireAfterSeconds: keptSeconds }, {})
}

function endpointsOf(collection: Collection<Stored<Endpoint>>, deliveries: Collection<Stored<Delivery>>) {
  return {
    endpoints: async () => (await collection.find().sort({ _id: 1 }).toArray()).map((one) => fromStored<Endpoint>(one)),
    endpoint: async (id) => {
      const found = await collection.findOne({ _id: id })
      return found === null ? undefined : fromStored<Endpoint>(found)
    },
    addEndpoint: async ({ id, ...rest }) => {
      await collection.insertOne({ _id: id, ...rest })
    },
    saveEndpoint: async ({ id, revision, ...rest }) => {
      const next = { ...rest, revision: revision + 1 }
      const { matchedCount } = await collection.replaceOne({ _id: id, revision }, next)
      return matchedCount === 1 ? { id, ...next } : undefined
    },
    removeEndpoint: async (id) => {
      const { deletedCount } = await collection.deleteOne({ _id: id })
      await deliveries.deleteMany({ endpoint: id })
      return deletedCount === 1
    },
  } satisfies Partial<Webhooks>
}

function outboxOf(collection: Collection<Stored<Delivery>>, told: Collection<Told>) {
  const one = (found: Stored<Delivery> | null) => (found === null ? undefined : fromStored<Delivery>(found))
  return {
    // The outbox first: what was told is known only once it is sure to be told.
    tell: async (telling, endpoints) => {
      const { uid, revision, tenant, type, at } = telling
      for (const endpoint of endpoints) {
        const _id = `${endpoint.id}.${uid}.${revision}`
        const fresh = { ...telling, endpoint: endpoint.id, state: 'pending' as const, attempts: 0, nextAt: at }
        await unlessTaken(collection.updateOne({ _id }, { $setOnInsert: fresh }, { upsert: true }), undefined)
      }
      if (type.startsWith('tenant.'))
        await told.updateOne({ _id: uid }, { $set: { type, tenant, revision } }, { upsert: true })
    },
    told: async () => new Map((await told.find().toArray()).map(({ _id, ...rest }) => [_id, rest])),
    due: async (now, limit) => {
      const found = collection.find({ state: 'pending', nextAt: { $lte: now } }).sort({ nextAt: 1, revision: 1 })
      return (await found.limit(limit).toArray()).map((record) => fromStored<Delivery>(record))
    },
    nextDue: async () =>
      (await collection.find({ state: 'pending' }).sort({ nextAt: 1 }).limit(1).toArray())[0]?.nextAt,
    head: async ({ endpoint, uid }) => {
      const found = collection.find({ endpoint, uid, state: 'pending' }).sort({ revision: 1 }).limit(1)
      return one((await found.toArray())[0] ?? null)
    },
    claim: async ({ id, nextAt, attempts }, until) => {
      const mine = { _id: id, state: 'pending', nextAt, attempts } as const
      const { modifiedCount } = await collection.updateOne(mine, { $set: { nextAt: until }, $inc: { attempts: 1 } })
      return modifiedCount === 1
    },
    end: async ({ id }, { state, nextAt, lastStatus, lastError }, now) => {
      const ended = state === 'done' ? { endedAt: new Date(now) } : {}
      await collection.updateOne({ _id: id }, { $set: { state, nextAt, lastStatus, lastError, ...ended } })
    },
    holdBehind: async ({ endpoint, uid, revision }, until) => {
      const behind = { endpoint, uid, state: 'pending', revision: { $gt: revision }, nextAt: { $lt: until } } as const
      await collection.updateMany(behind, { $set: { nextAt: until } })
    },
    deliveries: async ({ limit, after, ...asked }) => {
      const filter = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined))
      const place =
        after === undefined ? {} : { $or: [{ at: { $lt: after.at } }, { at: after.at, _id: { $gt: after.id } }] }
      const found = collection
        .find({ ...filter, ...place })
        .sort({ at: -1, _id: 1 })
        .limit(limit)
      return (await found.toArray()).map((record) => fromStored<Delivery>(record))
    },
    redeliver: async (id, now) => {
      const update = {
        $set: { state: 'pending' as const, attempts: 0, nextAt: now },
        $unset: { endedAt: true as const },
      }
      return one(await collection.findOneAndUpdate({ _id: id }, update, { returnDocument: 'after' }))
    },
  } satisfies Partial<Webhooks>
}

/** The webhooks of a database. */
export function webhooksIn(db: Db): Webhooks {
  const deliveries = db.collection<Stored<Delivery>>('webhook_deliveries')
  return {
    ...endpointsOf(db.collection<Stored<Endpoint>>('webhook_endpoints'), deliveries),
    ...outboxOf(deliveries, db.collection<Told>('webhook_told')),
  }
}
