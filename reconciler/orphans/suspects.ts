// Of one reading of the fleet and what the database says of its uids, what nobody owns; and when so much is unowned that
// the database is the likelier culprit. Pure.
import { parseName, type Naming } from '../../specs/names.ts'
import type { FleetReading, ObservedMachine, ObservedVolume } from '../observed.ts'
import type { LiveOwner, Owner } from '../owner.ts'
import type { OrphanCause, Suspect } from './orphan.ts'

/** `leaving` goes by itself. */
type Verdict = OrphanCause | 'owned' | 'leaving'

export interface Sorted {
  readonly suspects: readonly Suspect[]
  /** The ids of what is owned, and of what is on its way out. */
  readonly owned: ReadonlySet<string>
  readonly leaving: ReadonlySet<string>
}

export type OwnersByUid = ReadonlyMap<string, Owner>

/** A second machine of a living tenant is a stray: the tenant's own passes see to it. */
export function machineVerdict(naming: Naming, machine: ObservedMachine, owners: OwnersByUid): Verdict {
  const owner = owners.get(machine.uid)
  if (owner?.kind === 'tenant') return 'owned'
  if (machine.state === 'destroying') return 'leaving'
  if (parseName(naming, machine.name)?.uid !== machine.uid) return 'unidentified'
  return owner === undefined ? 'noTenant' : 'leftover'
}

/** Recorded, about to be recorded, or in use by a machine of the tenant (Fly moves volumes between hosts). */
function belongs({ id, name, attachedMachine }: ObservedVolume, owner: LiveOwner, machines: ReadonlySet<string>) {
  if (owner.volume === id || owner.retired.includes(id)) return true
  if (owner.intent?.kind === 'createVolume' && owner.intent.name === name) return true
  return attachedMachine !== undefined && machines.has(attachedMachine)
}

/** `machines`: the ids of the machines that carry the volume's uid. */
export function volumeVerdict(
  naming: Naming,
  volume: ObservedVolume,
  owners: OwnersByUid,
  machines: ReadonlySet<string>,
): Verdict {
  const owner = owners.get(parseName(naming, volume.name)?.uid ?? '')
  const leaving = volume.state === 'leaving'
  if (owner === undefined) return 'noTenant'
  if (owner.kind === 'tombstone') return leaving && owner.volume === volume.id ? 'leaving' : 'leftover'
  if (belongs(volume, owner, machines)) return 'owned'
  return leaving ? 'leaving' : 'duplicate'
}

export function uidsOf(naming: Naming, { machines, volumes }: FleetReading): readonly string[] {
  const inNames = volumes.map(({ name }) => parseName(naming, name)?.uid ?? '')
  return [...new Set([...machines.map(({ uid }) => uid), ...inNames])].filter((uid) => uid !== '')
}

/** Sorts everything that the reading shows; the owners must have been read after it. */
export function sortFleet(naming: Naming, reading: FleetReading, owners: OwnersByUid): Sorted {
  const byUid = Map.groupBy(reading.machines, ({ uid }) => uid)
  const suspects: Suspect[] = []
  const [owned, leaving] = [new Set<string>(), new Set<string>()]
  const put = (verdict: Verdict, id: string, suspect: (cause: OrphanCause) => Suspect) => {
    if (verdict === 'owned') owned.add(id)
    else if (verdict === 'leaving') leaving.add(id)
    else suspects.push(suspect(verdict))
  }
  for (const found of reading.machines)
    put(machineVerdict(naming, found, owners), found.id, (cause) => ({ kind: 'machine', cause, found }))
  for (const found of reading.volumes) {
    const uid = parseName(naming, found.name)?.uid ?? ''
    const machines = new Set((byUid.get(uid) ?? []).map(({ id }) => id))
    put(volumeVerdict(naming, found, owners, machines), found.id, (cause) => ({ kind: 'volume', cause, found }))
  }
  return { suspects, owned, leaving }
}

export interface Guard {
  readonly reason: 'DatabaseLost' | 'TooManyOrphans'
  readonly message: string
}

/** Nothing is touched beyond this many orphans, or this share of everything read. */
const most = { count: 2, share: 0.1 } as const

/**
 * Why nothing may be touched now: a database that lost its tenants must not stop the fleet. `orphans` are those that nobody
 * has decided about.
 */
export function massGuard(reading: FleetReading, tenants: number, orphans: number): Guard | undefined {
  const machines = reading.machines.length
  const all = machines + reading.volumes.length
  const help = 'Nothing is touched. If tenants are missing from the database, "moor adopt" takes the fleet back.'
  if (tenants === 0 && machines > 0)
    return {
      reason: 'DatabaseLost',
      message: `The database has no tenants at all, but Fly has ${machines} machines of ours. ${help}`,
    }
  const limit = Math.max(most.count, Math.floor(all * most.share))
  if (orphans <= limit) return undefined
  const message = `${orphans} of ${all} machines and volumes belong to no tenant, and ${limit} are the most that is believed. ${help}`
  return { reason: 'TooManyOrphans', message }
}
