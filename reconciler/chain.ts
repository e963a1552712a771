// The chain below the sentence: each part of a tenant in the order in which they depend on each other. Exactly one link is
// the cause; what comes after it waits for it, and is no failure. Pure.
import { findCondition, type ConditionType } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { EffectiveState } from '../specs/effective.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Cause } from './cause.ts'
import { subjects, type Subject } from './reason.ts'
import { reasonWords } from './reasons.ts'

export interface WhyLink {
  readonly subject: Subject
  /** `waits`: not there yet because of the cause; `rests`: not wanted now. */
  readonly state: 'ok' | 'cause' | 'waits' | 'rests'
  readonly reason: string
  readonly sentence: string
  readonly since: Instant | undefined
}

type Part = Omit<WhyLink, 'subject'>

const part = (state: Part['state'], reason: string, sentence: string, since?: Instant): Part => ({
  state,
  reason,
  sentence,
  since,
})

const runningOnly: readonly Subject[] = ['Prepared', 'CertificateReady', 'Routable', 'Ready']

function entitled({ entitlement, entitledBy }: Tenant): Part {
  const who = entitledBy === 'admin' ? 'An admin, in billing’s place,' : 'Billing'
  const reason = entitlement.reason === undefined ? '' : `: ${entitlement.reason}`
  return entitlement.state === 'active'
    ? part('ok', 'Active', `${who} allows the tenant to run.`)
    : part('ok', 'Suspended', `${who} says ${entitlement.state}${reason}.`)
}

function ofCondition({ status }: Tenant, type: ConditionType, rests: boolean): Part {
  const found = findCondition(status.conditions, type)
  if (found === undefined) return part('waits', 'NotYet', 'Nothing is known of it yet.')
  const { reason, message, lastTransitionTime } = found
  const state = found.status === 'True' ? 'ok' : rests ? 'rests' : 'waits'
  return part(state, reason, message, lastTransitionTime)
}

function routable({ status }: Tenant): Part {
  return status.route.kind === 'forward'
    ? part('ok', 'Open', 'Visitors are let through to the machine.')
    : part('waits', 'Closed', 'Visitors are answered by a page of the platform.')
}

function ordinary(tenant: Tenant, subject: Subject, rests: boolean): Part {
  const { observedGeneration } = tenant.status
  switch (subject) {
    case 'Accepted':
      return observedGeneration < tenant.generation
        ? part('waits', 'NotSeen', `Generation ${tenant.generation} has not been looked at yet.`)
        : part('ok', 'Seen', `Generation ${observedGeneration} is what is acted on.`)
    case 'Entitled':
      return entitled(tenant)
    case 'Permitted':
      return part('ok', 'Free', 'Nothing holds it back.')
    case 'Observed':
      return part('ok', 'Observed', 'Fly answers.')
    case 'Routable':
      return routable(tenant)
    case 'VolumeReady':
    case 'MachineReady':
    case 'Prepared':
    case 'CertificateReady':
    case 'Ready':
      return ofCondition(tenant, subject, rests)
  }
}

/** The cause's own link says what it means, and then what was said about it. */
function causal({ reason, message, since }: Cause): Part {
  const means = reasonWords(reason)?.means ?? ''
  const sentence = message === '' || means === message ? means : message
  return part('cause', reason, sentence === '' ? reason : sentence, since)
}

/** The links that are about this tenant now: of one that rests, the machine and the volume. */
export function chainOf(tenant: Tenant, effective: EffectiveState, cause: Cause | undefined): WhyLink[] {
  const rests = effective !== 'running' && effective !== 'pool-warm'
  return subjects
    .filter((subject) => !rests || !runningOnly.includes(subject) || subject === cause?.subject)
    .map((subject) => ({
      subject,
      ...(subject === cause?.subject ? causal(cause) : ordinary(tenant, subject, rests)),
    }))
}
