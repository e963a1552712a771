// What the proxy counts about itself since its start, for `stats()` and for Prometheus.
import type { Reason } from './pages.ts'
import type { Outcome } from './waiting.ts'

export interface ProxyStats {
  readonly tenants: number
  /** Routes that stay although the store does not list them any more, because too many went at once. */
  readonly doubted: number
  /** Since the start. */
  readonly requests: number
  readonly upgrades: number
  /** Requests that took the fast lane. */
  readonly fast: number
  /** Requests in progress. */
  readonly inFlight: number
  /** WebSockets open or being opened. */
  readonly openUpgrades: number
  readonly upstreamConnections: number
  /** Requests and upgrades that wait for a tenant to wake up. */
  readonly held: number
  /** How often a tenant was asked to wake up. */
  readonly wakes: number
  /** Waits that ended, by how. */
  readonly holds: Readonly<Partial<Record<Outcome, number>>>
  /** Connections opened to machines since the start, each with its proof. */
  readonly dials: number
  /** Requests sent again because a kept connection had been closed, or none could be had. */
  readonly repeated: number
  /** Connections cut because the other end had stopped reading. */
  readonly stalled: number
  /** How often something at a tenant's address could not prove to be that tenant. Anything but 0 deserves a look. */
  readonly crossTenantBlocked: number
  /** How often a tenant claimed a host that another one had. */
  readonly hostConflicts: number
  /** The proxy's own answers, by reason. */
  readonly pages: Readonly<Partial<Record<Reason, number>>>
}

/** What others count. */
type Others = 'tenants' | 'doubted' | 'openUpgrades' | 'upstreamConnections' | 'held' | 'dials' | 'crossTenantBlocked'

export class Tally {
  requests = 0
  upgrades = 0
  fast = 0
  inFlight = 0
  repeated = 0
  stalled = 0
  hostConflicts = 0
  wakes = 0
  readonly #holds = new Map<Outcome, number>()
  readonly #pages = new Map<Reason, number>()

  page(reason: Reason): void {
    this.#pages.set(reason, (this.#pages.get(reason) ?? 0) + 1)
  }

  held(outcome: Outcome): void {
    this.#holds.set(outcome, (this.#holds.get(outcome) ?? 0) + 1)
  }

  get now(): Omit<ProxyStats, Others> {
    const { requests, upgrades, fast, inFlight, repeated, stalled, hostConflicts, wakes } = this
    return {
      requests,
      upgrades,
      fast,
      inFlight,
      repeated,
      stalled,
      hostConflicts,
      wakes,
      holds: Object.fromEntries(this.#holds),
      pages: Object.fromEntries(this.#pages),
    }
  }
}
