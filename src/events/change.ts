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

/** What becomes of a word of billing's that waits for approval; whoever drops it may be an admin or billing itself. */
function parkedChange({ parked: was, entitlement }: Tenant, after: Tenant): Said | undefined {
  const { parked: is } = after
  if (was === undefined && is !== undefined) {
    const message = `Billing asked for ${is.entitlement.state}, which waits for an admin's approval.`
    return { reason: 'ChangeParked', message, who: 'billing' }
  }
  if (was === undefined || is !== undefined) return undefined
  const changed = changedFields(entitlement, after.entitlement).length > 0
  if (changed && changedFields(was.entitlement, after.entitlement).length === 0)
    return byAdmin('ChangeApproved', `The admin approved what billing asked for: ${was.entitlement.state}.`)
  const message = `What billing asked for and waited for approval is dropped: ${was.entitlement.state}.`
  return changed ? undefined : { reason: 'ChangeDropped', message }
}

function entitlementChange(before: Tenant, { entitlement: is, entitledBy }: Tenant): Said | undefined {
  if (changedFields(before.entitlement, is).length === 0) return undefined
  const reason = is.reason === undefined ? '' : ` (${is.reason})`
  return entitledBy === 'admin'
    ? byAdmin('EntitlementChanged', `The admin says ${is.state} in billing's place${reason}.`)
    : { reason: 'EntitlementChanged', message: `Billing says ${is.state}${reason}.`, who: 'billing' }
}

function askedOnce(before: Tenant, { retryRequestedAt, restartRequestedAt, restore }: Tenant): Said | undefined {
  if (before.restartRequestedAt !== restartRequestedAt)
    return byAdmin('RestartRequested', 'The admin asked to restart the machine.')
  if (before.retryRequestedAt !== retryRequestedAt)
    return byAdmin('RetryRequested', 'The admin asked to try again at once.')
  if (restore === undefined || before.restore?.requestedAt === restore.requestedAt) return undefined
  const from = restore.snapshot === undefined ? 'the newest snapshot' : `snapshot ${restore.snapshot}`
  return byAdmin('RestoreRequested', `The admin asked to restore the tenant from ${from}.`)
}

function specChange(before: Tenant, after: Tenant): Said | undefined {
  const fields = changedFields(before.spec, after.spec).map((field) => `spec.${field}`)
  const all = changedFields(before.labels, after.labels).length > 0 ? [...fields, 'labels'] : fields
  return all.length === 0 ? undefined : byAdmin('SpecChanged', `The admin changed ${all.join(', ')}.`)
}

function said(before: Tenant | undefined, after: Tenant): Said | undefined {
  if (before === undefined) return byAdmin('Created', 'The admin created the tenant.')
  return (
    stateChange(before, after) ??
    parkedChange(before, after) ??
    entitlementChange(before, after) ??
    askedOnce(before, after) ??
    specChange(before, after)
  )
}

/** The event of a write; undefined when nothing that people own has changed. */
export function changeEvent(before: Tenant | undefined, after: Tenant, at: Instant): TenantEvent | undefined {
  const what = said(before, after)
  return what === undefined ? undefined : { at, uid: after.uid, tenant: after.name, kind: 'change', ...what }
}
