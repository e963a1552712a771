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
  const store: Pick<Tenants, 'add' | 'change'> = {
    add: async (tenant) => {
      seen = { before: undefined, after: tenant }
      return 'added'
    },
    change: async (before, wish) => {
      const { generation, revision } = before
      const after = { ...before, ...wish, generation: generation + 1, revision: revision + 1 }
      seen = { before, after }
      return after
    },
  }
  const { tenants, fleet } = context
  const dry = { ...context, tenants: { ...tenants, ...store }, fleet: withoutPlaces(fleet), claim: undefined }
  const unchanged = await write(dry)
  return seen ?? { before: unchanged, after: unchanged }
}

/** As a store would answer that keeps what is written in `made`, and asks `store` for the rest. */
function over<T extends { readonly name: string; readonly revision: number; readonly generation: number }>(
  made: Map<string, T>,
  store: { readonly read: (name: string) => Promise<T | undefined> },
) {
  const keep = (found: T): T => {
    made.set(found.name, found)
    return found
  }
  return {
    read: async (name: string) => made.get(name) ?? (await store.read(name)),
    add: (found: T) => Promise.resolve(keep(found) === found),
    save: (next: T) => Promise.resolve(keep({ ...next, revision: next.revision + 1 })),
    change: (before: T, part: Partial<T>) =>
      Promise.resolve(keep({ ...before, ...part, generation: before.generation + 1, revision: before.revision + 1 })),
  }
}

/**
 * For a dry run of many documents: what one of them would make is there for those after it, so that a class and its tenants
 * can be tried together. Nothing is stored, and nobody hears of it.
 */
export function dryOptions(options: ApiOptions): ApiOptions {
  const { tenants, classStore, rollouts, pools, fleet } = options
  const dryTenants = over(new Map<string, Tenant>(), { read: (name) => tenants.byName(name) })
  const { read, add, save } = over(new Map<string, StoredClass>(), classStore)
  const dryPools = over(new Map<string, StoredPool>(), pools.store)
  return {
    ...options,
    tenants: {
      ...tenants,
      byName: dryTenants.read,
      add: async (tenant) => ((await dryTenants.add(tenant)) ? 'added' : 'taken'),
      change: dryTenants.change,
    },
    classes: options.classes.copy(),
    classStore: { ...classStore, read, add, save },
    rollouts: { ...rollouts, begin: (rollout) => Promise.resolve(rollout) },
    pools: {
      ...pools,
      store: {
        ...pools.store,
        ...{ read: dryPools.read, add: dryPools.add },
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
