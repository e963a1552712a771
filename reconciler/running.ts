// The road to a running tenant: app, volume, machine, gateway, browser packages, certificates. Pure.
import type { ResolvedSpec } from '../specs/class.ts'
import { findCondition } from '../specs/conditions.ts'
import { startFinding } from './crash.ts'
import type { Decision, PlanInput } from './decision.ts'
import { deferredUntil, driftOf, isAnonymous, restamp, update } from './drift.ts'
import { hostFinding } from './host.ts'
import { unresolvedCreate } from './intent.ts'
import { tokenFinding } from './llm-token.ts'
import { isTransient, type ObservedMachine, type ObservedVolume } from './observed.ts'
import { restartFinding } from './restart.ts'
import { retryOf } from './retries.ts'
import { openingFinding } from './sleep.ts'
import { busy, inStateSince, volumeBusy } from './stuck.ts'
import { act, nextLook, poll, settle, stall } from './verdicts.ts'
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
      return volumeBusy(input, volume)
    case 'ready':
      return volume.sizeGb < resolved.volumeSizeGb
        ? act({ kind: 'extendVolume', id: volume.id, sizeGb: resolved.volumeSizeGb })
        : undefined
  }
}

/** So often it is tried to tell a running gateway whose it is; then the machine is made anew, which takes longer. */
const mostTellings = 2

function tellingFails(input: PlanInput, machine: ObservedMachine): boolean {
  const retry = retryOf(input.tenant.status, 'personalise')
  if (retry === undefined || !isAnonymous(input, machine)) return false
  return retry.attempts >= mostTellings || retry.notBefore === undefined
}

function started(input: PlanInput, machine: ObservedMachine, volume: ObservedVolume): Finding {
  if (driftOf(machine, input.wish) !== 'restart' && !tellingFails(input, machine)) return undefined
  return deferredUntil(input, machine) === undefined ? update(input, machine, volume, true) : undefined
}

/** In the middle of a replacement a machine reads `stopped` for a while (measured by others: fly-api.md 2.3). */
const replacingMs = 30_000

function start(input: PlanInput, world: World, machine: ObservedMachine): Decision {
  const { drift } = input.tenant.status
  if (drift?.updatedAt !== undefined && input.now - drift.updatedAt < replacingMs * input.settings.scale)
    return poll(input, 'MachineBusy', `Machine ${machine.id} is being replaced by its new version.`, drift.updatedAt)
  return startFinding(input, world, machine)
}

/**
 * A machine that does not mount the tenant's volume. Nothing is destroyed for it: in the middle of a move between hosts the
 * machine may name a volume that Fly does not show yet, and then the data is there.
 */
function withoutData(input: PlanInput, { id, mount, contentHash }: ObservedMachine, volume: ObservedVolume): Finding {
  // Where Fly does not show the configuration, nobody knows what is mounted.
  if (contentHash === '' || mount === volume.id) return undefined
  if (mount !== undefined)
    return poll(input, 'VolumeMismatch', `Machine ${id} mounts volume ${mount}, and ${volume.id} is on record.`)
  return stall(
    input,
    'VolumeMismatch',
    `Machine ${id} mounts no volume, so the tenant's data, which is on ${volume.id}, is not in it. Nothing is sent there: destroy the machine with flyctl if it is not yours, and another one is made on the volume.`,
  )
}

/** Fly is told whose the machine is while it wakes up, so that its gateway can be told as soon as it is awake. */
function whileBusy(input: PlanInput, machine: ObservedMachine, decision: Decision): Decision {
  const wakes = machine.state === 'starting' && decision.kind === 'wait'
  return (wakes ? restamp(input, machine) : undefined) ?? decision
}

function machineFinding(input: PlanInput, world: World, machine: ObservedMachine, volume: ObservedVolume): Finding {
  const { id, region, state } = machine
  if (isTransient(state)) return whileBusy(input, machine, busy(input, { ...machine, state }))
  const restart = restartFinding(input.tenant, machine)
  if (restart !== undefined) return restart
  switch (state) {
    case 'started':
      return started(input, machine, volume)
    case 'stopped':
    case 'suspended':
      return driftOf(machine, input.wish) === 'restart'
        ? update(input, machine, volume, true)
        : start(input, world, machine)
    case 'failed':
      return act({ kind: 'destroyMachine', id, region, why: 'replaced' })
  }
}

