// The planner: the only place that decides. Pure: the same tenant, world and time give the same decision.
import type { Decision, PlanInput } from './decision.ts'
import { guarded, outlived } from './guards/guarded.ts'
import { retryOf } from './retries.ts'
import { planRestore } from './restore.ts'
import { planRunning } from './running.ts'
import { planSuspended } from './suspended.ts'
import { planTeardown } from './teardown.ts'
import { act, poll, stall } from './verdicts.ts'
import { planWarm } from './warm.ts'
import { surveyWorld, type World } from './world.ts'

/** A machine that is not the tenant's any more holds no claim: it goes, whatever is wanted. */
function strayFinding(input: PlanInput, { machine, strays }: World): Decision | undefined {
  const [stray] = strays
  if (stray === undefined) return undefined
  const { id, region, state, incarnation } = stray
  // A later one that is not the tenant's by its volume, or two of one incarnation: the record may be the one that is wrong.
  if (machine !== undefined && incarnation >= machine.incarnation)
    return stall(
      input,
      'IdentityConflict',
      `Machine ${id} claims to be incarnation ${incarnation} of this tenant, and so does ${machine.id} with ${machine.incarnation}. Nothing is destroyed: look at both and their volumes, and destroy the wrong one.`,
    )
  return state === 'destroying'
    ? poll(input, 'StrayMachine', `An earlier machine of this tenant, ${id}, is being destroyed.`)
    : act({ kind: 'destroyMachine', id, region, why: 'stray' })
}

function wanted(input: PlanInput, world: World): Decision {
  switch (input.wish.effective) {
    case 'deleted':
      return planTeardown(input, world)
    case 'billing-suspended':
    case 'admin-suspended':
    case 'idle-suspended':
      return planRestore(input, world) ?? planSuspended(input, world)
    case 'running':
      return planRestore(input, world) ?? planRunning(input, world)
    case 'pool-warm':
      return planWarm(input, world)
  }
}

/** A step that failed is not repeated before its time; every other step may go on meanwhile. */
function held(decision: Decision, input: PlanInput): Decision {
  if (decision.kind !== 'act') return decision
  const { status, generation } = input.tenant
  const retry = retryOf(status, decision.step.kind)
  if (retry === undefined || retry.generation < generation || outlived(retry, decision.step, input)) return decision
  const { reason, message, notBefore } = retry
  if (notBefore === undefined) return stall(input, reason, message)
  return input.now < notBefore ? { kind: 'wait', reason, message, until: notBefore } : decision
}

function ends(decision: Decision): boolean {
  if (decision.kind !== 'act') return decision.kind === 'settled'
  return decision.step.kind === 'destroyVolume' || decision.step.kind === 'forgetTenant'
}

/**
 * What to do next about one tenant: at most one change outside, then the world is observed again. It is not resumed but
 * asked again, so a crash, a change by hand or a new spec half-way are all just another world.
 */
export function plan(input: PlanInput): Decision {
  const world = surveyWorld(input)
  const permitted = (decision: Decision) => guarded(held(decision, input), input)
  const stray = strayFinding(input, world)
  const first = stray === undefined ? undefined : permitted(stray)
  if (first?.kind === 'act' || first?.kind === 'stalled') return first
  // A stray that cannot be removed now keeps nobody from the tenant itself; but no deletion ends while it lives.
  const own = permitted(wanted(input, world))
  if (first === undefined) return own
  if (input.wish.effective === 'deleted' && ends(own)) return first
  return own.kind === 'settled' ? { ...own, until: Math.min(own.until, first.until) } : own
}
