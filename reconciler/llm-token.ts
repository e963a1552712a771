// When a managed tenant's token for the LLM proxy is renewed: after two thirds of its life, in the machine as it runs. Pure.
import type { Instant } from '../specs/clock.ts'
import type { LlmTokenRecord, TenantStatus } from '../specs/tenant.ts'
import type { Created } from './execute.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { ObservedMachine } from './observed.ts'
import type { Step } from './step.ts'
import { act } from './verdicts.ts'

/**
 * When the token that the gateway uses was issued. A renewed one is lost with the boot; then the machine's configuration
 * counts again, which is never older than the machine where nothing is on record.
 */
function issuedAt(record: LlmTokenRecord | undefined, boot: string, { createdAt }: ObservedMachine): Instant {
  const { renewed } = record ?? {}
  return renewed?.boot === boot ? renewed.at : (record?.issuedAt ?? createdAt)
}

/** Where its gateway is ready, the machine gets a new token in time. A tenant with keys of its own has none. */
export function tokenFinding(
  { tenant, wish, observed, settings, now }: PlanInput,
  machine: ObservedMachine,
): Decision | undefined {
  const { guest } = observed
  if (wish.resolved?.managed !== true || guest.kind !== 'ready') return undefined
  const { boot } = guest
  const due = issuedAt(tenant.status.llm, boot, machine) + (settings.llmTokenMs * 2) / 3
  return now < due ? undefined : act({ kind: 'renewToken', id: machine.id, boot })
}

/** The record after a step that went through at `now`. */
export function llmAfter(
  { llm }: TenantStatus,
  step: Step,
  { tokenIssuedAt }: Created,
  now: Instant,
): LlmTokenRecord | undefined {
  if (step.kind === 'renewToken' || step.kind === 'personalise')
    return { ...llm, renewed: { boot: step.boot, at: now } }
  return tokenIssuedAt === undefined ? llm : { issuedAt: tokenIssuedAt }
}
