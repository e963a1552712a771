// What the proxy is told: decided here, with everything else about a tenant's state. Pure.
import type { EffectiveState } from '../specs/effective.ts'
import type { ForwardRoute, Route } from '../specs/route.ts'
import type { Decision, PlanInput } from './decision.ts'
import { isAnonymous } from './drift.ts'
import type { ObservedMachine } from './observed.ts'
import type { World } from './world.ts'

function sameTarget(a: ForwardRoute, b: ForwardRoute): boolean {
  return a.machine === b.machine && a.incarnation === b.incarnation && a.address === b.address && a.port === b.port
}

/** Steps that take the gateway away from its users: the road is closed first. */
function disrupts(decision: Decision): boolean {
  if (decision.kind !== 'act') return false
  const { kind } = decision.step
  return kind === 'updateMachine' || kind === 'destroyMachine' || kind === 'stopMachine' || kind === 'suspendMachine'
}

function answers(input: PlanInput, target: ForwardRoute, anonymous: boolean): boolean {
  const { guest } = input.observed
  const before = input.tenant.status.route
  if (guest.kind === 'ready') return !anonymous
  // One unanswered probe does not cut the sockets of a tenant in use: the proxy meets a dead machine by itself.
  return guest.kind === 'unreachable' && before.kind === 'forward' && sameTarget(before, target)
}

function targetOf({ settings }: PlanInput, machine: ObservedMachine): ForwardRoute {
  const { id, incarnation, address } = machine
  return { kind: 'forward', machine: id, incarnation, address, port: settings.bridgePort }
}

function runningRoute(input: PlanInput, world: World, decision: Decision): Route {
  const { machine } = world
  if (machine?.state === 'started' && !disrupts(decision)) {
    const target = targetOf(input, machine)
    if (answers(input, target, isAnonymous(input, machine))) return target
  }
  if (decision.kind === 'stalled') return { kind: 'closed', reason: 'failed' }
  return { kind: 'closed', reason: wakes(input.tenant.status.route) ? 'waking' : 'provisioning' }
}

/** A tenant on its way from sleep to its open road. */
function wakes(before: Route): boolean {
  return before.kind === 'closed' && (before.reason === 'asleep' || before.reason === 'waking')
}

type Resting = Exclude<EffectiveState, 'running'>

function restingRoute(effective: Resting): Route {
  switch (effective) {
    case 'deleted':
      return { kind: 'closed', reason: 'deleting' }
    case 'billing-suspended':
      return { kind: 'closed', reason: 'billing' }
    case 'admin-suspended':
      return { kind: 'closed', reason: 'suspended' }
    case 'idle-suspended':
      return { kind: 'closed', reason: 'asleep' }
    case 'pool-warm':
      return { kind: 'closed', reason: 'provisioning' }
  }
}

/** The route that follows from what was observed and decided. */
export function routeOf(input: PlanInput, world: World, decision: Decision): Route {
  const { effective } = input.wish
  return effective === 'running' ? runningRoute(input, world, decision) : restingRoute(effective)
}

/** The route while Fly cannot be asked: closing needs nobody's answer, and an open road stays open. */
export function blindRoute(effective: EffectiveState, before: Route): Route {
  if (effective !== 'running') return restingRoute(effective)
  if (before.kind === 'forward') return before
  return { kind: 'closed', reason: wakes(before) ? 'waking' : 'provisioning' }
}
