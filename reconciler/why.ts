// Why: the sentence that says why a tenant is not as wanted, the chain below it, what it waits for and what a person can
// do. One pure function over what is on record; every surface shows the same text.
import { findCondition } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import { effectiveState, type EffectiveState } from '../specs/effective.ts'
import type { Tenant } from '../specs/tenant.ts'
import { causeOf, type Cause } from './cause.ts'
import { chainOf, type WhyLink } from './chain.ts'
import type { Decision } from './decision.ts'
import type { Forecast } from './forecast.ts'
import { helpFor, type WhyAction } from './help.ts'
import type { Help, WaitsOn } from './reason.ts'
import { reasonWords } from './reasons.ts'
import { blockedSummary, fineSummary, whyText } from './sentences.ts'

export interface WhyInput {
  readonly tenant: Tenant
  readonly now: Instant
  /** Of a look that was just made, with the status that follows from it in `tenant`. */
  readonly decision?: Decision | undefined
  readonly forecast?: Forecast | undefined
}

export interface Desired {
  readonly effective: EffectiveState
  readonly because: string
  readonly votes: { readonly admin: string; readonly billing: string }
}

export type Phase =
  | 'Pending'
  | 'Provisioning'
  | 'Starting'
  | 'Running'
  | 'Suspending'
  | 'Suspended'
  | 'Deleting'
  | 'Retained'
  | 'Purging'
  | 'Stalled'

export interface Why {
  /** One or two sentences. */
  readonly summary: string
  readonly phase: Phase
  readonly wanted: 'Running' | 'Suspended' | 'Deleted'
  readonly asWanted: boolean
  /** What keeps it from being as wanted. */
  readonly blocking: Cause | undefined
  readonly chain: readonly WhyLink[]
  readonly lastFault: { readonly step: string; readonly reason: string; readonly message: string } | undefined
  readonly attempts: number
  readonly nextAttemptAt: Instant | undefined
  readonly waitsOn: WaitsOn
  readonly since: Instant | undefined
  readonly actions: readonly WhyAction[]
  readonly desired: Desired
  /** Everything, ready to print. */
  readonly text: string
}

function becauseOf({ entitlement, entitledBy, spec }: Tenant, effective: EffectiveState): string {
  const reason = entitlement.reason === undefined ? '' : ` (${entitlement.reason})`
  switch (effective) {
    case 'deleted':
      return 'the admin wants it deleted, and that word is the last'
    case 'billing-suspended': {
      const wins = spec.state === 'running' ? '; the admin wants it running, and billing’s word wins' : ''
      const who = entitledBy === 'admin' ? 'an admin, in billing’s place,' : 'billing'
      return `${who} ${entitlement.state === 'ended' ? 'ended' : 'suspended'} it${reason}${wins}`
    }
    case 'admin-suspended':
      return 'the admin suspended it'
    case 'idle-suspended':
      return 'nobody has used it for a while; the next visitor wakes it'
    case 'running':
      return 'the admin wants it running, and billing allows it'
    case 'pool-warm':
      return 'it stands ready for a tenant to come'
  }
}

function desiredOf(tenant: Tenant): Desired {
  const { spec, entitlement, status } = tenant
  const idle = status.effective === 'idle-suspended' ? 'asleep' : 'awake'
  const effective = effectiveState({
    admin: spec.state,
    billing: entitlement.state,
    idle,
    warm: tenant.pool !== undefined,
  })
  return {
    effective,
    because: becauseOf(tenant, effective),
    votes: { admin: spec.state, billing: entitlement.state },
  }
}

function wantedOf(effective: EffectiveState): Why['wanted'] {
  if (effective === 'deleted') return 'Deleted'
  return effective === 'running' || effective === 'pool-warm' ? 'Running' : 'Suspended'
}

function downPhase({ status }: Tenant): Phase {
  if (status.purgingSince !== undefined) return 'Purging'
  return status.retainedSince === undefined ? 'Deleting' : 'Retained'
}

/** Where the tenant is on its way; derived for people, and never read by the planner. */
function phaseOf(tenant: Tenant, wanted: Why['wanted'], blocking: Cause | undefined): Phase {
  const { status } = tenant
  if (wanted === 'Deleted' && blocking?.kind !== 'news') return downPhase(tenant)
  const open = status.route.kind === 'forward' || findCondition(status.conditions, 'Ready')?.status === 'True'
  if (open) return 'Running'
  const forPerson = blocking?.kind === 'stalled' || (blocking?.kind === 'fault' && blocking.nextTryAt === undefined)
  // Held back on purpose is not stuck.
  if (forPerson && blocking.subject !== 'Permitted') return 'Stalled'
  if (blocking?.kind === 'abnormal') return wanted === 'Running' ? 'Running' : 'Suspended'
  if (wanted === 'Suspended' && blocking === undefined) return 'Suspended'
  if (status.observedGeneration === 0) return 'Pending'
  if (wanted === 'Suspended') return 'Suspending'
  return status.machine === undefined || status.machine.state === 'destroyed' ? 'Provisioning' : 'Starting'
}

/** What may help, besides what the reason itself suggests. */
function extraHelp(tenant: Tenant, { effective }: Desired, blocking: Cause | undefined): Help[] {
  const more: Help[] = blocking === undefined || blocking.kind === 'abnormal' ? [] : ['retry']
  if (effective === 'deleted') return [...more, 'undelete']
  if (effective === 'billing-suspended') return [...more, 'entitle']
  return tenant.spec.state === 'suspended' ? [...more, 'run'] : more
}

function faultOf({ status }: Tenant): Why['lastFault'] {
  const last = status.outage ?? status.retry
  return last === undefined ? undefined : { step: last.step, reason: last.reason, message: last.message }
}

/** Everything that there is to say about why this tenant is as it is. */
export function why({ tenant, now, decision, forecast }: WhyInput): Why {
  const desired = desiredOf(tenant)
  const wanted = wantedOf(desired.effective)
  const blocking = causeOf(tenant, decision)
  const phase = phaseOf(tenant, wanted, blocking)
  const help = [...(blocking === undefined ? [] : (reasonWords(blocking.reason)?.help ?? []))]
  const actions = helpFor(tenant, [...help, ...extraHelp(tenant, desired, blocking)])
  const telling = { tenant, now, phase, wanted, desired, forecast, actions }
  const summary = blocking === undefined ? fineSummary(telling) : blockedSummary(telling, blocking)
  const chain = chainOf(tenant, desired.effective, blocking)
  return {
    summary,
    phase,
    wanted,
    asWanted: blocking === undefined,
    blocking,
    chain,
    lastFault: faultOf(tenant),
    attempts: blocking?.retry?.attempts ?? 0,
    nextAttemptAt: blocking?.nextTryAt,
    waitsOn: blocking?.waitsOn ?? 'nothing',
    since: blocking?.since ?? findCondition(tenant.status.conditions, 'Ready')?.lastTransitionTime,
    actions,
    desired,
    text: whyText(summary, chain, actions),
  }
}
