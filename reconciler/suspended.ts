// The road to a suspended tenant: no compute, the volume stays. Pure.
import type { Decision, PlanInput } from './decision.ts'
import { isTransient, type ObservedMachine } from './observed.ts'
import { unresolvedCreate } from './intent.ts'
import { act, busy, settle } from './verdicts.ts'
import type { World } from './world.ts'

/** Fly's suspend keeps memory up to 2 GB (docs: reference/suspend-resume); a larger machine is stopped. */
const suspendableMb = 2048

function rest(input: PlanInput, machine: ObservedMachine): Decision {
  const memoryMb = input.wish.resolved?.guest.memoryMb ?? Infinity
  return act({ kind: memoryMb <= suspendableMb ? 'suspendMachine' : 'stopMachine', id: machine.id })
}

export function planSuspended(input: PlanInput, world: World): Decision {
  const { machine } = world
  if (machine === undefined)
    return unresolvedCreate(input, 'createVolume') ?? unresolvedCreate(input, 'createMachine') ?? settle(input)
  if (isTransient(machine.state)) return busy(input, machine)
  switch (machine.state) {
    case 'started':
      return rest(input, machine)
    case 'suspended':
    case 'stopped':
    case 'failed':
      return settle(input)
  }
}
