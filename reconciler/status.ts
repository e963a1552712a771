// The tenant's status after a look, after a step, after a failure. Pure; the store decides whether it may be written.
import { stateConditions, type Statement } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { EffectiveState } from '../specs/effective.ts'
import type { Fault } from '../specs/faults.ts'
import { parseName } from '../specs/names.ts'
import type {
  Intent,
  MachineRecord,
  Retry,
  SnapshotRecord,
  Tenant,
  TenantStatus,
  VolumeRecord,
} from '../specs/tenant.ts'
import { nextTry } from './backoff.ts'
import { crashAfter } from './crash.ts'
import type { Decision, PlanInput } from './decision.ts'
import { driftAfter } from './drift.ts'
import type { Created } from './execute.ts'
import { llmAfter } from './llm-token.ts'
import { snapshotAfter } from './farewell.ts'
import { asleepAfter, awakeAfter } from './idle.ts'
import { absenceProved } from './intent.ts'
import type { ObservedMachine } from './observed.ts'
import { blindRoute, routeOf } from './route.ts'
import { statementsOf } from './statements.ts'
import { forgotten, remembered, retryOf } from './retries.ts'
import { restartedAfter } from './restart.ts'
import { withVolume } from './restore.ts'
import { sleepAfter, sleepDone } from './sleep.ts'
import type { Step } from './step.ts'
import { inStateSince } from './stuck.ts'
import { personalAfter, unclaimedAfter, warmAfter } from './warm.ts'
import { surveyWorld, type World } from './world.ts'

function machineRecord({ id, state, region, incarnation }: ObservedMachine, since: Instant): MachineRecord {
  return { id, state, region, incarnation, since }
}

/** A machine that is gone stays on record as destroyed: its incarnation must never be used again. */
function machineAfter(input: PlanInput, { machine }: World): MachineRecord | undefined {
  const { tenant, observed, now } = input
  if (machine !== undefined) return machineRecord(machine, inStateSince(input, machine))
  const { machine: before } = tenant.status
  if (before === undefined || observed.app === 'absent' || before.state === 'destroyed') return before
  return { ...before, state: 'destroyed', since: now }
}

/** The incarnation stands in the volume's own name, also after Fly has moved it and given it another id. */
function volumeAfter({ tenant, settings, now }: PlanInput, { volume }: World): VolumeRecord | undefined {
  const { volume: before } = tenant.status
  if (volume === undefined) return before
  const incarnation = parseName(settings.naming, volume.name)?.incarnation ?? before?.incarnation
  if (incarnation === undefined) throw new TypeError(`volume ${volume.id} was chosen under the name ${volume.name}`)
  const { id, state } = volume
  return { id, incarnation, state, since: before?.id === id && before.state === state ? before.since : now }
}

/** The hosts with a certificate of the tenant's own: seen now, or being requested. */
function certificatesAfter(input: PlanInput, decision: Decision): readonly string[] | undefined {
  const { tenant, wish, observed } = input
  const shared = new Set(wish.certificates.filter((wanted) => wanted.shared).map(({ host }) => host))
  const requested = decision.kind === 'act' && decision.step.kind === 'requestCertificate' ? [decision.step.host] : []
  const hosts = new Set([...(tenant.status.certificates ?? []), ...Object.keys(observed.certificates), ...requested])
  const own = [...hosts].filter((host) => {
    if (shared.has(host)) return false
    return requested.includes(host) || observed.certificates[host] !== 'absent'
  })
  return own.length === 0 ? undefined : own.sort()
}

/** What is known of the last snapshot; the note of the one that is about to be taken. */
function snapshotNote(input: PlanInput, decision: Decision): SnapshotRecord | undefined {
  if (decision.kind !== 'act' || decision.step.kind !== 'snapshotVolume') return snapshotAfter(input)
  const known = input.tenant.status.snapshot?.known ?? (input.observed.snapshots ?? []).map(({ id }) => id)
  return { volume: decision.step.id, requestedAt: input.now, known }
}

/** From the moment in which the volume is about to be destroyed, the deletion cannot be taken back. */
function purgingAfter({ tenant, wish, now }: PlanInput, decision: Decision): Instant | undefined {
  const begins = decision.kind === 'act' && decision.step.kind === 'destroyVolume'
  return wish.effective === 'deleted' && begins ? (tenant.status.purgingSince ?? now) : tenant.status.purgingSince
}