function personal(input: PlanInput, machine: ObservedMachine, boot: string): Finding {
  const { id } = machine
  const { specHash } = input.wish
  if (!isAnonymous(input, machine)) return undefined
  return act({ kind: 'personalise', id, boot, specHash })
}

function prepare({ tenant }: PlanInput, { id }: ObservedMachine, boot: string): Finding {
  return boot === tenant.status.preparedBoot ? undefined : act({ kind: 'prepareMachine', id, boot })
}

function guestFinding(input: PlanInput, machine: ObservedMachine): Finding {
  const { guest } = input.observed
  const since = inStateSince(input, machine)
  switch (guest.kind) {
    case 'unknown':
      return poll(input, 'GuestUnknown', 'The gateway in the machine has not been asked yet.', since)
    case 'unreachable':
      return poll(input, 'GuestUnreachable', `The gateway in the machine does not answer yet (${guest.why}).`, since)
    case 'starting':
      return poll(input, 'GuestStarting', 'The gateway in the machine is starting.', since)
    case 'mismatch':
      return poll(
        input,
        'IdentityMismatch',
        `Whoever answers at the address of machine ${machine.id} could not prove to be this tenant's machine; nothing is sent there.`,
        since,
      )
    case 'ready':
      return personal(input, machine, guest.boot) ?? prepare(input, machine, guest.boot)
  }
}

/**
 * The platform's own host needs its certificate before the tenant is ready; a domain of the tenant's own may take as long as
 * its owner needs to set its DNS record, and the tenant is ready without it.
 */
function certificateFinding(input: PlanInput): Finding {
  const { wish, observed, tenant, now } = input
  const wanted = wish.certificates.map(({ host }) => host)
  const present = (host: string) => (observed.certificates[host] ?? 'absent') !== 'absent'
  const surplus = tenant.status.certificates?.find((host) => !wanted.includes(host) && present(host))
  if (surplus !== undefined) return act({ kind: 'deleteCertificate', host: surplus })
  const pending = wanted.find((host) => observed.certificates[host] === 'pending')
  if (pending === undefined) return undefined
  const since = findCondition(tenant.status.conditions, 'CertificateReady')?.lastTransitionTime ?? now
  return pending === wanted[0]
    ? poll(input, 'CertificatePending', `The certificate for ${pending} is not issued yet.`, since)
    : settle(input, nextLook(input, since))
}

function deferral(input: PlanInput, machine: ObservedMachine): number | undefined {
  return driftOf(machine, input.wish) === 'restart' ? deferredUntil(input, machine) : undefined
}

function withVolume(input: PlanInput, world: World, volume: ObservedVolume): Decision {
  const { machine } = world
  if (machine !== undefined)
    return (
      hostFinding(input, machine) ??
      withoutData(input, machine, volume) ??
      machineFinding(input, world, machine, volume) ??
      openingFinding(input, machine) ??
      restamp(input, machine) ??
      guestFinding(input, machine) ??
      certificateFinding(input) ??
      settle(input, Math.min(deferral(input, machine) ?? Infinity, input.wish.sleepsAt ?? Infinity))
    )
  const { name, incarnation } = nextMachine(input)
  return act({ kind: 'createMachine', name, incarnation, volume: volume.id, region: volume.region })
}

/** What does not depend on what is waited for is done meanwhile: certificates take their time as well. */
function meanwhile(input: PlanInput, decision: Decision): Decision {
  if (decision.kind !== 'wait' && decision.kind !== 'settled') return decision
  const absent = input.wish.certificates.find(
    ({ host }) => (input.observed.certificates[host] ?? 'absent') === 'absent',
  )
  return absent === undefined ? decision : act({ kind: 'requestCertificate', host: absent.host })
}

/** A token that cannot be renewed keeps nothing else from being done. */
function atLast(input: PlanInput, { machine }: World, decision: Decision): Decision {
  if (decision.kind !== 'settled' || machine === undefined) return decision
  return tokenFinding(input, machine) ?? decision
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
  const decision = volumeFinding(input, world.volume, resolved) ?? withVolume(input, world, world.volume)
  return atLast(input, world, meanwhile(input, decision))
}
