// Dry runs: the same reading, checking and computing as a write, over a store that keeps nothing of it.
import type { Tenant } from '../../specs/tenant.ts'
import { changedFields } from '../events/change.ts'
import type { Tenants } from '../store/tenants.ts'
import type { WriteContext } from './writes.ts'

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
  // A place with the brake is looked for and not taken.
  const untouched = { ...fleet, takePlace: (...place: Parameters<typeof fleet.hasPlace>) => fleet.hasPlace(...place) }
  const unchanged = await write({ ...context, tenants: { ...tenants, ...store }, fleet: untouched, claim: undefined })
  return seen ?? { before: unchanged, after: unchanged }
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
