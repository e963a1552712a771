// What concerns the whole fleet, in MongoDB: the operators' wishes, the controller's state, the ledger of what was destroyed,
// and the brake on billing. Each is one document with one writer, or one atomic change.
import type { Collection, Db } from 'mongodb'
import { ledgerMs } from '../../reconciler/guards/budget.ts'
import type { FleetState, FleetWish, GuardRecord, GuardStore } from '../../reconciler/guards/state.ts'
import type { LedgerEntry } from '../../reconciler/guards/view.ts'
import type { Instant } from '../../specs/clock.ts'
import type { ParkedEntitlement } from '../../specs/tenant.ts'
import { watchCollection, type Watch } from './changes.ts'
import type { TenantRecord } from './tenants.ts'

interface BrakeEntry {
  readonly uid: string
  readonly at: Instant
}

/** The documents `wish`, `state` and `brake`. */
type FleetRecord = Partial<FleetWish & Omit<FleetState, 'mode'>> & {
  readonly _id: string
  readonly revision: number
  readonly entries?: readonly BrakeEntry[]
}

export interface ParkedTenant extends ParkedEntitlement {
  readonly name: string
}

/** Live tenants, counted. */
export interface FleetCounts {
  readonly total: number
  /** By what the controller last made of the owners' words. */
  readonly effective: Readonly<Record<string, number>>
  readonly ready: number
}

/** Tenants that are not purged, by what the controller made of the owners' words and by whether they are ready. */
export interface TenantGroup {
  readonly effective: string
  readonly ready: boolean
  readonly count: number
}

export interface PlaceLimit {
  readonly most: number
  readonly windowMs: number
}

export interface FleetStore extends GuardStore {
  wish(): Promise<FleetWish>
  /** Writes these fields of the wish, and answers the whole. */
  want(change: Partial<FleetWish>): Promise<FleetWish>
  /** Tells of every change of the wish from now on; `failed` hears when it could not be read again. */
  watch(changed: (wish: FleetWish) => void, failed: (error: unknown) => void): Promise<Watch>
  state(): Promise<FleetState | undefined>
  /** Entries since then, oldest first. */
  ledger(since: Instant): Promise<readonly LedgerEntry[]>
  counts(): Promise<FleetCounts>
  /** The same in groups, each of at least one. */
  groups(): Promise<readonly TenantGroup[]>
  /** In the order of names. */
  parked(limit: number): Promise<readonly ParkedTenant[]>
  countParked(): Promise<number>
  /**
   * Takes one of `most` places that tenants have within `windowMs`; false when all are taken by others. Whoever has a place
   * keeps it.
   */
  takePlace(uid: string, now: Instant, limit: PlaceLimit): Promise<boolean>
  /** Whether that would give it one. */
  hasPlace(uid: string, now: Instant, limit: PlaceLimit): Promise<boolean>
}

/** What is still wanted when nobody has said anything. */
const firstWish: FleetWish = { mode: 'normal' }

/** Pool members are nobody's tenants. */
const owned = { 'pool.name': { $exists: false } } as const

const live = { purged: false, 'spec.state': { $ne: 'deleted' } } as const

function asWish(record: FleetRecord | null): FleetWish {
  if (record === null) return firstWish
  const { mode = 'normal', acknowledgedAt, retryRequestedAt } = record
  return {
    mode,
    ...(acknowledgedAt === undefined ? {} : { acknowledgedAt }),
    ...(retryRequestedAt === undefined ? {} : { retryRequestedAt }),
  }
}

function asState(record: FleetRecord | null): FleetState | undefined {
  if (record === null) return undefined
  const { at = 0, mode = 'normal', suspect, holds = [] } = record
  return suspect === undefined ? { at, mode, holds } : { at, mode, suspect, holds }
}

function wishes(fleet: Collection<FleetRecord>) {
  const changed = async (change: object) => {
    const update = { $set: change, $inc: { revision: 1 } }
    return fleet.findOneAndUpdate({ _id: 'wish' }, update, { upsert: true, returnDocument: 'after' })
  }
  const wish = async () => asWish(await fleet.findOne({ _id: 'wish' }))
  return {
    wish,
    want: async (change) => asWish(await changed(change)),
    watch: (tell, failed) =>
      watchCollection(fleet, {
        changed: (record) => {
          if (record._id === 'wish') tell(asWish(record))
        },
        removed: () => {},
        missed: () => void wish().then(tell, failed),
      }),
    state: async () => asState(await fleet.findOne({ _id: 'state' })),
    saveState: async ({ suspect, ...state }) => {
      const known = suspect === undefined ? { $unset: { suspect: true as const } } : {}
      const $set = suspect === undefined ? state : { ...state, suspect }
      await fleet.updateOne({ _id: 'state' }, { $set, $inc: { revision: 1 }, ...known }, { upsert: true })
    },
  } satisfies Partial<FleetStore>
}

type LedgerRecord = LedgerEntry & { readonly _id: string }

