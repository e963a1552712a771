// From a host to what is done with its requests. Pure.
import type { TenantRoute } from '../specs/route.ts'
import { retryAfter, statusOf, type Reason } from './pages.ts'
import type { Entry } from './table.ts'
import type { Target } from './target.ts'

export type Resolution =
  | { readonly kind: 'forward'; readonly tenant: TenantRoute; readonly target: Target }
  | {
      readonly kind: 'page'
      readonly status: number
      readonly reason: Reason
      /** In seconds; undefined where waiting does not help. */
      readonly retryAfter: number | undefined
      readonly tenant: TenantRoute | undefined
    }

/** Whether a request waits while this is why it goes nowhere: it will not be long. */
export function holds(reason: Reason | undefined): reason is 'asleep' | 'waking' {
  return reason === 'asleep' || reason === 'waking'
}

/** Why the road to a tenant is closed; undefined where it is open. */
export function closedReason(tenant: TenantRoute | undefined): Reason | undefined {
  if (tenant === undefined) return 'unknown'
  return tenant.route.kind === 'closed' ? tenant.route.reason : undefined
}

/** Decides from the table alone. `retrySeconds`: how soon a client may ask again while a tenant is being set up. */
export function resolve(host: string, lookup: (host: string) => Entry | undefined, retrySeconds: number): Resolution {
  const entry = lookup(host)
  const tenant = entry?.tenant
  if (tenant !== undefined && entry?.target !== undefined) return { kind: 'forward', tenant, target: entry.target }
  const reason = tenant?.route.kind === 'closed' ? tenant.route.reason : 'unknown'
  return { kind: 'page', status: statusOf(reason), reason, retryAfter: retryAfter(reason, retrySeconds), tenant }
}
