// Cause: of everything that is on record about a tenant, the one thing that keeps it from being as wanted. Pure.
import { findCondition, type Condition, type ConditionType } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { Retry, Tenant } from '../specs/tenant.ts'
import type { Decision } from './decision.ts'
import type { Subject, WaitsOn } from './reason.ts'
import { reasonWords } from './reasons.ts'
import { stepWords, type StepKind } from './step.ts'

export interface Cause {
  readonly kind: 'news' | 'fault' | 'act' | 'wait' | 'stalled' | 'abnormal'
  readonly reason: string
  /** What was said about it at the time; Fly's own words in a fault. */
  readonly message: string
  readonly subject: Subject
  readonly waitsOn: WaitsOn
  readonly since: Instant | undefined
  /** When Moorage acts again by itself, where that is known. */
  readonly nextTryAt: Instant | undefined
  /** Of a fault: which step, and how often in a row. */
  readonly retry: Retry | undefined
}

const subjectOfStep: Readonly<Record<StepKind, Subject>> = {
  createApp: 'Observed',
  createVolume: 'VolumeReady',
  extendVolume: 'VolumeReady',
  snapshotVolume: 'VolumeReady',
  destroyVolume: 'VolumeReady',
  createMachine: 'MachineReady',
  updateMachine: 'MachineReady',
  stampMachine: 'MachineReady',
  startMachine: 'MachineReady',
  suspendMachine: 'MachineReady',
  stopMachine: 'MachineReady',
  destroyMachine: 'MachineReady',
  prepareMachine: 'Prepared',
  renewToken: 'MachineReady',
  personalise: 'Routable',
  prepareSleep: 'MachineReady',
  endSleep: 'Routable',
  requestCertificate: 'CertificateReady',
  deleteCertificate: 'CertificateReady',
  forgetTenant: 'Ready',
}

export function isStep(word: string): word is StepKind {
  return Object.hasOwn(stepWords, word)
}

type Draft = Pick<Cause, 'kind' | 'reason' | 'message'> & Partial<Cause>

function cause(draft: Draft): Cause {
  const words = reasonWords(draft.reason)
  const { subject = words?.subject ?? 'Ready', since, nextTryAt, retry } = draft
  const waitsOn = draft.waitsOn ?? words?.waitsOn ?? (draft.kind === 'stalled' ? 'person' : 'step-in-progress')
  const { kind, reason, message } = draft
  return { kind, reason, message, subject, waitsOn, since, nextTryAt, retry }
}

function faulted(retry: Retry, since: Instant | undefined): Cause {
  const { step, reason, message, notBefore } = retry
  const subject = isStep(step) ? subjectOfStep[step] : 'Observed'
  const person: Partial<Cause> = notBefore === undefined ? { waitsOn: 'person' } : {}
  return cause({ kind: 'fault', reason, message, subject, since, nextTryAt: notBefore, retry, ...person })
}

/** The part that a step under way is most likely about, where only the conditions are known. */
function openSubject({ status }: Tenant): Subject {
  const parts = ['VolumeReady', 'MachineReady', 'Prepared', 'CertificateReady'] as const
  const open = parts.find((type) => findCondition(status.conditions, type)?.status === 'False')
  return open ?? 'Routable'
}

/** A verdict is a fault's where it repeats the reason of a step that waits for its next try. */
function verdict(tenant: Tenant, kind: 'wait' | 'stalled', said: Condition | WaitVerdict): Cause {
  const { retry } = tenant.status
  const since = 'type' in said ? said.lastTransitionTime : findReconciling(tenant)?.lastTransitionTime
  if (retry?.reason === said.reason && retry.message === said.message) return faulted(retry, since)
  const nextTryAt = 'until' in said ? said.until : said.nextTryAt
  const anyPart = said.reason === 'Stuck' || said.reason === 'OutcomeUnknown'
  const part = anyPart ? { subject: openSubject(tenant) } : {}
  return cause({ kind, reason: said.reason, message: said.message, since, nextTryAt, ...part })
}

type WaitVerdict = Extract<Decision, { kind: 'wait' | 'stalled' }>

const findReconciling = ({ status }: Tenant) =>
  findCondition(status.conditions, 'Reconciling') ?? findCondition(status.conditions, 'Stalled')

/** Of a look that was just made. */
function ofDecision(tenant: Tenant, decision: Decision): Cause | undefined {
  switch (decision.kind) {
    case 'settled':
      return undefined
    case 'act': {
      const { kind } = decision.step
      return cause({ kind: 'act', reason: 'Acting', message: `Now ${stepWords[kind]}.`, subject: subjectOfStep[kind] })
    }
    case 'wait':
    case 'stalled':
      return verdict(tenant, decision.kind, decision)
  }
}

/** Of what the last pass wrote down. A failure is newer than the step that was announced before it. */
function ofConditions(tenant: Tenant): Cause | undefined {
  const { conditions, retry } = tenant.status
  const stalled = findCondition(conditions, 'Stalled')
  if (stalled !== undefined) return verdict(tenant, 'stalled', stalled)
  const reconciling = findCondition(conditions, 'Reconciling')
  if (reconciling !== undefined && reconciling.reason !== 'Acting') return verdict(tenant, 'wait', reconciling)
  const synced = findCondition(conditions, 'Synced')
  if (synced?.status === 'False' && retry !== undefined) return faulted(retry, synced.lastTransitionTime)
  if (reconciling === undefined) return undefined
  const { reason, message, lastTransitionTime: since } = reconciling
  return cause({ kind: 'act', reason, message, since, subject: openSubject(tenant) })
}

function condition({ status }: Tenant, ...types: readonly ConditionType[]): Cause | undefined {
  const found = types.map((type) => findCondition(status.conditions, type)).find((known) => known?.status === 'True')
  if (found === undefined) return undefined
  const { reason, message, lastTransitionTime: since, nextTryAt } = found
  return cause({ kind: 'abnormal', reason, message, since, nextTryAt })
}

function approval({ parked }: Tenant): Cause | undefined {
  if (parked === undefined) return undefined
  const message = `Billing asked for ${parked.entitlement.state}; it counts once an admin approves it.`
  return cause({ kind: 'abnormal', reason: 'MassChange', message, since: parked.since })
}

/** Quiet, and yet something is not as it should be. Being looked at only is no harm to a tenant that is as wanted. */
function ofAbnormal(tenant: Tenant): Cause | undefined {
  return (
    condition(tenant, 'ObservationSuspect', 'HostUnreachable', 'Stuck') ??
    approval(tenant) ??
    condition(tenant, 'Drifted')
  )
}

/** What keeps the tenant from being as wanted; undefined: nothing does. */
export function causeOf(tenant: Tenant, decision: Decision | undefined): Cause | undefined {
  const { status, generation } = tenant
  if (decision !== undefined) return ofDecision(tenant, decision) ?? ofAbnormal(tenant)
  if (status.outage !== undefined)
    return faulted(status.outage, findCondition(status.conditions, 'Synced')?.lastTransitionTime)
  if (status.observedGeneration < generation)
    return cause({ kind: 'news', reason: 'NotSeen', message: '', since: undefined })
  return ofConditions(tenant) ?? ofAbnormal(tenant) ?? ofReady(tenant)
}

/** A tenant that should run is not as wanted before it is ready, whatever else is not said. */
function ofReady({ status }: Tenant): Cause | undefined {
  const ready = findCondition(status.conditions, 'Ready')
  if (status.effective !== 'running' || ready?.status === 'True') return undefined
  const { reason = 'Provisioning', message = '', lastTransitionTime: since } = ready ?? {}
  return cause({ kind: 'act', reason, message, since })
}
