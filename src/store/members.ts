// Pool members in MongoDB. They are documents of the tenants' collection, so that a claim is one compare-and-set on one
// document: the member becomes the tenant.
import type { Db } from 'mongodb'
import type { Instant } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { fromRecord, unlessTaken, type TenantRecord } from './tenants.ts'

export interface Members {
  /** Of all pools, not purged. */
  all(): Promise<readonly Tenant[]>
  ofPool(name: string): Promise<readonly Tenant[]>
  retired(since: Instant): Promise<readonly { readonly pool: string; readonly at: Instant }[]>
  /** The pools of the members that were claimed since then, one entry each. */
  claimed(since: Instant): Promise<readonly string[]>
  /** Gives a member up, unless it was written since it was read. */
  retire(member: Tenant, now: Instant): Promise<Tenant | undefined>
  /** Members that can be claimed in a region for a class. */
  ready(region: string, className: string): Promise<readonly Tenant[]>
  /**
   * Makes the member the tenant. Undefined: somebody else wrote it since it was read, or the tenant's name or one of its
   * domains is in use; nothing is changed then.
   */
  claim(member: Tenant, tenant: Tenant): Promise<Tenant | undefined>
}

const inPool = { 'pool.name': { $exists: true } } as const

/** The members in a database. */
export function membersIn(db: Db): Members {
  const collection = db.collection<TenantRecord>('tenants')
  const find = async (filter: object) =>
    (await collection.find({ ...inPool, purged: false, ...filter }).toArray()).map(fromRecord)
  return {
    all: () => find({}),
    ofPool: (name) => find({ 'pool.name': name }),
    retired: async (since) => {
      const filter = { ...inPool, 'pool.retiredAt': { $gt: since } }
      const records = await collection.find(filter, { projection: { pool: 1 } }).toArray()
      return records.flatMap(({ pool }) =>
        pool?.retiredAt === undefined ? [] : [{ pool: pool.name, at: pool.retiredAt }],
      )
    },
    claimed: async (since) => {
      const records = await collection.find({ 'claim.at': { $gt: since } }, { projection: { claim: 1 } }).toArray()
      return records.flatMap(({ claim }) => (claim === undefined ? [] : [claim.pool]))
    },
    retire: async ({ uid, revision, spec, pool }, now) => {
      if (pool === undefined) throw new TypeError(`${uid} is no pool member`)
      const record = await collection.findOneAndUpdate(
        { _id: uid, revision, ...inPool, purged: false },
        {
          $set: { spec: { ...spec, state: 'deleted' }, pool: { ...pool, retiredAt: now } },
          $inc: { revision: 1, generation: 1 },
        },
        { returnDocument: 'after' },
      )
      return record === null ? undefined : fromRecord(record)
    },
    ready: (region, className) =>
      find({
        ...{ 'spec.region': region, 'spec.class': className, 'spec.state': 'running' },
        'status.warm.since': { $exists: true },
      }),
    claim: async ({ uid, revision }, tenant) => {
      const { name, labels, spec, entitlement, entitledBy, claim, status, createdAt, trace } = tenant
      const written = collection.findOneAndUpdate(
        { _id: uid, revision, ...inPool, purged: false },
        {
          $set: {
            name,
            labels,
            spec,
            entitlement,
            claim,
            status,
            createdAt,
            ...(entitledBy === undefined ? {} : { entitledBy }),
            ...(trace === undefined ? {} : { trace }),
          },
          $unset: { pool: true },
          $inc: { revision: 1, generation: 1 },
        },
        { returnDocument: 'after' },
      )
      const record = await unlessTaken(written, null)
      return record === null ? undefined : fromRecord(record)
    },
  }
}
