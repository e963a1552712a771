// The conditions of a tenant in words: what a person should know after one look. Pure.
import { exitWords } from '../boot/exit.ts'
import type { Instant } from '../specs/clock.ts'
import type { ConditionType, Statement } from '../specs/conditions.ts'
import type { Route } from '../specs/route.ts'
import type { Decision, PlanInput } from './decision.ts'
import { deferredUntil, driftOf } from './drift.ts'
import { purgeAt } from './farewell.ts'
import { retryOf } from './retries.ts'
import { stepWords, type StepKind } from './step.ts'
import { isWarm } from './warm.ts'
import type { World } from './world.ts'

function say(type: ConditionType, yes: boolean, reason: string, message: string): Statement {
  return { type, status: yes ? 'True' : 'False', reason, message }
}

/** Nine tenths of a GB, as Fly's volumes are counted. */
const fullAtBytes = 0.9 * 1024 ** 3

function volumeStatement({ tenant }: PlanInput, { volume, duplicates }: World): Statement {
  if (volume === undefined)
    return tenant.status.volume === undefined
      ? say('VolumeReady', false, 'NotCreated', 'The volume has not been created yet.')
      : say('VolumeReady', false, 'VolumeMissing', `Volume ${tenant.status.volume.id} cannot be found on Fly.`)
  if (volume.state !== 'ready')
    return say('VolumeReady', false, 'VolumeBusy', `Volume ${volume.id} is ${volume.state}.`)
  if (volume.usedBytes > volume.sizeGb * fullAtBytes)
    return say(
      'VolumeReady',
      true,
      'AlmostFull',
      `Volume ${volume.id} (${volume.sizeGb} GB) is more than nine tenths full; a gateway that cannot write fails. Set spec.volume.sizeGb to more, or remove files.`,
    )
  const extra = duplicates.map(({ id }) => id).join(', ')
  return extra === ''
    ? say('VolumeReady', true, 'Ready', `Volume ${volume.id} (${volume.sizeGb} GB) is ready.`)
    : say(
        'VolumeReady',
        true,
        'DuplicateVolumes',
        `Volume ${volume.id} is in use; ${extra} has the same name and is kept.`,
      )
}

function machineStatement({ machine }: World): Statement {
  if (machine === undefined) return say('MachineReady', false, 'NoMachine', 'There is no machine.')
  const { exit, state } = machine
  const started = state === 'started'
  if (exit !== undefined && (state === 'stopped' || state === 'failed'))
    return say('MachineReady', false, 'Exited', `Machine ${machine.id} is ${state}: ${exitWords(exit.code)}.`)
  return say('MachineReady', started, started ? 'Started' : 'NotStarted', `Machine ${machine.id} is ${machine.state}.`)
}

function preparedStatement({ tenant, observed }: PlanInput): Statement | undefined {
  const { guest } = observed
  if (guest.kind !== 'ready') return undefined
  return guest.boot === tenant.status.preparedBoot
    ? say('Prepared', true, 'Installed', 'The browser packages are installed on this root filesystem.')
    : say('Prepared', false, 'NewRootFilesystem', 'The browser packages are not installed on this root filesystem yet.')
}

function certificateStatement({ wish, observed }: PlanInput): Statement | undefined {
  if (wish.effective !== 'running' || Object.keys(observed.certificates).length === 0) return undefined
  const open = wish.certificates.filter(({ host }) => observed.certificates[host] !== 'issued').map(({ host }) => host)
  return open.length === 0
    ? say('CertificateReady', true, 'Issued', 'Every certificate is issued.')
    : say('CertificateReady', false, 'Pending', `Not issued yet: ${open.join(', ')}.`)
}

function deletedStatement(input: PlanInput, decision: Decision): Statement {
  const { status } = input.tenant
  if (status.purgingSince !== undefined) return say('Ready', false, 'Purging', 'The volume is being destroyed.')
  if (decision.kind !== 'settled' && status.retainedSince === undefined)
    return say('Ready', false, 'Deleting', 'The tenant is being deleted.')
  const until = new Date(purgeAt(input)).toISOString()
  return say('Ready', false, 'Retained', `The machine is gone; the volume is retained until ${until}, then destroyed.`)
}

/** Steps that the users of a tenant whose gateway answers notice nothing of. */
const gentle: readonly StepKind[] = [
  'stampMachine',
  'requestCertificate',
  'deleteCertificate',
  'extendVolume',
  'renewToken',
]

function isGentle(decision: Decision, { observed, tenant }: PlanInput): boolean {
  if (observed.guest.kind !== 'ready') return false
  if (decision.kind === 'act') return gentle.includes(decision.step.kind)
  // It waits to try again, and the old token still counts.
  return decision.kind === 'wait' && retryOf(tenant.status, 'renewToken')?.notBefore === decision.until
}

function warmStatement(input: PlanInput, decision: Decision): Statement {
  if (isWarm(input, decision)) return say('Ready', true, 'Warm', 'It stands ready for a tenant to come.')
  if (decision.kind === 'wait' || decision.kind === 'stalled')
    return say('Ready', false, decision.reason, decision.message)
  return say('Ready', false, 'Provisioning', 'It is being made ready for a tenant to come.')
}

