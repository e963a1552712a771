// The few shapes in which the planner says what it concluded.
import type { Instant } from '../specs/clock.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { Step } from './step.ts'

/** However long something takes, it is looked at again after this much; what takes very long, at each resync. */
const slowestPollMs = 30_000
const veryLongMs = 600_000

type Waiting = Extract<Decision, { kind: 'wait' }>

export function act(step: Step): Decision {
  return { kind: 'act', step }
}

/** Somebody waits for a machine that was ready when it was claimed: for a while it is looked at five times as often. */
const eagerMs = 60_000

export function isEager({ tenant: { claim }, now, settings }: Pick<PlanInput, 'tenant' | 'now' | 'settings'>): boolean {
  return claim !== undefined && now - claim.at < eagerMs * settings.scale
}

function leastMs(input: PlanInput): number {
  const { pollMs } = input.settings
  return isEager(input) ? pollMs / 5 : pollMs
}

/** When to look again at what passes by itself: after a quarter of the wait so far. */
export function nextLook(input: PlanInput, since: Instant): Instant {
  const { now, settings } = input
  const slowest = now - since < veryLongMs ? slowestPollMs : settings.resyncMs
  return now + Math.min(slowest, Math.max(leastMs(input), (now - since) / 4))
}

/** Look again soon; what has been waited for since long is looked at less often. */
export function poll(input: PlanInput, reason: string, message: string, since: Instant = input.now): Waiting {
  return { kind: 'wait', reason, message, until: nextLook(input, since) }
}

export function stall({ now, settings }: PlanInput, reason: string, message: string): Decision {
  return { kind: 'stalled', reason, message, until: now + settings.resyncMs }
}

/** As wanted; looked at again at the next resync, or at `until` where that comes first. */
export function settle({ now, settings }: PlanInput, until: Instant = Infinity): Decision {
  return { kind: 'settled', until: Math.min(until, now + settings.resyncMs) }
}
