// Tenants in MongoDB. Every write is one compare-and-set on one document with majority write concern: nothing that
// matters rests on a transaction or on a read being fresh.
import { MongoServerError, type Collection, type Db, type MatchKeysAndValues } from 'mongodb'
import type { Tenant, TenantStatus } from '../../specs/tenant.ts'
import type { TenantStore } from '../../reconciler/ports.ts'
import { watchCollection } from './changes.ts'
import { selectionFilters, selects, type Selection } from './selection.ts'

/** As stored: the uid is the document's id. */
export type TenantRecord = Omit<Tenant, 'uid'> & { readonly _id: string; readonly purged: boolean }

/** What its owners may change of a tenant. */
export type TenantWish = Pick<
  Tenant,
  | 'labels'
  | 'spec'
  | 'entitlement'
  | 'entitledAt'
  | 'entitledBy'
  | 'retryRequestedAt'
  | 'restartRequestedAt'
  | 'parked'
  | 'restore'
  | 'trace'
>

export interface PageQuery extends Selection {
  readonly after?: string | undefined
  readonly limit: number
}

export interface Tenants extends TenantStore {
  /** Pool members have no name that anybody could ask for: neither this nor `page` ever answers one. */
  byName(name: string): Promise<Tenant | undefined>
  /** Adds the tenant; `taken` when its name or one of its domains is in use. */
  add(tenant: Tenant): Promise<'added' | 'taken'>
  /** The names of these tenants by their uid, purged ones too. */
  named(uids: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** A page of those that are selected, in the order of names, starting after `after`. */
  page(query: PageQuery): Promise<readonly Tenant[]>
  /** Every tenant of a class that is not purged. */
  ofClass(name: string): Promise<readonly Tenant[]>
  /** How many there are. */
  countOfClass(name: string): Promise<number>
  /** A tenant, other than `uid`, that already has one of these domains. */
  withDomain(domains: readonly string[], uid: string): Promise<Tenant | undefined>
  /**
   * Changes what is wanted (generation + 1); undefined when the tenant was written since it was read, or a domain of its has
   * been taken: reading again tells which.
   */
  change(tenant: Tenant, wish: TenantWish): Promise<Tenant | undefined>
}

const duplicateKey = 11_000

const specDefaults = { update: 'deferred', paused: false } as const

/** The tenant of a document. */
export function fromRecord(record: TenantRecord): Tenant {
  const {
    kind,
    name,
    labels,
    entitlement,
    entitledAt,
    entitledBy,
    retryRequestedAt,
    restartRequestedAt,
    parked,
    restore,
    pool,
    claim,
    trace,
    status,
    generation,
    revision,
    createdAt,
  } = record
  // Written by an earlier version, it lacks what has come since.
  const spec = { ...specDefaults, ...record.spec }
  const tenant = { kind, uid: record._id, name, labels, spec, entitlement, status, generation, revision, createdAt }
  return {
    ...tenant,
    ...(entitledAt === undefined ? {} : { entitledAt }),
    ...(entitledBy === undefined ? {} : { entitledBy }),
    ...(retryRequestedAt === undefined ? {} : { retryRequestedAt }),
    ...(restartRequestedAt === undefined ? {} : { restartRequestedAt }),
    ...(parked === undefined ? {} : { parked }),
    ...(restore === undefined ? {} : { restore }),
    ...(pool === undefined ? {} : { pool }),
    ...(claim === undefined ? {} : { claim }),
    ...(trace === undefined ? {} : { trace }),
  }
}

interface Write {
  readonly set: MatchKeysAndValues<TenantRecord>
  readonly unset: readonly ('parked' | 'trace' | 'entitledBy')[]
  readonly raise: { readonly revision: 1 } | { readonly revision: 1; readonly generation: 1 }
}

async function compareAndSet(
  collection: Collection<TenantRecord>,
  { uid, revision }: Tenant,
  { set, unset, raise }: Write,
): Promise<Tenant | undefined> {
  const $unset = Object.fromEntries(unset.map((field) => [field, true as const]))
  const record = await collection.findOneAndUpdate(
    { _id: uid, revision },
    { $set: set, $inc: raise, ...(unset.length === 0 ? {} : { $unset }) },
    { returnDocument: 'after' },
  )
  return record === null ? undefined : fromRecord(record)
}

/** The answer of a write, or `otherwise` where a unique index refused it. */
export async function unlessTaken<T, U>(write: Promise<T>, otherwise: U): Promise<T | U> {
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

/** What a person asked for goes with a purged tenant. */
const forgotten = {
  parked: true,
  restore: true,
  retryRequestedAt: true,
  restartRequestedAt: true,
  entitledBy: true,
  trace: true,
} as const

/** What stays of a purged tenant for ever: names and ids, nothing that it or its owner wrote. */
function tombstone({ spec, status, revision }: Tenant): Partial<TenantRecord> {
  const { state, class: plan, region, update, paused } = spec
  return {
    purged: true,
    labels: {},
    spec: { state, class: plan, region, update, paused, domains: [] },
    entitlement: { state: 'ended' },
    status: { ...status, conditions: [], hosts: [], route: { kind: 'closed', reason: 'deleting' } },
    revision: revision + 1,
  }
}

/** Not the members of pools, which nobody owns. */
const owned = { 'pool.name': { $exists: false } } as const

/** What the database cannot leave out is read on, until the page is full or there is no more. */
async function page(
  collection: Collection<TenantRecord>,
  { after, limit, ...selection }: PageQuery,
): Promise<readonly Tenant[]> {
  const found: Tenant[] = []
  let last = after
  for (;;) {
    const start = last === undefined ? {} : { name: { $gt: last } }
    const $and = [{ purged: false, ...owned }, start, ...selectionFilters(selection)]
    const read = (await collection.find({ $and }).sort({ name: 1 }).limit(limit).toArray()).map(fromRecord)
    found.push(...read.filter((tenant) => selects(selection, tenant)))
    if (read.length < limit || found.length >= limit) return found.slice(0, limit)
    last = read.at(-1)?.name
  }
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
    byName: (name) => one({ name, ...owned }),
    add: (tenant) => add(collection, tenant),
    page: (query) => page(collection, query),
    named: async (uids) => {
      const records = await collection.find({ _id: { $in: [...uids] } }, { projection: { name: 1 } }).toArray()
      return new Map(records.map(({ _id, name }) => [_id, name]))
    },
    uids: async () => {
      const records = await collection.find({ purged: false }, { projection: { _id: 1 } }).toArray()
      return records.map(({ _id }) => _id)
    },
    ofClass: async (name) => (await collection.find({ 'spec.class': name, purged: false }).toArray()).map(fromRecord),
    countOfClass: (name) => collection.countDocuments({ 'spec.class': name, purged: false }),
    withDomain: (domains, uid) =>
      domains.length === 0 ? Promise.resolve(undefined) : one({ 'spec.domains': { $in: domains }, _id: { $ne: uid } }),
    // Picked one by one: a caller may hand over a whole tenant, and its counters are not for it to set.
    change: (tenant, wish) => {
      const { labels, spec, entitlement, entitledAt, entitledBy, parked, trace } = wish
      const { retryRequestedAt, restartRequestedAt, restore } = wish
      const asked = { retryRequestedAt, restartRequestedAt, restore }
      // What is undefined is left out, not set.
      const set = { labels, spec, entitlement, entitledAt, entitledBy, parked, trace, ...asked }
      const unset = (['parked', 'trace', 'entitledBy'] as const).filter((field) => set[field] === undefined)
      return unlessTaken(
        compareAndSet(collection, tenant, { set, unset, raise: { generation: 1, revision: 1 } }),
        undefined,
      )
    },
    saveStatus: (tenant, status: TenantStatus) =>
      compareAndSet(collection, tenant, { set: { status }, unset: [], raise: { revision: 1 } }),
    purge: async (tenant) => {
      const { uid, revision } = tenant
      const write = {
        $set: tombstone(tenant),
        $unset: forgotten,
      }
      const { modifiedCount } = await collection.updateOne({ _id: uid, revision }, write)
      return modifiedCount === 1
    },
    claimsOf: async (volume, uid) => {
      const filter = { 'status.volume.id': volume, _id: { $ne: uid } }
      const records = await collection.find(filter, { projection: { _id: 1 } }).toArray()
      return records.map(({ _id }) => _id)
    },
    watch: (sink) =>
      watchCollection(collection, {
        changed: (record) => (record.purged ? sink.removed(record._id) : sink.changed(fromRecord(record))),
        removed: (uid) => sink.removed(uid),
        missed: () => sink.missed(),
      }),
  }
}