function channelsText({ tenant, wish }: PlanInput): string {
  const { names = [] } = tenant.status.channels ?? {}
  const { afterMinutes = 0, withChannels = false } = wish.resolved?.idle ?? {}
  if (names.length === 0 || afterMinutes === 0 || withChannels) return ''
  return ` It does not sleep, because a channel is live: ${names.join(', ')}.`
}

function readyStatement(input: PlanInput, decision: Decision, route: Route): Statement {
  const { wish, tenant } = input
  if (wish.effective === 'deleted') return deletedStatement(input, decision)
  if (wish.effective === 'idle-suspended')
    return say('Ready', false, 'Asleep', `${tenant.name} sleeps because nobody uses it; the next request wakes it.`)
  if (wish.effective === 'pool-warm') return warmStatement(input, decision)
  if (wish.effective !== 'running') {
    const owner = wish.effective === 'billing-suspended' ? 'billing' : 'the admin'
    return say('Ready', false, 'Suspended', `${tenant.name} is suspended by ${owner}.`)
  }
  if (route.kind === 'forward' && (decision.kind === 'settled' || isGentle(decision, input)))
    return say('Ready', true, 'Running', `The machine answers and its road is open.${channelsText(input)}`)
  if (decision.kind === 'wait' || decision.kind === 'stalled')
    return say('Ready', false, decision.reason, decision.message)
  return say(
    'Ready',
    false,
    'Provisioning',
    decision.kind === 'act' ? `Now ${stepWords[decision.step.kind]}.` : 'Settling.',
  )
}

function progressStatement(decision: Decision): Statement | undefined {
  switch (decision.kind) {
    case 'settled':
      return undefined
    case 'act':
      return { type: 'Reconciling', status: 'True', reason: 'Acting', message: `Now ${stepWords[decision.step.kind]}.` }
    case 'wait':
      return { type: 'Reconciling', status: 'True', reason: decision.reason, message: decision.message }
    case 'stalled':
      return { type: 'Stalled', status: 'True', reason: decision.reason, message: decision.message }
  }
}

/** A step that still waits for its next try keeps saying what went wrong. */
function syncedStatement({ tenant, now }: PlanInput, decision: Decision): Statement {
  const { retry } = tenant.status
  const pending = retry !== undefined && retry.generation >= tenant.generation
  if (pending && decision.kind !== 'settled' && (retry.notBefore === undefined || retry.notBefore > now))
    return { ...say('Synced', false, retry.reason, retry.message), nextTryAt: retry.notBefore }
  return say('Synced', true, 'Observed', 'Fly answered, and the last step went through.')
}

/** These are present only while they are true. */
function abnormal(input: PlanInput, { machine }: World, decision: Decision): Statement[] {
  const { tenant, now, settings } = input
  const { drift } = tenant.status
  const found: Statement[] = []
  if (machine?.hostOk === false)
    found.push(say('HostUnreachable', true, 'HostUnreachable', `Fly cannot reach the host of machine ${machine.id}.`))
  if (decision.kind === 'stalled' && decision.reason === 'Stuck')
    found.push(say('Stuck', true, 'Stuck', decision.message))
  if (machine !== undefined && driftOf(machine, input.wish) === 'restart' && machine.hostOk) {
    const until = deferredUntil(input, machine)
    const since = drift?.since ?? now
    found.push(
      until === undefined
        ? say(
            'Drifted',
            true,
            'UpdateNeeded',
            `Machine ${machine.id} differs from what is wanted and is to be updated.`,
          )
        : {
            ...say('Drifted', true, 'UpdateDeferred', deferredWords(machine.id, since + settings.deferMs)),
            nextTryAt: until,
          },
    )
  }
  if (tenant.spec.paused)
    found.push(say('Paused', true, 'Paused', 'Moorage looks on and changes nothing: spec.paused is true.'))
  if (tenant.parked !== undefined)
    found.push(
      say(
        'PendingApproval',
        true,
        'MassChange',
        `Billing asked for ${tenant.parked.entitlement.state} among many such changes in a short time; it counts once an admin approves it.`,
      ),
    )
  if (decision.kind === 'wait' && decision.reason === 'ObservationSuspect')
    found.push(say('ObservationSuspect', true, decision.reason, decision.message))
  return found
}

function deferredWords(id: string, latest: Instant): string {
  return `Machine ${id} runs an earlier configuration while it is in use; the new one is taken up at its next stop, or at ${new Date(latest).toISOString()} at the latest. Set spec.update to immediate to restart it now.`
}

/** Everything that can be said after one look. */
export function statementsOf(input: PlanInput, world: World, decision: Decision, route: Route): Statement[] {
  const all = [
    readyStatement(input, decision, route),
    syncedStatement(input, decision),
    volumeStatement(input, world),
    machineStatement(world),
    preparedStatement(input),
    certificateStatement(input),
    progressStatement(decision),
    ...abnormal(input, world, decision),
  ]
  return all.filter((statement) => statement !== undefined)
}
