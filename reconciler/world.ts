// Of everything observed, which volume and which machine are the tenant's, and what is left over. Pure.
import { machineName, metadataKeys, parseName, volumeName } from '../specs/names.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { PlanInput } from './decision.ts'
import type { ObservedMachine, ObservedVolume } from './observed.ts'

export interface World {
  readonly volume: ObservedVolume | undefined
  readonly machine: ObservedMachine | undefined
  /** Live machines that carry the tenant's uid but are not the chosen one. */
  readonly strays: readonly ObservedMachine[]
  /** Volumes of the tenant's that are not the chosen one: kept, never deleted here. */
  readonly duplicates: readonly ObservedVolume[]
}

/** Of several volumes of one name: the attached one, else the one with data, else the oldest. */
function byClaim(a: ObservedVolume, b: ObservedVolume): number {
  const attached = Number(b.attachedMachine !== undefined) - Number(a.attachedMachine !== undefined)
  if (attached !== 0) return attached
  const used = Number(b.usedBytes > 0) - Number(a.usedBytes > 0)
  return used === 0 ? a.createdAt - b.createdAt : used
}

/**
 * The volume that the tenant's own machine mounts, where Fly has moved both to another host: the machine keeps its id,
 * the volume gets another one, and the old one is on its way out (community 20265).
 */
function movedVolume({ tenant, observed, settings }: PlanInput): ObservedVolume | undefined {
  const recorded = tenant.status.machine
  const machine = observed.machines.find(({ id, uid }) => id === recorded?.id && uid === tenant.uid)
  const mounted = observed.volumes.find(({ id }) => id === machine?.mount)
  if (mounted === undefined || mounted.state === 'leaving') return undefined
  // A moved volume keeps its name; one of another incarnation was put aside by a restore.
  const parsed = parseName(settings.naming, mounted.name)
  const same = parsed?.uid === tenant.uid && parsed.incarnation === tenant.status.volume?.incarnation
  return same ? mounted : undefined
}

/** The volume of an unresolved create: during a restore it stands beside the present one until it is taken up. */
function createdVolume({ tenant, observed }: PlanInput): ObservedVolume | undefined {
  const { intent } = tenant.status
  if (intent?.kind !== 'createVolume') return undefined
  return observed.volumes.filter(({ name, state }) => name === intent.name && state !== 'leaving').sort(byClaim)[0]
}

function chooseVolume(input: PlanInput): ObservedVolume | undefined {
  const { tenant, observed } = input
  const recorded = tenant.status.volume
  const created = createdVolume(input)
  if (created !== undefined || recorded === undefined) return created
  return movedVolume(input) ?? observed.volumes.find(({ id }) => id === recorded.id)
}

/** Whether a machine says itself, by its metadata, that it is the tenant's; its name alone does not count. */
export function claims({ metadata }: ObservedMachine, uid: string): boolean {
  return metadata[metadataKeys.uid] === uid
}

/** Whether the tenant's data is in the machine, as far as Fly shows what it mounts. */
function mounts({ mount, contentHash }: ObservedMachine, { status }: Tenant): boolean {
  return contentHash === '' || status.volume === undefined || mount === status.volume.id
}

/**
 * The recorded machine, or a later one: a machine of an earlier incarnation that came back (a dead host may return) is
 * never the tenant's again.
 */
function chooseMachine({ tenant, observed }: PlanInput): ObservedMachine | undefined {
  const { machine: recorded, fenced = [] } = tenant.status
  const later = observed.machines.filter((machine) => {
    if (fenced.includes(machine.id)) return false
    if (machine.id === recorded?.id) return true
    return claims(machine, tenant.uid) && machine.incarnation > (recorded?.incarnation ?? 0) && mounts(machine, tenant)
  })
  return later.sort((a, b) => b.incarnation - a.incarnation)[0]
}

/** Chooses among the observed resources; what is not chosen is named, so that it is not lost. */
export function surveyWorld(input: PlanInput): World {
  const volume = chooseVolume(input)
  const machine = chooseMachine(input)
  return {
    volume,
    machine,
    // What does not claim to be the tenant's is somebody else's, and is not touched.
    strays: input.observed.machines.filter((found) => found.id !== machine?.id && claims(found, input.tenant.uid)),
    duplicates: input.observed.volumes.filter(({ id }) => id !== volume?.id),
  }
}

/** The incarnation of the next machine: an unresolved create keeps its own, a gone machine's is never used again. */
export function nextMachine({ tenant, settings }: PlanInput): { name: string; incarnation: number } {
  const { intent, machine } = tenant.status
  if (intent?.kind === 'createMachine') return { name: intent.name, incarnation: intent.incarnation }
  const incarnation = (machine?.incarnation ?? 0) + 1
  return { name: machineName(settings.naming, tenant.uid, incarnation), incarnation }
}

/** The name of the tenant's next volume. Only an explicit restore starts a second incarnation. */
export function nextVolume({ tenant, settings }: PlanInput): { name: string; incarnation: number } {
  const { intent, volume } = tenant.status
  const incarnation = intent?.kind === 'createVolume' ? intent.incarnation : (volume?.incarnation ?? 0) + 1
  return { name: volumeName(settings.naming, tenant.uid, incarnation), incarnation }
}
