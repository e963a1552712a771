// From a look at Fly to entries of the ledger: what is new compared with what is known. Pure, and made of Fly's own times
// wherever there are any, so that the same look, or a later one, always makes the same entries.
import type { Instant } from '../../specs/clock.ts'
import type { ObservedMachine, ObservedVolume, StateChange } from '../observed.ts'
import type { Change, SizeChange, VolumeChange } from './ledger.ts'

/** What the writer of the ledger remembers of a machine. */
export interface KnownMachine {
  readonly kind: 'machine'
  readonly id: string
  readonly uid: string
  readonly region: string
  readonly firstAt: Instant
  /** Its newest change, and the newest that Fly itself told of. */
  readonly last: Change
  readonly toldTo: Instant
  readonly updatedAt: Instant
  readonly size?: SizeChange | undefined
}

export interface KnownVolume {
  readonly kind: 'volume'
  readonly id: string
  readonly uid: string
  readonly region: string
  readonly firstAt: Instant
  readonly last: VolumeChange
}

export type Known = KnownMachine | KnownVolume

/** New entries about one thing, and what is known with them. */
export type News =
  | { readonly known: KnownMachine; readonly changes: readonly Change[]; readonly size?: SizeChange | undefined }
  | { readonly known: KnownVolume; readonly changes: readonly VolumeChange[] }

export type SeenMachine = Pick<
  ObservedMachine,
  'id' | 'uid' | 'region' | 'createdAt' | 'updatedAt' | 'changes' | 'size'
> & {
  readonly state: StateChange['state']
}

/** After whatever Fly's events say of the same millisecond. */
const afterAll = 99

export function hasEnded(known: Known): boolean {
  return known.kind === 'volume' ? known.last.sizeGb === 0 : known.last.state === 'destroyed'
}

function ranked(changes: readonly StateChange[]): Change[] {
  let rank = 0
  return changes.map(({ at, state }, index) => {
    rank = changes[index - 1]?.at === at ? rank + 1 : 0
    return { at, rank, state }
  })
}

/** A machine's first event comes about when it is created. */
const birthMs = 2_000

/** Whether Fly's list begins after the last change that we know, so that some in between may be missing. */
export function hasGap(known: KnownMachine | undefined, { changes = [], createdAt }: SeenMachine): boolean {
  const oldest = changes[0]
  if (oldest === undefined) return false
  if (known === undefined) return oldest.state !== 'created' || oldest.at > createdAt + birthMs
  return oldest.at > known.toldTo
}

/** The state on show, where the events do not account for it: some changes have no event, and a list may lie. */
function unexplained(
  known: KnownMachine | undefined,
  machine: SeenMachine,
  told: readonly Change[],
  now: Instant,
): Change[] {
  const { state, updatedAt } = machine
  const newest = told.at(-1)
  if (state === 'unknown' || updatedAt < (known?.updatedAt ?? 0)) return []
  const current = newest !== undefined && newest.at >= (known?.last.at ?? 0) ? newest : (known?.last ?? newest)
  const isBack = known !== undefined && hasEnded(known) && state !== 'destroyed' && current === known.last
  // Events as new as the machine's last change account for its state, whatever a list says.
  if (!isBack && newest !== undefined && newest.at >= updatedAt) return []
  if (current?.state === state) return []
  if (current === undefined || (!isBack && updatedAt > current.at)) return [{ at: updatedAt, rank: afterAll, state }]
  return [{ at: now, rank: afterAll, state, look: true }]
}

function newSize(
  known: KnownMachine | undefined,
  { size, createdAt, updatedAt, changes = [] }: SeenMachine,
): SizeChange | undefined {
  if (size === undefined) return undefined
  const before = known?.size
  if (before === undefined) return { at: createdAt, ...size }
  if (before.cpuKind === size.cpuKind && before.cpus === size.cpus && before.memoryMb === size.memoryMb)
    return undefined
  const updated = changes.findLast(({ state }) => state === 'replacing' || state === 'updating' || state === 'created')
  return { at: Math.max(before.at, updated?.at ?? updatedAt), ...size }
}

/** What a look at a machine adds; undefined where nothing can be said yet. `now` is the time of the look. */
export function machineNews(known: KnownMachine | undefined, machine: SeenMachine, now: Instant): News | undefined {
  const { id, uid, region, createdAt, updatedAt } = machine
  const told = ranked(machine.changes ?? [])
  const fresh = told.filter(({ at }) => at >= (known?.toldTo ?? 0))
  const changes = [...fresh, ...unexplained(known, machine, told, now)]
  const last = [...(known === undefined ? [] : [known.last]), ...changes].reduce<Change | undefined>(
    (newest, change) =>
      newest === undefined || change.at > newest.at || (change.at === newest.at && change.rank >= newest.rank)
        ? change
        : newest,
    undefined,
  )
  if (last === undefined) return undefined
  const size = newSize(known, machine)
  const firstAt = known?.firstAt ?? Math.min(createdAt || last.at, ...changes.map(({ at }) => at))
  const toldTo = Math.max(known?.toldTo ?? 0, ...told.map(({ at }) => at))
  const newest = Math.max(known?.updatedAt ?? 0, updatedAt)
  const next = { kind: 'machine', id, uid, region, firstAt, last, toldTo, updatedAt: newest } as const
  return { known: { ...next, size: size ?? known?.size }, changes, size }
}

/** A machine that Fly does not know any more, of which it tells nothing: it ends with this look. */
export function machineGone(known: KnownMachine, now: Instant): News {
  const end: Change = { at: Math.max(now, known.last.at), rank: afterAll, state: 'destroyed', look: true }
  return { known: { ...known, last: end }, changes: [end] }
}

/** What a look at a volume adds; undefined: nothing. Fly tells no time of an extension or an end, so the look's counts. */
export function volumeNews(
  known: KnownVolume | undefined,
  volume: Pick<ObservedVolume, 'id' | 'sizeGb' | 'region' | 'createdAt' | 'state'>,
  uid: string,
  now: Instant,
): News | undefined {
  const { id, region, createdAt } = volume
  const sizeGb = volume.state === 'leaving' ? 0 : volume.sizeGb
  if (known === undefined && sizeGb === 0) return undefined
  if (known?.last.sizeGb === sizeGb) return undefined
  const last = { at: known === undefined ? createdAt || now : now, sizeGb }
  return { known: { kind: 'volume', id, uid, region, firstAt: known?.firstAt ?? last.at, last }, changes: [last] }
}