const mostFenced = 10

function fencedAfter({ tenant }: PlanInput, { strays }: World): readonly string[] | undefined {
  const ids = new Set([...(tenant.status.fenced ?? []), ...strays.map(({ id }) => id)])
  return ids.size === 0 ? undefined : [...ids].slice(-mostFenced)
}

function replacedAfter({ tenant, now }: PlanInput, decision: Decision): Instant | undefined {
  const replaces =
    decision.kind === 'act' && decision.step.kind === 'destroyMachine' && decision.step.why === 'replaced'
  return replaces ? now : tenant.status.replacedAt
}

function found(intent: Intent, { volume, machine }: World): boolean {
  return intent.kind === 'createVolume' ? volume?.name === intent.name : machine?.incarnation === intent.incarnation
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

function retriesAfter({ tenant }: PlanInput, decision: Decision) {
  return forgotten(tenant.status, ({ generation }) => decision.kind === 'settled' || generation < tenant.generation)
}

/** The status that says what was seen and what will be done next, including the note before a create. */
export function statusSeen(input: PlanInput, decision: Decision): TenantStatus {
  const { tenant, wish, now } = input
  const world = surveyWorld(input)
  const route = routeOf(input, world, decision)
  const deleted = wish.effective === 'deleted'
  const retained = tenant.status.retainedSince !== undefined
  const settled = decision.kind === 'settled'
  const seen = {
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
    servedSince: tenant.status.servedSince ?? (route.kind === 'forward' ? now : undefined),
    intent: intentAfter(input, world, decision),
    ...retriesAfter(input, decision),
    llm: tenant.status.llm,
    preparedBoot: tenant.status.preparedBoot,
    snapshot: snapshotNote(input, decision),
    certificates: certificatesAfter(input, decision),
    drift: driftAfter(input, world),
    awakeSince: awakeAfter(input),
    asleepSince: asleepAfter(input),
    crash: crashAfter(input, world),
    sleep: sleepAfter(input, world),
    channels: tenant.status.channels,
    replacedAt: replacedAfter(input, decision),
    fenced: fencedAfter(input, world),
    retainedSince: deleted && (retained || settled) ? (tenant.status.retainedSince ?? now) : undefined,
    purgingSince: purgingAfter(input, decision),
    machine: machineAfter(input, world),
    volume: tenant.status.volume,
    restoredAt: tenant.status.restoredAt,
    restartedAt: restartedAfter(tenant, world),
    retired: tenant.status.retired,
    personal: personalAfter(input, world),
    warm: warmAfter(input, decision),
    unclaimedVolume: unclaimedAfter(input, decision),
  }
  return withVolume(seen, volumeAfter(input, world), tenant.restore)
}

/** The status after a step went through, at `now`. */
export function statusDone(tenant: Tenant, step: Step, created: Created, now: Instant): TenantStatus {
  const { status } = tenant
  const llm = llmAfter(status, step, created, now)
  const done = {
    ...status,
    llm,
    ...sleepDone(tenant, step, created, now),
    ...forgotten(status, (retry) => retry.step === step.kind),
  }
  if (step.kind === 'personalise') return { ...done, personal: { boot: step.boot, specHash: step.specHash } }
  if (step.kind === 'prepareMachine') return { ...done, preparedBoot: step.boot }
  if (step.kind === 'updateMachine' && done.drift !== undefined)
    return { ...done, drift: { ...done.drift, updates: done.drift.updates + 1, updatedAt: now } }
  const { volume, machine } = created
  if (step.kind === 'createVolume' && volume !== undefined)
    return withVolume({ ...done, intent: undefined }, { id: volume.id, incarnation: step.incarnation }, tenant.restore)
  if (step.kind === 'createMachine' && machine !== undefined)
    return { ...done, intent: undefined, machine: machineRecord(machine, now) }
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
  const retry = failure(retryOf(tenant.status, step), step, fault, tenant.generation, at)
  const creates = step === 'createVolume' || step === 'createMachine'
  return {
    ...tenant.status,
    ...withFailure(tenant, retry, at.now),
    // A refusal says that nothing was made; silence does not.
    intent: creates && !fault.ambiguous ? undefined : tenant.status.intent,
    ...remembered(tenant.status, retry),
  }
}
