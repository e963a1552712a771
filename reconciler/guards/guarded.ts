// The last word of the planner: whether what holds the fleet back lets the step happen now. Pure.
import { faultRules, type FaultKind } from '../../specs/faults.ts'
import type { Retry } from '../../specs/tenant.ts'
import type { Decision, PlanInput } from '../decision.ts'
import { stepWords, type Step, type StepKind } from '../step.ts'
import { entryOf, exhausted } from './budget.ts'
import { blockedBy } from './holds.ts'
import { holdKey, placeOf, stepKeys } from './scope.ts'

/** An undefined answer means: nothing of the kind is in the way. */
type Finding = Decision | undefined

/** What a decision waits for besides the holds, whose own keys say so: whoever waits is woken when it is over. */
export const waitsForMode = 'mode'
export const waitsForLists = 'lists'

/** Only a person changes it, so it counts as stalled. */
function observeOnly({ fleet, settings, now }: PlanInput, step: Step): Finding {
  if (fleet.mode === 'normal') return undefined
  const message = `Moorage only looks on (mode observe-only); otherwise it would now be ${stepWords[step.kind]}.`
  return { kind: 'stalled', reason: 'ObserveOnly', message, until: now + settings.resyncMs, waitsFor: waitsForMode }
}

function paused({ tenant, settings, now }: PlanInput, step: Step): Finding {
  if (!tenant.spec.paused) return undefined
  const message = `The tenant is paused (spec.paused); otherwise Moorage would now be ${stepWords[step.kind]}.`
  return { kind: 'stalled', reason: 'Paused', message, until: now + settings.resyncMs }
}

/** What is made because it seems to be missing, and what cannot be made undone. */
const restsOnLists: ReadonlySet<StepKind> = new Set([
  'createVolume',
  'createMachine',
  'destroyMachine',
  'destroyVolume',
])

function suspect({ fleet, settings, now }: PlanInput, { kind }: Step): Finding {
  if (fleet.suspect === undefined || !restsOnLists.has(kind)) return undefined
  const message = `${fleet.suspect.message} Until the lists can be believed again, nothing is created or destroyed.`
  const until = now + settings.resyncMs
  return { kind: 'wait', reason: 'ObservationSuspect', message, until, waitsFor: waitsForLists }
}

function budget({ tenant, fleet, now }: PlanInput, step: Step): Finding {
  const entry = entryOf(tenant, step, now)
  const full = entry === undefined ? undefined : exhausted(fleet, entry, now)
  return full === undefined ? undefined : { kind: 'wait', reason: 'BudgetExhausted', ...full }
}

function hold({ tenant, wish, fleet, now }: PlanInput, step: Step): Finding {
  const keys = stepKeys(step, placeOf(tenant, wish.resolved?.guest))
  const blocked = blockedBy(fleet, keys, tenant, now)
  if (blocked === undefined) return undefined
  const { key, until } = blocked
  const { reason, message } = blocked.hold
  const sentence = message.endsWith('.') ? message : `${message}.`
  const shared = `${sentence} Others would meet the same, so one tenant at a time tries again.`
  return { kind: 'wait', reason, message: shared, until, waitsFor: key }
}

/** The decision, or the wait for what holds its step back: in this order, the first that does is said. */
export function guarded(decision: Decision, input: PlanInput): Decision {
  if (decision.kind !== 'act') return decision
  const { step } = decision
  return (
    observeOnly(input, step) ??
    paused(input, step) ??
    suspect(input, step) ??
    budget(input, step) ??
    hold(input, step) ??
    decision
  )
}

function kindOf(reason: string): FaultKind | undefined {
  return (Object.keys(faultRules) as FaultKind[]).find((kind) => faultRules[kind].reason === reason)
}

/**
 * Whether the tenant's own wait for a failed step is over before its time: others shared the failure, and one of them has
 * shown since that it has passed.
 */
export function outlived({ reason }: Retry, step: Step, { tenant, wish, fleet }: PlanInput): boolean {
  const fault = kindOf(reason)
  if (fault === undefined) return false
  const key = holdKey(fault, step, placeOf(tenant, wish.resolved?.guest))
  return key !== undefined && fleet.lifted.has(key)
}
