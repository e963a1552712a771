// Decision: what one look at a tenant concluded. The planner returns it; nothing else decides.
import type { Instant } from '../specs/clock.ts'
import type { ResolvedSpec } from '../specs/class.ts'
import type { Naming, WantedCertificate } from '../specs/names.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { EffectiveState } from '../specs/effective.ts'
import type { FleetView } from './guards/view.ts'
import type { Observed } from './observed.ts'
import type { Step } from './step.ts'

/** A state that a machine is on its way to. */
export interface Coming {
  readonly machine: string
  readonly state: 'started'
}

export type Decision =
  /** Do this one thing, then look again. */
  | { readonly kind: 'act'; readonly step: Step }
  /** Something passes by itself: look again at `until`. */
  | {
      readonly kind: 'wait'
      readonly reason: string
      readonly message: string
      readonly until: Instant
      /** What of the fleet it waits for (guards/): the tenant is looked at as soon as that is over. */
      readonly waitsFor?: string
      /** Somebody waits, and Fly can tell when it has passed: the tenant is looked at as soon as it has. */
      readonly comes?: Coming | undefined
    }
  /** The world is as wanted; look again at `until` all the same. */
  | { readonly kind: 'settled'; readonly until: Instant }
  /** Nothing helps but a person or a changed spec. */
  | {
      readonly kind: 'stalled'
      readonly reason: string
      readonly message: string
      readonly until: Instant
      readonly waitsFor?: string
    }

/** What is wanted, worked out from the tenant, its class and the platform's settings. */
export interface Wish {
  readonly effective: EffectiveState
  /** Undefined when the spec names a class that does not exist. */
  readonly resolved: ResolvedSpec | undefined
  /** Of the machine's wanted configuration, as its metadata records it. */
  readonly specHash: string
  /** Of the part of it that can be read back from a live machine. */
  readonly contentHash: string
  /** The metadata that the machine is to carry, except what only its making knows (incarnation, term). */
  readonly metadata: Readonly<Record<string, string>>
  /** When the tenant was last used, as far as is known, and when it falls asleep unless it is used. */
  readonly lastUsedAt: Instant | undefined
  readonly sleepsAt: Instant | undefined
  /**
   * Of a claimed tenant: the hashes of a machine as a pool makes it, which serves as well once its gateway has been told
   * whose it is. `taken`: the wish that it was told.
   */
  readonly unclaimed?:
    { readonly specHash: string; readonly contentHash: string; readonly taken: string | undefined } | undefined
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
  /** How long a deleted tenant's volume is retained before it is purged. */
  readonly retainMs: number
  /** How long a change that restarts a machine waits for the machine's next stop. */
  readonly deferMs: number
  /** How long a token for the LLM proxy lives. */
  readonly llmTokenMs: number
  /** How much of Fly's pace the cloud has: stuck limits and the like are multiplied by it. 1 on Fly. */
  readonly scale: number
}

export interface PlanInput {
  readonly tenant: Tenant
  readonly wish: Wish
  readonly observed: Observed
  /** What holds the whole fleet back. */
  readonly fleet: FleetView
  readonly settings: PlanSettings
  readonly now: Instant
}
