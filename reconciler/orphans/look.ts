// The look at one orphan: everything that its planner asks for, from the last list or, before anything is done, read anew.
import type { Instant } from '../../specs/clock.ts'
import { parseName } from '../../specs/names.ts'
import { exhausted } from '../guards/budget.ts'
import type { LedgerEntry } from '../guards/view.ts'
import type { OrphanRecord, Suspect } from './orphan.ts'
import type { OrphanInput } from './plan.ts'
import type { OrphanPorts } from './ports.ts'
import { machineVerdict, volumeVerdict, type Guard, type Sorted } from './suspects.ts'

/** What is the same for every orphan of one sweep. */
export interface Sweeping {
  readonly sorted: Sorted
  readonly guard: Guard | undefined
  readonly known: ReadonlyMap<string, OrphanRecord>
  readonly at: Instant
}

export function uidOf({ settings }: Pick<OrphanPorts, 'settings'>, { kind, found }: Suspect): string {
  return kind === 'machine' ? found.uid : (parseName(settings.naming, found.name)?.uid ?? '')
}

/** What the end of the orphan takes from the fleet's destructive budget (guards/budget.ts). */
export function chargeOf({ id, uid, region }: OrphanRecord, at: Instant): LedgerEntry {
  return { at, kind: 'orphan', uid, region, target: id }
}

/** The planner's input; only what this orphan's state can ask for is read. */
export async function orphanInput(
  ports: OrphanPorts,
  { guard }: Sweeping,
  record: OrphanRecord,
  suspect: Suspect,
): Promise<OrphanInput> {
  const { cloud, guards, settings, orphanSettings, clock, store } = ports
  const released = record.state === 'released'
  const volume = record.kind === 'volume' && guard === undefined
  const snapped = record.snapshotAt !== undefined && record.state !== 'quarantined' && record.state !== 'kept'
  const [fleet, now] = [guards.view(), clock.now()]
  return {
    record,
    suspect,
    snapshots: volume && snapped ? await cloud.snapshots(record.id) : undefined,
    claims: volume && released ? await store.claimsOf(record.id, '') : [],
    fleet,
    guard,
    spent: exhausted(fleet, chargeOf(record, now), now),
    naming: settings.naming,
    settings: { ...orphanSettings, listLagMs: settings.listLagMs },
    now,
  }
}

async function machineNow({ cloud, owners, settings }: OrphanPorts, { id, uid }: OrphanRecord) {
  const found = await cloud.machine(id)
  if (found?.uid !== uid) return undefined
  const cause = machineVerdict(settings.naming, found, await owners.of([uid]))
  return cause === 'owned' || cause === 'leaving' ? undefined : ({ kind: 'machine', cause, found } satisfies Suspect)
}

async function volumeNow({ cloud, owners, settings }: OrphanPorts, { id, uid }: OrphanRecord) {
  const [found, machines] = await Promise.all([cloud.volume(id), cloud.machinesOf(uid)])
  if (found === undefined) return undefined
  const ids = new Set(machines.map((machine) => machine.id))
  const cause = volumeVerdict(settings.naming, found, await owners.of([uid]), ids)
  return cause === 'owned' || cause === 'leaving' ? undefined : ({ kind: 'volume', cause, found } satisfies Suspect)
}

/** The suspect read by its id, Fly first and then the database; undefined when it is none any more. */
export function suspectNow(ports: OrphanPorts, record: OrphanRecord): Promise<Suspect | undefined> {
  return record.kind === 'machine' ? machineNow(ports, record) : volumeNow(ports, record)
}

/** Whether it is still on Fly, and not on its way out. */
export async function isThere({ cloud }: OrphanPorts, { id, kind }: OrphanRecord): Promise<boolean> {
  const state = (kind === 'machine' ? await cloud.machine(id) : await cloud.volume(id))?.state
  return state !== undefined && state !== 'destroying' && state !== 'leaving'
}
