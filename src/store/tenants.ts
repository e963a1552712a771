// Tenants in MongoDB. Every write is one compare-and-set on one document with majority write concern: nothing that
// matters rests on a transaction or on a read being fresh.
import { MongoServerError, type Collection, type Db, type MatchKeysAndValues } from 'mongodb'
import type { Tenant, TenantStatus } from '../../specs/tenant.ts'
import type { TenantStore } from '../../reconciler/ports.ts'
import { watchCollection } from './changes.ts'

/** As stored: the uid is the document's id. */
export type TenantRecord = Omit<Tenant, 'uid'> & { readonly _id: string; readonly purged: boolean }

/** What its owners may change of a tenant. */
export type TenantWish = Pick<Tenant, 'labels' | 'spec' | 'entitlement' | 'retryRequestedAt'>

export interface Tenants extends TenantStore {
  byName(name: string): Promise<Tenant | undefined>
  /** Adds the tenant; `taken` when its name or one of its domains is in use. */
  add(tenant: Tenant): Promise<'added' | 'taken'>
  /** A page in the order of names, starting after `after`. */
  page(query: { readonly after?: string | undefined; readonly limit: number }): Promise<readonly Tenant[]>
  /** A tenant, other than `uid`, that already has one of these domains. */
  withDomain(domains: readonly string[], uid: string): Promise<Tenant | undefined>
  /**
   * Changes what is wanted (generation + 1); undefined when the tenant was written since it was read, or a domain of its has
   * been taken: reading again tells which.
   */
  change(tenant: Tenant, wish: TenantWish): Promise<Tenant | undefined>
}

const duplicateKey = 11_000

function fromRecord(record: TenantRecord): Tenant {
  const { kind, name, labels, spec, entitlement, retryRequestedAt, status, generation, revision, createdAt } = record
  const tenant = { kind, uid: record._id, name, labels, spec, entitlement, status, generation, revision, createdAt }
  return retryRequestedAt === undefined ? tenant : { ...tenant, retryRequestedAt }
}

type Raise = { readonly revision: 1 } | { readonly revision: 1; readonly generation: 1 }

async function compareAndSet(
  collection: Collection<TenantRecord>,
  { uid, revision }: Tenant,
  set: MatchKeysAndValues<TenantRecord>,
  raise: Raise,
): Promise<Tenant | undefined> {
  const record = await collection.findOneAndUpdate(
    { _id: uid, revision },
    { $set: set, $inc: raise },
    { returnDocument: 'after' },
  )
  return record === null ? undefined : fromRecord(record)
}

/** The answer of a write, or `otherwise` where a unique index refused it. */
async function unlessTaken<T, U>(write: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await write
  } catch (error) {
    if (error instanceof MongoServerError && error.code === duplicateKey) return otherwise
    throw error
  }
}

async function add(collection: Collection<TenantRecord>, { uid, ...rest }: Tenant): Promise<'added' | 'taken'> {
  const added = collection.insertOne({ _id: uid, ...rest, purged: false }).then(() => 'added' as const)
  return unlessTaken(added, 'taken')
}

/** The tenants of a database. */
export function tenantsIn(db: Db): Tenants {
  const collection = db.collection<TenantRecord>('tenants')
  const one = async (filter: object) => {
    const record = await collection.findOne({ ...filter, purged: false })
    return record === null ? undefined : fromRecord(record)
  }
  return {
    get: (uid) => one({ _id: uid }),
    byName: (name) => one({ name }),
    add: (tenant) => add(collection, tenant),
    page: async ({ after, limit }) => {
      const filter = after === undefined ? { purged: false } : { purged: false, name: { $gt: after } }
      return (await collection.find(filter).sort({ name: 1 }).limit(limit).toArray()).map(fromRecord)
    },
    uids: async () => {
      const records = await collection.find({ purged: false }, { projection: { _id: 1 } }).toArray()
      return records.map(({ _id }) => _id)
    },
    withDomain: (domains, uid) =>
      domains.length === 0 ? Promise.resolve(undefined) : one({ 'spec.domains': { $in: domains }, _id: { $ne: uid } }),
    // Picked one by one: a caller may hand over a whole tenant, and its counters are not for it to set.
    change: (tenant, { labels, spec, entitlement, retryRequestedAt }) =>
      unlessTaken(
        compareAndSet(
          collection,
          tenant,
          { labels, spec, entitlement, ...(retryRequestedAt === undefined ? {} : { retryRequestedAt }) },
          { generation: 1, revision: 1 },
        ),
        undefined,
      ),
    saveStatus: (tenant, status: TenantStatus) => compareAndSet(collection, tenant, { status }, { revision: 1 }),
    watch: (sink) =>
      watchCollection(collection, {
        changed: (record) => (record.purged ? sink.removed(record._id) : sink.changed(fromRecord(record))),
        removed: (uid) => sink.removed(uid),
        missed: () => sink.missed(),
      }),
  }
}
