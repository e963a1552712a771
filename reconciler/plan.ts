// The planner: the only place that decides. Pure: the same tenant, world and time give the same decision.
import type { Retry } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import { planRestore } from './restore.ts'
import { planRunning } from './running.ts'
import { planSuspended } from './suspended.ts'
import { planTeardown } from './teardown.ts'
import { act, poll, stall } from './verdicts.ts'
import { surveyWorld, type World } from './world.ts'

/** A machine that is not the tenant's any more holds no claim: it goes, whatever is wanted. */
function strayFinding(input: PlanInput, { machine, strays }: World): Decision | undefined {
  const [stray] = strays
  if (stray === undefined) return undefined
  const { id, region, state, incarnation } = stray
  if (incarnation === machine?.incarnation)
    return stall(
      input,
      'IdentityConflict',
      `Machines ${machine.id} and ${id} both claim to be incarnation ${incarnation} of this tenant, which Fly's unique names should not allow. Nothing is destroyed: look at both and destroy the wrong one.`,
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
      return stall(input, 'PoolNotBuilt', 'Warm pool members are not provisioned by this version.')
  }
}

/** A step that failed is not repeated before its time; every other step may go on meanwhile. */
function held(decision: Decision, retry: Retry | undefined, input: PlanInput): Decision {
  if (decision.kind !== 'act' || retry?.step !== decision.step.kind) return decision
  if (retry.generation < input.tenant.generation) return decision
  const { reason, message, notBefore } = retry
  if (notBefore === undefined) return stall(input, reason, message)
  return input.now < notBefore ? { kind: 'wait', reason, message, until: notBefore } : decision
}

/**
 * What to do next about one tenant: at most one change outside, then the world is observed again. It is not resumed but
 * asked again, so a crash, a change by hand or a new spec half-way are all just another world.
 */
export function plan(input: PlanInput): Decision {
  const world = surveyWorld(input)
  const permitted = (decision: Decision) => held(decision, input.tenant.status.retry, input)
  const stray = strayFinding(input, world)
  if (stray !== undefined) {
    const verdict = permitted(stray)
    // A stray that cannot be removed now keeps nobody from the tenant itself, unless it is not known which is which.
    if (verdict.kind === 'act' || verdict.kind === 'stalled' || world.machine === undefined) return verdict
  }
  return permitted(wanted(input, world))
}
