// The road to nothing but the retained volume. Every rung tolerates that the thing is already gone. Pure.
import type { Decision, PlanInput } from './decision.ts'
import { isTransient, type ObservedMachine } from './observed.ts'
import { unresolvedCreate } from './intent.ts'
import { act, busy, settle } from './verdicts.ts'
import type { World } from './world.ts'

function machineDown(input: PlanInput, machine: ObservedMachine): Decision {
  if (machine.state !== 'created' && isTransient(machine.state)) return busy(input, machine)
  switch (machine.state) {
    case 'started':
      return act({ kind: 'stopMachine', id: machine.id })
    case 'created':
    case 'stopped':
    case 'suspended':
    case 'failed':
      return act({ kind: 'destroyMachine', id: machine.id, region: machine.region, why: 'deleted' })
  }
}

function certificateDown(input: PlanInput): Decision | undefined {
  const own = input.wish.certificates.filter(({ shared }) => !shared)
  const left = own.find(({ host }) => (input.observed.certificates[host] ?? 'absent') !== 'absent')
  return left === undefined ? undefined : act({ kind: 'deleteCertificate', host: left.host })
}

/** Stops and destroys the machines, then the tenant's own certificates. No rung destroys a volume. */
export function planTeardown(input: PlanInput, world: World): Decision {
  if (world.machine !== undefined) return machineDown(input, world.machine)
  return (
    unresolvedCreate(input, 'createMachine') ??
    unresolvedCreate(input, 'createVolume') ??
    certificateDown(input) ??
    settle(input)
  )
}
