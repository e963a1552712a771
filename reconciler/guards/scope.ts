// Which failures tenants share: the keys that a step is held by, and the one key that a failure holds. Pure.
import type { Guest } from '../../specs/fields.ts'
import type { FaultKind } from '../../specs/faults.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Step, StepKind } from '../step.ts'

/** What of a tenant decides whom it shares a failure with. */
export interface Place {
  readonly region: string
  /** Undefined when its class does not exist. */
  readonly guest: Guest | undefined
  readonly volume: string | undefined
  readonly machine: string | undefined
}

export function placeOf({ spec, status }: Tenant, guest: Guest | undefined): Place {
  const { volume, machine } = status
  return { region: machine?.region ?? spec.region, guest, volume: volume?.id, machine: machine?.id }
}

/** Every look at Fly is held by these. */
export const readKeys: readonly string[] = ['api', 'account']

/** A quota is on what a step adds; what takes away or turns on and off is never held by one. */
const quotas: Partial<Record<StepKind, string>> = {
  createApp: 'quota',
  createVolume: 'quota',
  extendVolume: 'quota',
  createMachine: 'quota',
  requestCertificate: 'quota certificates',
}

function guestWord({ guest }: Place): string {
  return guest === undefined ? 'unknown' : `${guest.cpuKind}-${guest.cpus}-${guest.memoryMb}`
}

/**
 * Room in a region is asked for by size. The step is in the key because a machine goes to its volume's host: its success
 * says nothing of the room for new volumes, and the lack of that is no reason to wait with it.
 */
function regionKey(step: Step, place: Place): string {
  const region = 'region' in step ? step.region : place.region
  return `region ${region} ${guestWord(place)} ${step.kind}`
}

/** Fly counts calls by action, and by the machine or volume where they are about one, else by the app. */
function rateKey(step: Step): string {
  return 'id' in step ? `rate ${step.kind} ${step.id}` : `rate ${step.kind}`
}

function hostOf(step: Step, { volume, machine }: Place): string {
  return 'volume' in step ? step.volume : (volume ?? machine ?? 'none')
}

/** Only what needs room on the host waits for room there; what stops or destroys makes room. */
const needsRoom: ReadonlySet<StepKind> = new Set(['createMachine', 'startMachine', 'updateMachine'])

/** Every key whose hold stops this step. */
export function stepKeys(step: Step, place: Place): readonly string[] {
  const { kind } = step
  // Nobody outside is asked.
  if (kind === 'forgetTenant') return []
  const quota = quotas[kind]
  const host = hostOf(step, place)
  return [
    ...readKeys,
    `api ${kind}`,
    `account ${kind}`,
    rateKey(step),
    ...(quota === undefined ? [] : [quota]),
    regionKey(step, place),
    `host ${host} down`,
    ...(needsRoom.has(kind) ? [`host ${host} full`] : []),
  ]
}

/** The key for the failure of a look; undefined where it is the tenant's own. */
function readKey(kind: FaultKind): string | undefined {
  if (kind === 'unavailable') return 'api'
  return kind === 'unauthorized' || kind === 'quota' ? 'account' : undefined
}

/**
 * The key that a failure holds; undefined where it is the tenant's own. What fails in a look holds everything; what fails in
 * a step holds the same step of others: while one action is broken or forbidden, the rest goes on.
 */
export function holdKey(fault: FaultKind, step: Step | undefined, place: Place): string | undefined {
  if (step === undefined) return readKey(fault)
  const { kind } = step
  const host = hostOf(step, place)
  switch (fault) {
    case 'regionFull':
      return regionKey(step, place)
    case 'hostFull':
      return needsRoom.has(kind) ? `host ${host} full` : regionKey(step, place)
    case 'hostDown':
      return `host ${host} down`
    case 'throttled':
      return rateKey(step)
    case 'quota':
      return quotas[kind] ?? `account ${kind}`
    case 'unauthorized':
      return `account ${kind}`
    case 'unavailable':
      return `api ${kind}`
    case 'notFound':
    case 'nameTaken':
    case 'foreign':
    case 'raced':
    case 'leased':
    case 'transient':
    case 'bound':
    case 'commandFailed':
    case 'invalid':
    case 'timeout':
      return undefined
  }
}