function ledgerIn(collection: Collection<LedgerRecord>) {
  return {
    ledger: async (since) => {
      const records = await collection
        .find({ at: { $gt: since } })
        .sort({ at: 1 })
        .toArray()
      return records.map(({ at, kind, uid, region, target }) => ({ at, kind, uid, region, target }))
    },
    charge: async (entry) => {
      await collection.deleteMany({ at: { $lte: entry.at - ledgerMs } })
      const _id = `${entry.kind} ${entry.target}`
      await collection.updateOne({ _id }, { $setOnInsert: entry }, { upsert: true })
    },
  } satisfies Partial<FleetStore>
}

function counting(tenants: Collection<TenantRecord>) {
  const effective = async (filter: object) => {
    const stages = [{ $match: filter }, { $group: { _id: '$status.effective', count: { $sum: 1 } } }]
    const groups = await tenants.aggregate<{ _id: string; count: number }>(stages).toArray()
    return Object.fromEntries(groups.map(({ _id, count }): [string, number] => [_id, count]).sort())
  }
  const ready = {
    purged: false,
    ...owned,
    'status.conditions': { $elemMatch: { type: 'Ready', status: 'True' } },
  } as const
  return {
    liveTenants: (): Promise<number> => tenants.countDocuments(live),
    counts: async () => {
      const [total, byState, answering] = await Promise.all([
        tenants.countDocuments({ purged: false, ...owned }),
        effective({ purged: false }),
        tenants.countDocuments(ready),
      ])
      return { total, effective: byState, ready: answering }
    },
    groups: async () => {
      const [all, answering] = await Promise.all([effective({ purged: false }), effective(ready)])
      return Object.entries(all)
        .flatMap(([state, total]): TenantGroup[] => {
          // Between the two questions a tenant may have become ready.
          const count = Math.min(total, answering[state] ?? 0)
          const group = { effective: state }
          return [
            { ...group, ready: true, count },
            { ...group, ready: false, count: total - count },
          ]
        })
        .filter(({ count }) => count > 0)
    },
    parked: async (limit) => {
      const filter = { purged: false, 'parked.since': { $exists: true } }
      const found = await tenants
        .find(filter, { projection: { name: 1, parked: 1 } })
        .sort({ name: 1 })
        .limit(limit)
        .toArray()
      return found.flatMap(({ name, parked }) => (parked === undefined ? [] : [{ name, ...parked }]))
    },
    countParked: () => tenants.countDocuments({ purged: false, 'parked.since': { $exists: true } }),
  } satisfies Partial<FleetStore>
}

/** Machines that are there by the tenants' records: what the first list after a start is judged against. */
async function recordedMachines(tenants: Collection<TenantRecord>) {
  const filter = { purged: false, 'status.machine.id': { $exists: true } }
  const records = await tenants.find(filter, { projection: { 'status.machine': 1 } }).toArray()
  return records.flatMap(({ _id, status: { machine } }) =>
    machine === undefined || machine.state === 'destroyed' || machine.state === 'destroying'
      ? []
      : [{ id: machine.id, uid: _id }],
  )
}

/** One atomic change takes the place, so that many at once never take more than there are. */
async function takePlace(
  fleet: Collection<FleetRecord>,
  uid: string,
  now: Instant,
  { most, windowMs }: PlaceLimit,
): Promise<boolean> {
  const over = { entries: { at: { $lte: now - windowMs } } }
  await fleet.updateOne({ _id: 'brake' }, { $setOnInsert: { revision: 0, entries: [] } }, { upsert: true })
  await fleet.updateOne({ _id: 'brake' }, { $pull: over })
  const free = { _id: 'brake', 'entries.uid': { $ne: uid }, [`entries.${most - 1}`]: { $exists: false } }
  const { modifiedCount } = await fleet.updateOne(free, { $push: { entries: { uid, at: now } } })
  return modifiedCount === 1 || (await fleet.findOne({ _id: 'brake', 'entries.uid': uid })) !== null
}

async function hasPlace(
  fleet: Collection<FleetRecord>,
  uid: string,
  now: Instant,
  { most, windowMs }: PlaceLimit,
): Promise<boolean> {
  const record = await fleet.findOne({ _id: 'brake' })
  const taken = (record?.entries ?? []).filter(({ at }) => at > now - windowMs)
  return taken.length < most || taken.some((entry) => entry.uid === uid)
}

/** The fleet of a database. */
export function fleetIn(db: Db): FleetStore {
  const fleet = db.collection<FleetRecord>('fleet')
  const tenants = db.collection<TenantRecord>('tenants')
  const documents = wishes(fleet)
  const ledger = ledgerIn(db.collection<LedgerRecord>('ledger'))
  const counts = counting(tenants)
  return {
    ...documents,
    ...ledger,
    ...counts,
    load: async (since): Promise<GuardRecord> => {
      const [wish, state, entries, count, machines] = await Promise.all([
        documents.wish(),
        documents.state(),
        ledger.ledger(since),
        counts.liveTenants(),
        recordedMachines(tenants),
      ])
      return { wish, state, ledger: entries, tenants: count, machines }
    },
    takePlace: (uid, now, limit) => takePlace(fleet, uid, now, limit),
    hasPlace: (uid, now, limit) => hasPlace(fleet, uid, now, limit),
  }
}
