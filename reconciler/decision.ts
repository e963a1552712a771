// Decision: what one look at a tenant concluded. The planner returns it; nothing else decides.
import type { Instant } from '../specs/clock.ts'
import type { ResolvedSpec } from '../specs/class.ts'
import type { Naming, WantedCertificate } from '../specs/names.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { EffectiveState } from '../specs/effective.ts'
import type { Observed } from './observed.ts'
import type { Step } from './step.ts'

export type Decision =
  /** Do this one thing, then look again. */
  | { readonly kind: 'act'; readonly step: Step }
  /** Something passes by itself: look again at `until`. */
  | { readonly kind: 'wait'; readonly reason: string; readonly message: string; readonly until: Instant }
  /** The world is as wanted; look again at `until` all the same. */
  | { readonly kind: 'settled'; readonly until: Instant }
  /** Nothing helps but a person or a changed spec. */
  | { readonly kind: 'stalled'; readonly reason: string; readonly message: string; readonly until: Instant }

/** What is wanted, worked out from the tenant, its class and the platform's settings. */
export interface Wish {
  readonly effective: EffectiveState
  /** Undefined when the spec names a class that does not exist. */
  readonly resolved: ResolvedSpec | undefined
  /** Of the machine's wanted configuration. */
  readonly specHash: string
  readonly hosts: readonly string[]
  readonly certificates: readonly WantedCertificate[]
}

/** Times in milliseconds. */
export interface PlanSettings {
  readonly naming: Naming
  /** How soon to look again at something that changes by itself. */
  readonly pollMs: number
  /** How soon a settled tenant is observed again. */
  readonly resyncMs: number
  /** How late a list may show what was created: absence is believed after two complete lists this far apart. */
  readonly listLagMs: number
  /** The port of the bridge on a machine's private address. */
  readonly bridgePort: number
}

export interface PlanInput {
  readonly tenant: Tenant
  readonly wish: Wish
  readonly observed: Observed
  readonly settings: PlanSettings
  readonly now: Instant
}
