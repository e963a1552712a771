// Three owners say what they want of a tenant; the most restrictive word wins.
import type { Entitlement, TenantSpec } from './tenant.ts'

/** Most restrictive first. Traffic can wake only what the idle policy put to sleep. */
export const effectiveStates = [
  'deleted',
  'billing-suspended',
  'admin-suspended',
  'idle-suspended',
  'running',
  'pool-warm',
] as const

export type EffectiveState = (typeof effectiveStates)[number]

export interface Votes {
  readonly admin: TenantSpec['state']
  readonly billing: Entitlement['state']
  readonly idle: 'awake' | 'asleep'
  /** It stands ready in a pool, and nobody owns it. */
  readonly warm?: boolean
}

/**
 * The state that the tenant is to have. An ended entitlement suspends: only the admin's word deletes data, because a
 * billing mistake must stay reversible.
 */
export function effectiveState(votes: Votes): EffectiveState {
  if (votes.admin === 'deleted') return 'deleted'
  if (votes.warm === true) return 'pool-warm'
  if (votes.billing !== 'active') return 'billing-suspended'
  if (votes.admin === 'suspended') return 'admin-suspended'
  if (votes.idle === 'asleep') return 'idle-suspended'
  return 'running'
}
