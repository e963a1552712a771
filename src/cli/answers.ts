// What the API answers, by operation: the types of the very schemas that make the description and check the answers in tests
// (only types are taken from there, so that a command does not load the API).
import type { AdoptionView } from '../api/adopt.ts'
import type { AuditPageView } from '../api/audit.ts'
import type { AppliedView } from '../api/bulk.ts'
import type { ClassView } from '../api/classes.ts'
import type { Costs } from '../api/costs-view.ts'
import type { EventView } from '../api/event-view.ts'
import type { FleetView } from '../api/fleet-view.ts'
import type { DiffView, PlanView, WhyView } from '../api/insight-view.ts'
import type { OrphanView } from '../api/orphans.ts'
import type { PairingsView } from '../api/pairings.ts'
import type { PoolView } from '../api/pools.ts'
import type { RolloutView } from '../api/rollouts.ts'
import type { IssuedView, TokenView, WhoamiView } from '../api/tokens.ts'
import type { TenantView } from '../api/view.ts'
import type { DeliveryView, EndpointView, NewEndpointView, TestedView } from '../api/webhooks.ts'

/** The items of lists. */
export interface Lists {
  '/v1/tenants': TenantView
  '/v1/events': EventView
  '/v1/tenants/{name}/events': EventView
  '/v1/pools': PoolView
  '/v1/classes': ClassView
  '/v1/rollouts': RolloutView
  '/v1/orphans': OrphanView
  '/v1/tokens': TokenView
  '/v1/webhook-endpoints': EndpointView
  '/v1/webhook-deliveries': DeliveryView
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor?: string | undefined
}

type Pages = { [Path in keyof Lists]: Page<Lists[Path]> }

export interface Reads extends Pages {
  '/v1/tenants/{name}': TenantView
  '/v1/tenants/{name}/plan': PlanView
  '/v1/tenants/{name}/why': WhyView
  '/v1/tenants/{name}/diff': DiffView
  '/v1/tenants/{name}/pairings': PairingsView
  '/v1/pools/{name}': PoolView
  '/v1/classes/{name}': ClassView
  '/v1/fleet': FleetView
  '/v1/costs': Costs
  '/v1/audit': AuditPageView
  '/v1/whoami': WhoamiView
}

export interface Posts {
  '/v1/apply': AppliedView
  '/v1/tenants/{name}/actions/{action}': TenantView
  '/v1/tenants/{name}/pairings/{id}/actions/{action}': unknown
  '/v1/fleet/actions/adopt': AdoptionView
  /** What is said of it does not matter to anybody here. */
  '/v1/fleet/actions/{action}': unknown
  '/v1/rollouts/{id}/actions/{action}': RolloutView
  '/v1/orphans/{id}/actions/{action}': OrphanView
  '/v1/tokens': IssuedView
  '/v1/tokens/{id}/actions/rotate': IssuedView
  '/v1/webhook-endpoints': NewEndpointView
  '/v1/webhook-endpoints/{id}/actions/test': TestedView
  '/v1/webhook-deliveries/{id}/actions/redeliver': DeliveryView
}

export interface Puts {
  '/v1/tenants/{name}': TenantView
  '/v1/tenants/{name}/entitlement': TenantView
  '/v1/fleet': FleetView
}

export interface Deletes {
  '/v1/tenants/{name}': TenantView
  '/v1/tokens/{id}': unknown
  '/v1/webhook-endpoints/{id}': unknown
}
