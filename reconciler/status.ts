// The tenant's status after a look, after a step, after a failure. Pure; the store decides whether it may be written.
import { stateConditions, type Statement } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { EffectiveState } from '../specs/effective.ts'
import type { Fault } from '../specs/faults.ts'
import type { Intent, MachineRecord, Retry, Tenant, TenantStatus, VolumeRecord } from '../specs/tenant.ts'
import { nextTry } from './backoff.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { Created } from './execute.ts'
import { absenceProved } from './intent.ts'
import type { ObservedMachine } from './observed.ts'
import { blindRoute, routeOf } from './route.ts'
import { statementsOf } from './statements.ts'
import type { Step } from './step.ts'
import { surveyWorld, type World } from './world.ts'

function machineRecord({ id, state, region, incarnation }: ObservedMachine): MachineRecord {
  return { id, state, region, incarnation }
}

/** A machine that is gone stays on record as destroyed: its incarnation must never be used again. */
function machineAfter({ tenant, observed }: PlanInput, { machine }: World): MachineRecord | undefined {
  if (machine !== undefined) return machineRecord(machine)
  const { machine: before } = tenant.status
  return before === undefined || observed.app === 'absent' ? before : { ...before, state: 'destroyed' }
}

function volumeAfter({ tenant, settings }: PlanInput, { volume }: World): VolumeRecord | undefined {
  if (tenant.status.volume !== undefined || volume === undefined) return tenant.status.volume
  const { intent } = tenant.status
  if (intent?.kind !== 'createVolume')
    throw new TypeError(`volume ${volume.id} adopted without an intent (${settings.naming.prefix})`)
  return { id: volume.id, incarnation: intent.incarnation }
}

function found(intent: Intent, { volume, machine }: World): boolean {
  return intent.kind === 'createVolume' ? volume !== undefined : machine?.incarnation === intent.incarnation
}

/** What is still unknown of the last create, or the note of the create that is about to happen. */
function intentAfter(input: PlanInput, world: World, decision: Decision): Intent | undefined {
  const { intent } = input.tenant.status
  if (decision.kind === 'act' && (decision.step.kind === 'createVolume' || decision.step.kind === 'createMachine')) {
    const { kind, name, incarnation } = decision.step
    return { kind, name, incarnation, since: intent?.name === name ? intent.since : input.now }
  }
  if (intent === undefined || found(intent, world) || absenceProved(intent, input)) return undefined
  return intent.absentSince === undefined ? { ...intent, absentSince: input.now } : intent
}

function retryAfter({ tenant }: PlanInput, decision: Decision): Retry | undefined {
  const { retry } = tenant.status
  const renewed = retry !== undefined && retry.generation < tenant.generation
  return decision.kind === 'settled' || renewed ? undefined : retry
}

/** The status that says what was seen and what will be done next, including the note before a create. */
export function statusSeen(input: PlanInput, decision: Decision): TenantStatus {
  const { tenant, wish, now } = input
  const world = surveyWorld(input)
  const route = routeOf(input, world, decision)
  const settledDeleted = wish.effective === 'deleted' && decision.kind === 'settled'
  return {
    observedGeneration: tenant.generation,
    effective: wish.effective,
    conditions: stateConditions(
      tenant.status.conditions,
      statementsOf(input, world, decision, route),
      tenant.generation,
      now,
    ),
    hosts: wish.hosts,
    route,
    machine: machineAfter(input, world),
    volume: volumeAfter(input, world),
    intent: intentAfter(input, world, decision),
    retry: retryAfter(input, decision),
    preparedBoot: tenant.status.preparedBoot,
    retainedSince: settledDeleted ? (tenant.status.retainedSince ?? now) : undefined,
  }
}

/** The status after a step went through. */
export function statusDone(status: TenantStatus, step: Step, created: Created): TenantStatus {
  const done = { ...status, retry: status.retry?.step === step.kind ? undefined : status.retry }
  if (step.kind === 'prepareMachine') return { ...done, preparedBoot: step.boot }
  const { volume, machine } = created
  if (step.kind === 'createVolume' && volume !== undefined)
    return { ...done, intent: undefined, volume: { id: volume.id, incarnation: step.incarnation } }
  if (step.kind === 'createMachine' && machine !== undefined)
    return { ...done, intent: undefined, machine: machineRecord(machine) }
  return done
}

function again(statements: readonly Statement[], failure: Statement): Statement[] {
  return [...statements.filter(({ type }) => type !== failure.type && type !== 'Stalled'), failure]
}

/** The road stays as it was, and the conditions say what failed and when it is tried again. */
function withFailure(tenant: Tenant, failure: Retry, now: Instant): Pick<TenantStatus, 'conditions'> {
  const { reason, message, notBefore } = failure
  const statement: Statement = { type: 'Synced', status: 'False', reason, message, nextTryAt: notBefore }
  const stalled: Statement[] = notBefore === undefined ? [{ type: 'Stalled', status: 'True', reason, message }] : []
  const { conditions, observedGeneration } = tenant.status
  return {
    conditions: stateConditions(conditions, [...again(conditions, statement), ...stalled], observedGeneration, now),
  }
}

interface Moment {
  readonly now: Instant
  readonly random: number
}

function failure(before: Retry | undefined, step: string, fault: Fault, generation: number, at: Moment): Retry {
  const attempts = before?.step === step ? before.attempts + 1 : 1
  const notBefore = nextTry(fault, attempts, at.now, at.random)
  return { step, attempts, notBefore, generation, reason: fault.rule.reason, message: fault.message }
}

/** The status after Fly could not be asked: nothing is known anew, but a road that is not wanted is closed all the same. */
export function statusBlind(tenant: Tenant, effective: EffectiveState, fault: Fault, at: Moment): TenantStatus {
  const outage = failure(tenant.status.outage, 'observe', fault, tenant.generation, at)
  const route = blindRoute(effective, tenant.status.route)
  return { ...tenant.status, ...withFailure(tenant, outage, at.now), effective, route, outage }
}

/** The status after a step failed. */
export function statusFailed(tenant: Tenant, step: Step['kind'], fault: Fault, at: Moment): TenantStatus {
  const retry = failure(tenant.status.retry, step, fault, tenant.generation, at)
  const creates = step === 'createVolume' || step === 'createMachine'
  return {
    ...tenant.status,
    ...withFailure(tenant, retry, at.now),
    // A refusal says that nothing was made; silence does not.
    intent: creates && !fault.ambiguous ? undefined : tenant.status.intent,
    retry,
  }
}
