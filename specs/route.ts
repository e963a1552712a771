// What the proxy needs to know of a tenant, decided by the reconciler and stored in the tenant's status.
// The proxy follows these and decides nothing about tenants itself.

/** Why a tenant's traffic is not forwarded now. A request wakes who is `asleep`, and waits for who is `waking`. */
export type ClosedReason = 'provisioning' | 'asleep' | 'waking' | 'suspended' | 'billing' | 'deleting' | 'failed'

export interface ForwardRoute {
  readonly kind: 'forward'
  readonly machine: string
  readonly incarnation: number
  /** The machine's private address, an IP literal without brackets. */
  readonly address: string
  readonly port: number
}

export interface ClosedRoute {
  readonly kind: 'closed'
  readonly reason: ClosedReason
}

export type Route = ForwardRoute | ClosedRoute

/** A tenant as the proxy sees it: whose it is, which hosts lead to it, and where to. */
export interface TenantRoute {
  readonly uid: string
  readonly name: string
  /** Lower-case host names without a port. */
  readonly hosts: readonly string[]
  readonly route: Route
  /** The tenant's revision: an older one never replaces a newer one. */
  readonly revision: number
}
