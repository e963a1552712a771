// The brake on billing: a change of entitlement that takes many tenants' machines away within an hour is more likely a
// mistake of billing's than its wish. What goes beyond is parked until an admin approves it. The rule is pure.
import type { Instant } from '../../specs/clock.ts'
import type { Entitlement, Tenant } from '../../specs/tenant.ts'
import type { TenantWish } from '../store/tenants.ts'

export const brakeSettings = { windowMs: 3_600_000, least: 3, most: 20, share: 0.05 } as const

/** How many tenants billing may take away within the window. */
export function brakeLimit(liveTenants: number): number {
  const { least, most, share } = brakeSettings
  return Math.max(least, Math.min(most, Math.ceil(liveTenants * share)))
}

type Asked = Pick<Tenant, 'spec' | 'entitlement' | 'parked'>

/**
 * What becomes of billing's word. `counted`: it takes a machine away, so it needs one of the window's places. `parked`: an
 * earlier such word of billing's waits for approval, and repeating it is no way around that.
 */
export function brakeClass({ spec, entitlement, parked }: Asked, wanted: Entitlement): 'free' | 'counted' | 'parked' {
  // A deleted tenant's machine goes anyway.
  if (entitlement.state !== 'active' || wanted.state === 'active' || spec.state === 'deleted') return 'free'
  return parked === undefined ? 'counted' : 'parked'
}

/** A word takes effect, billing's or an admin's in its place; a parked one is superseded. */
export function withEntitlement(wish: TenantWish, entitlement: Entitlement, by?: 'admin'): TenantWish {
  return { ...wish, entitlement, entitledBy: by, parked: undefined }
}

/** Billing's word waits; the first of several in a row says since when. */
export function withParked(wish: TenantWish, entitlement: Entitlement, now: Instant): TenantWish {
  return { ...wish, parked: { entitlement, since: wish.parked?.since ?? now } }
}

/** An admin lets the parked word take effect. */
export function withApproved(wish: TenantWish): TenantWish {
  return wish.parked === undefined ? wish : withEntitlement(wish, wish.parked.entitlement)
}

/** An admin drops the parked word. */
export function withRejected(wish: TenantWish): TenantWish {
  return { ...wish, parked: undefined }
}
