// Dry runs: the same reading, checking and computing as a write, over a store that keeps nothing of it.
import type { StoredClass } from '../../specs/class.ts'
import type { StoredPool } from '../../specs/pool.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { changedFields } from '../events/change.ts'
import type { FleetStore } from '../store/fleet.ts'
import type { Tenants } from '../store/tenants.ts'
import type { ApiOptions } from './server.ts'
import type { WriteContext } from './writes.ts'

/** A place with the brake is looked for and not taken. */
function withoutPlaces(fleet: FleetStore): FleetStore {
  return { ...fleet, takePlace: (...place) => fleet.hasPlace(...place) }
}

interface Written {
  readonly name: string
  readonly revision: number
  readonly generation: number
}

/** Hears of what would be stored; without `before` it would be new. */
type Keep<T> = (after: T, before?: T) => void

/** What a store would answer to writes. */
function unwritten<T extends Written>(keep: Keep<T>) {
  const kept = (after: T, before?: T): Promise<T> => {
    keep(after, before)
    return Promise.resolve(after)
  }
  return {
    add: (found: T) => kept(found).then(() => true),
    save: (next: T) => kept({ ...next, revision: next.revision + 1 }),
    change: (before: T, part: Partial<T>) =>
      kept({ ...before, ...part, generation: before.generation + 1, revision: before.revision + 1 }, before),
  }
}

function unwrittenTenants(keep: Keep<Tenant>): Pick<Tenants, 'add' | 'change'> {
  const { add, change } = unwritten(keep)
  return { add: (tenant) => add(tenant).then(() => 'added'), change }
}

export interface Tried {
  /** Undefined: the tenant would be created. */
  readonly before: Tenant | undefined
  readonly after: Tenant
}

/** What `write` would make of a tenant. Throws whatever it would throw. */
export async function tried<Context extends WriteContext>(
  context: Context,
  write: (dry: Context) => Promise<Tenant>,
): Promise<Tried> {
  let seen: Tried | undefined
  const store = unwrittenTenants((after, before) => (seen = { before, after }))
  const { tenants, fleet } = context
  const dry = { ...context, tenants: { ...tenants, ...store }, fleet: withoutPlaces(fleet), claim: undefined }
  const unchanged = await write(dry)
  return seen ?? { before: unchanged, after: unchanged }
}

/** What has been kept is read before what is stored. */
function over<T extends Written>(stored: (name: string) => Promise<T | undefined>) {
  const made = new Map<string, T>()
  const keep: Keep<T> = (found) => made.set(found.name, found)
  return { keep, read: async (name: string) => made.get(name) ?? (await stored(name)) }
}

/**
 * For a dry run of many documents: what one of them would make is there for those after it, so that a class and its tenants
 * can be tried together. Nothing is stored, and nobody hears of it.
 */
export function dryOptions(options: ApiOptions): ApiOptions {
  const { tenants, classStore, rollouts, pools, fleet } = options
  const madeTenants = over((name) => tenants.byName(name))
  const madeClasses = over<StoredClass>((name) => classStore.read(name))
  const madePools = over<StoredPool>((name) => pools.store.read(name))
  const [dryClasses, dryPools] = [unwritten(madeClasses.keep), unwritten(madePools.keep)]
  return {
    ...options,
    tenants: { ...tenants, ...unwrittenTenants(madeTenants.keep), byName: madeTenants.read },
    classes: options.classes.copy(),
    classStore: { ...classStore, read: madeClasses.read, add: dryClasses.add, save: dryClasses.save },
    rollouts: { ...rollouts, begin: (rollout) => Promise.resolve(rollout) },
    pools: {
      ...pools,
      store: {
        ...pools.store,
        ...{ read: madePools.read, add: dryPools.add },
        change: (before, spec) => dryPools.change(before, { spec }),
      },
    },
    fleet: withoutPlaces(fleet),
    ...{ claim: undefined, wake: () => {}, arrived: () => {} },
  }
}

export interface FieldChange {
  readonly path: string
  readonly from?: unknown
  readonly to?: unknown
}

/** The wished-for fields that differ; what stands in `config` may be a secret, so only that it differs is told. */
export function changesOf({ before, after }: Tried): FieldChange[] {
  const wish = (tenant: Tenant | undefined) => new Map<string, unknown>(Object.entries(tenant?.spec ?? {}))
  const [was, is] = [wish(before), wish(after)]
  const fields = changedFields(Object.fromEntries(was), Object.fromEntries(is)).map((field) =>
    field === 'config'
      ? { path: 'spec.config' }
      : { path: `spec.${field}`, from: was.get(field) ?? null, to: is.get(field) ?? null },
  )
  const labels = changedFields(before?.labels ?? {}, after.labels)
  return labels.length === 0 ? fields : [...fields, { path: 'labels', from: before?.labels ?? null, to: after.labels }]
}
