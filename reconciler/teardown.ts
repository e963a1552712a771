// The road to nothing but the retained volume, and then to nothing. Every rung tolerates that the thing is already gone.
// Pure.
import type { Decision, PlanInput } from './decision.ts'
import { lastSnapshot, retain, snapshotGivenUp } from './farewell.ts'
import { unresolvedCreate } from './intent.ts'
import { isTransient, type ObservedMachine } from './observed.ts'
import { busy } from './stuck.ts'
import { act } from './verdicts.ts'
import { saysUnclaimed } from './warm.ts'
import type { World } from './world.ts'

function machineDown(input: PlanInput, world: World, machine: ObservedMachine): Decision {
  const { id, region, state } = machine
  if (saysUnclaimed(input, machine)) return act({ kind: 'destroyMachine', id, region, why: 'retired' })
  if (state !== 'created' && isTransient(state)) return busy(input, { ...machine, state })
  // Files that are still in memory reach the disk at a stop; the snapshot comes after it.
  if (state === 'started') return act({ kind: 'stopMachine', id })
  const snapshot = snapshotGivenUp(input) ? undefined : lastSnapshot(input, world)
  return snapshot ?? act({ kind: 'destroyMachine', id, region, why: 'deleted' })
}

function certificateDown(input: PlanInput): Decision | undefined {
  const { wish, tenant, observed } = input
  const shared = wish.certificates.filter((wanted) => wanted.shared).map(({ host }) => host)
  const own = [...wish.certificates.map(({ host }) => host), ...(tenant.status.certificates ?? [])]
  const left = own.find((host) => !shared.includes(host) && (observed.certificates[host] ?? 'absent') !== 'absent')
  return left === undefined ? undefined : act({ kind: 'deleteCertificate', host: left })
}

/** Stops the machine, takes the last snapshot, destroys the machine and the tenant's own certificates, retains the volume. */
export function planTeardown(input: PlanInput, world: World): Decision {
  if (world.machine !== undefined) return machineDown(input, world, world.machine)
  return (
    unresolvedCreate(input, 'createMachine') ??
    unresolvedCreate(input, 'createVolume') ??
    certificateDown(input) ??
    lastSnapshot(input, world) ??
    retain(input, world)
  )
}
