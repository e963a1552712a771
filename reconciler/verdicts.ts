// The few shapes in which the planner says what it concluded.
import type { Instant } from '../specs/clock.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { Step } from './step.ts'

/** However long something takes, it is looked at again after this much. */
const slowestPollMs = 30_000

export function act(step: Step): Decision {
  return { kind: 'act', step }
}

/** Look again soon; what has been waited for since long is looked at less often: after a quarter of the wait so far. */
export function poll({ now, settings }: PlanInput, reason: string, message: string, since: Instant = now): Decision {
  const pause = Math.min(slowestPollMs, Math.max(settings.pollMs, (now - since) / 4))
  return { kind: 'wait', reason, message, until: now + pause }
}

export function stall({ now, settings }: PlanInput, reason: string, message: string): Decision {
  return { kind: 'stalled', reason, message, until: now + settings.resyncMs }
}

/** As wanted; looked at again at the next resync, or at `until` where that comes first. */
export function settle({ now, settings }: PlanInput, until: Instant = Infinity): Decision {
  return { kind: 'settled', until: Math.min(until, now + settings.resyncMs) }
}
