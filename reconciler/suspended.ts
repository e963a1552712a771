// The road to a suspended tenant: no compute, the volume stays. Pure.
import { faultRules } from '../specs/faults.ts'
import type { Decision, PlanInput } from './decision.ts'
import { driftOf, restamp, update } from './drift.ts'
import { fallingAsleep, wakesAt } from './idle.ts'
import { unresolvedCreate } from './intent.ts'
import { isTransient, type ObservedMachine } from './observed.ts'
import { restartFinding, restartPending } from './restart.ts'
import { retryOf } from './retries.ts'
import { gatewayFinding } from './sleep.ts'
import { busy } from './stuck.ts'
import { act, settle } from './verdicts.ts'
import type { World } from './world.ts'

/** Fly's suspend keeps memory up to 2 GB (docs: reference/suspend-resume); a larger machine is stopped. */
const suspendableMb = 2048
/** After so many refusals of a suspend the machine is stopped: rest matters more than a quick waking. */
const mostRefusals = 6
/** A host or an API that is away has refused nothing. */
const refusals: readonly string[] = [faultRules.invalid.reason, faultRules.transient.reason]

function suspendRefused({ tenant }: PlanInput): boolean {
  const retry = retryOf(tenant.status, 'suspendMachine')
  if (retry === undefined || !refusals.includes(retry.reason)) return false
  return retry.notBefore === undefined || retry.attempts >= mostRefusals
}

/** Else it is stopped. */
export function canSuspend(input: PlanInput): boolean {
  const memoryMb = input.wish.resolved?.guest.memoryMb ?? Infinity
  return memoryMb <= suspendableMb && !suspendRefused(input)
}

function rest(input: PlanInput, machine: ObservedMachine): Decision {
  const { id } = machine
  const suspend = canSuspend(input) && !restartPending(input.tenant)
  const unusedSince = input.wish.effective === 'idle-suspended' ? (input.wish.lastUsedAt ?? 0) : undefined
  const first = fallingAsleep(input) ?? gatewayFinding(input, machine)
  return first ?? act({ kind: suspend ? 'suspendMachine' : 'stopMachine', id, unusedSince })
}

/** A machine at rest is brought to the wish in its sleep, so that its next start is the new one's. */
function whileResting(input: PlanInput, { volume }: World, machine: ObservedMachine): Decision | undefined {
  if (input.wish.resolved === undefined || !machine.hostOk) return undefined
  const restart = restartFinding(input.tenant, machine)
  if (restart !== undefined) return restart
  const drift = driftOf(machine, input.wish)
  if (drift === 'none' || drift === 'metadata') return restamp(input, machine)
  if (volume?.state !== 'ready') return undefined
  // What an update without a launch makes of a memory snapshot is not documented; a stop discards it for certain.
  if (machine.state === 'suspended') return act({ kind: 'stopMachine', id: machine.id })
  return update(input, machine, volume, false)
}

/** At rest; who sleeps only because nobody uses it is looked at again when its user's own job is due. */
function atRest(input: PlanInput): Decision {
  return settle(input, input.wish.effective === 'idle-suspended' ? wakesAt(input.tenant) : undefined)
}

export function planSuspended(input: PlanInput, world: World): Decision {
  const { machine } = world
  if (machine === undefined)
    return unresolvedCreate(input, 'createVolume') ?? unresolvedCreate(input, 'createMachine') ?? settle(input)
  const { state } = machine
  if (isTransient(state)) return busy(input, { ...machine, state })
  switch (state) {
    case 'started':
      return rest(input, machine)
    case 'suspended':
    case 'stopped':
      return whileResting(input, world, machine) ?? atRest(input)
    case 'failed':
      return settle(input)
  }
}
