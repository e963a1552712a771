// The road to a running tenant: app, volume, machine, gateway, browser packages, certificates. Pure.
import type { ResolvedSpec } from '../specs/class.ts'
import type { Decision, PlanInput } from './decision.ts'
import { driftOf } from './drift.ts'
import { isTransient, type ObservedMachine, type ObservedVolume } from './observed.ts'
import { act, busy, poll, settle, stall } from './verdicts.ts'
import { unresolvedCreate } from './intent.ts'
import { nextMachine, nextVolume, type World } from './world.ts'

/** An undefined answer means: nothing to do here, go on. */
type Finding = Decision | undefined

function missingVolume(input: PlanInput, resolved: ResolvedSpec): Decision {
  const { volume } = input.tenant.status
  if (volume !== undefined)
    return stall(
      input,
      'VolumeMissing',
      `Volume ${volume.id}, which holds this tenant's data, cannot be found on Fly. It is never replaced by an empty one: restore it from a snapshot, or delete the tenant.`,
    )
  const { name, incarnation } = nextVolume(input)
  return (
    unresolvedCreate(input, 'createVolume') ??
    act({ kind: 'createVolume', name, incarnation, sizeGb: resolved.volumeSizeGb, region: resolved.region })
  )
}

function volumeFinding(input: PlanInput, volume: ObservedVolume, resolved: ResolvedSpec): Finding {
  switch (volume.state) {
    case 'leaving':
      return stall(
        input,
        'VolumeLeaving',
        `Volume ${volume.id}, which holds this tenant's data, is being destroyed on Fly. Restore it from a snapshot, or delete the tenant.`,
      )
    case 'creating':
    case 'busy':
    case 'unknown':
      return poll(input, 'VolumeBusy', `Volume ${volume.id} is not ready yet.`)
    case 'ready':
      return volume.sizeGb < resolved.volumeSizeGb
        ? act({ kind: 'extendVolume', id: volume.id, sizeGb: resolved.volumeSizeGb })
        : undefined
  }
}

function update(input: PlanInput, machine: ObservedMachine, volume: ObservedVolume): Decision {
  const { id, version, incarnation } = machine
  return act({ kind: 'updateMachine', id, version, incarnation, volume: volume.id, launch: true })
}

function machineFinding(input: PlanInput, machine: ObservedMachine, volume: ObservedVolume): Finding {
  if (!machine.hostOk)
    return poll(
      input,
      'HostUnreachable',
      `Fly cannot reach the host of machine ${machine.id}; its data is not touched.`,
    )
  if (isTransient(machine.state)) return busy(input, machine)
  const drifted = driftOf(machine, input.wish) === 'restart'
  switch (machine.state) {
    case 'started':
      return drifted ? update(input, machine, volume) : undefined
    case 'stopped':
    case 'suspended':
      return drifted ? update(input, machine, volume) : act({ kind: 'startMachine', id: machine.id })
    case 'failed':
      return act({ kind: 'destroyMachine', id: machine.id, region: machine.region, why: 'replaced' })
  }
}

function guestFinding(input: PlanInput, machine: ObservedMachine): Finding {
  const { guest } = input.observed
  switch (guest.kind) {
    case 'unknown':
      return poll(input, 'GuestUnknown', 'The gateway in the machine has not been asked yet.')
    case 'unreachable':
      return poll(input, 'GuestUnreachable', `The gateway in the machine does not answer yet (${guest.why}).`)
    case 'starting':
      return poll(input, 'GuestStarting', 'The gateway in the machine is starting.')
    case 'mismatch':
      return poll(
        input,
        'IdentityMismatch',
        `Whoever answers at the address of machine ${machine.id} could not prove to be this tenant's machine; nothing is sent there.`,
      )
    case 'ready':
      return guest.boot === input.tenant.status.preparedBoot
        ? undefined
        : act({ kind: 'prepareMachine', id: machine.id, boot: guest.boot })
  }
}

function certificateFinding(input: PlanInput): Finding {
  for (const { host } of input.wish.certificates) {
    const state = input.observed.certificates[host] ?? 'absent'
    if (state === 'absent') return act({ kind: 'requestCertificate', host })
    if (state === 'pending') return poll(input, 'CertificatePending', `The certificate for ${host} is not issued yet.`)
  }
  return undefined
}

function withVolume(input: PlanInput, world: World, volume: ObservedVolume): Decision {
  const { machine } = world
  if (machine !== undefined)
    return (
      machineFinding(input, machine, volume) ??
      guestFinding(input, machine) ??
      certificateFinding(input) ??
      settle(input)
    )
  const { name, incarnation } = nextMachine(input)
  return act({ kind: 'createMachine', name, incarnation, volume: volume.id, region: volume.region })
}

export function planRunning(input: PlanInput, world: World): Decision {
  const { resolved } = input.wish
  if (resolved === undefined)
    return stall(
      input,
      'ClassUnknown',
      `The class ${input.tenant.spec.class} does not exist; set spec.class to one that does.`,
    )
  if (input.observed.app === 'absent') return act({ kind: 'createApp' })
  if (world.volume === undefined) return missingVolume(input, resolved)
  return volumeFinding(input, world.volume, resolved) ?? withVolume(input, world, world.volume)
}
