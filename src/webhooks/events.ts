// What is told outside about a tenant: one word for the state it came into, with the sentence of why; and of the fleet, that the
// brake holds billing back. Pure.
import { findCondition } from '../../specs/conditions.ts'
import type { Instant } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'

export const eventTypes = [
  'tenant.running',
  'tenant.suspended',
  'tenant.stalled',
  'tenant.deleted',
  'tenant.purged',
  'fleet.braked',
  'webhook.test',
] as const
export type EventType = (typeof eventTypes)[number]

/** One thing that is told. */
export interface Telling {
  readonly type: EventType
  readonly uid: string
  readonly tenant: string
  /** Of the tenant: orders what is told of it, and makes the same thing the same. */
  readonly revision: number
  readonly at: Instant
  readonly why: string
}

const atRest = new Set([undefined, 'suspended', 'stopped', 'destroyed'])

/** The state that a tenant is in for whoever is told; undefined: on its way, which is not told. */
export function stateOf({ status }: Tenant): EventType | undefined {
  const { effective, machine, retainedSince, conditions } = status
  if (retainedSince !== undefined && effective === 'deleted') return 'tenant.deleted'
  if (findCondition(conditions, 'Stalled')?.status === 'True') return 'tenant.stalled'
  if (effective === 'running')
    return findCondition(conditions, 'Ready')?.status === 'True' ? 'tenant.running' : undefined
  return effective.endsWith('-suspended') && atRest.has(machine?.state) ? 'tenant.suspended' : undefined
}

/** What is told of a tenant in a state. */
export function tellingOf({ uid, name, revision, status }: Tenant, type: EventType, at: Instant): Telling {
  const condition = type === 'tenant.stalled' ? 'Stalled' : 'Ready'
  const why = findCondition(status.conditions, condition)?.message ?? ''
  return { type, uid, tenant: name, revision, at, why: `${status.effective}: ${why}`.slice(0, 500) }
}

const brakeMs = 3_600_000

/** That a word of billing's waits for an admin; all that began to wait within an hour are one thing to tell. */
export function brakedOf({ name, parked }: Tenant, at: Instant): Telling | undefined {
  if (parked === undefined) return undefined
  const why = `Billing asks to take away more tenants at once than the brake lets through: ${name} and what else is parked waits for an admin to approve or reject it.` // prettier-ignore
  return { type: 'fleet.braked', uid: 'fleet', tenant: '', revision: Math.floor(parked.since / brakeMs), at, why }
}

/** The body, as it is signed. */
export function bodyOf({ type, uid, tenant, revision, at, why }: Telling): string {
  const about = type === 'fleet.braked' ? {} : { tenant, uid }
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data: { ...about, revision, why } })
}
