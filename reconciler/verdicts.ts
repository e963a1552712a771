// The few shapes in which the planner says what it concluded.
import type { Decision, PlanInput } from './decision.ts'
import type { ObservedMachine } from './observed.ts'
import type { Step } from './step.ts'

export function act(step: Step): Decision {
  return { kind: 'act', step }
}

/** Look again after one poll interval. */
export function poll({ now, settings }: PlanInput, reason: string, message: string): Decision {
  return { kind: 'wait', reason, message, until: now + settings.pollMs }
}

export function stall({ now, settings }: PlanInput, reason: string, message: string): Decision {
  return { kind: 'stalled', reason, message, until: now + settings.resyncMs }
}

export function settle({ now, settings }: PlanInput): Decision {
  return { kind: 'settled', until: now + settings.resyncMs }
}

/** A machine on its way from one state to another is looked at again. */
export function busy(input: PlanInput, { id, state }: ObservedMachine): Decision {
  return poll(input, 'MachineBusy', `Machine ${id} is ${state}.`)
}
