// A create whose outcome is unknown: when its absence may be believed. Pure.
import type { Intent } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import { poll } from './verdicts.ts'

const words = { createVolume: 'volume', createMachine: 'machine' } as const

/** Absence is believed when two complete lists, the list's lag apart, agreed on it. */
export function absenceProved(intent: Intent, { now, settings }: PlanInput): boolean {
  return intent.absentSince !== undefined && now - intent.absentSince >= settings.listLagMs
}

/**
 * Waits while a create of this kind may still turn out to have happened: a second one would be a duplicate. Undefined
 * when there is no such create, or when it is proved that it did not happen.
 */
export function unresolvedCreate(input: PlanInput, kind: Intent['kind']): Decision | undefined {
  const { intent } = input.tenant.status
  if (intent?.kind !== kind || absenceProved(intent, input)) return undefined
  const what = words[kind]
  const message = `It is not known whether the ${what} ${intent.name} was created; looking twice before creating another.`
  if (intent.absentSince === undefined) return poll(input, 'OutcomeUnknown', message)
  const until = Math.max(input.now + input.settings.pollMs, intent.absentSince + input.settings.listLagMs)
  return { kind: 'wait', reason: 'OutcomeUnknown', message, until }
}
