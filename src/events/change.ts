// What somebody changed of a tenant, as an event: which fields, never their values. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { Instant } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { TenantEvent } from './event.ts'

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null))

/** The names of the fields in which two objects differ. */
export function changedFields(before: object, after: object): string[] {
  const [a, b] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  const names = [...new Set([...a.keys(), ...b.keys()])].sort()
  return names.filter((name) => !isDeepStrictEqual(plain(a.get(name)), plain(b.get(name))))
}

type Said = Pick<TenantEvent, 'reason' | 'message' | 'who'>

const byAdmin = (reason: string, message: string): Said => ({ reason, message, who: 'admin' })

function stateChange(before: Tenant, { spec: { state } }: Tenant): Said | undefined {
  if (before.spec.state === state) return undefined
  if (state === 'deleted') return byAdmin('Deleted', 'The admin asked for the deletion of the tenant.')
  if (before.spec.state === 'deleted') return byAdmin('Undeleted', 'The admin took the deletion back.')
  return byAdmin(state === 'suspended' ? 'Suspended' : 'Resumed', `The admin wants the tenant ${state}.`)
}

/** Billing's word, or one of its words that waits for approval. */
function entitlementChange(before: Tenant, after: Tenant): Said | undefined {
  const [was, is] = [before.entitlement, after.entitlement]
  if (changedFields(was, is).length > 0) {
    const reason = is.reason === undefined ? '' : ` (${is.reason})`
    return { reason: 'EntitlementChanged', message: `Billing says ${is.state}${reason}.`, who: 'billing' }
  }
  if (after.parked === undefined || before.parked !== undefined) return undefined
  const message = `Billing asked for ${after.parked.entitlement.state}, which waits for an admin's approval.`
  return { reason: 'ChangeParked', message, who: 'billing' }
}

function specChange(before: Tenant, after: Tenant): Said | undefined {
  const fields = changedFields(before.spec, after.spec).map((field) => `spec.${field}`)
  const all = changedFields(before.labels, after.labels).length > 0 ? [...fields, 'labels'] : fields
  return all.length === 0 ? undefined : byAdmin('SpecChanged', `The admin changed ${all.join(', ')}.`)
}

function said(before: Tenant | undefined, after: Tenant): Said | undefined {
  if (before === undefined) return byAdmin('Created', 'The admin created the tenant.')
  const state = stateChange(before, after) ?? entitlementChange(before, after)
  if (state !== undefined) return state
  if (before.retryRequestedAt !== after.retryRequestedAt)
    return byAdmin('RetryRequested', 'The admin asked to try again at once.')
  return specChange(before, after)
}

/** The event of a write; undefined when nothing that people own has changed. */
export function changeEvent(before: Tenant | undefined, after: Tenant, at: Instant): TenantEvent | undefined {
  const what = said(before, after)
  return what === undefined ? undefined : { at, uid: after.uid, tenant: after.name, kind: 'change', ...what }
}
