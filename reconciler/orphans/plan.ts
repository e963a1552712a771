// What to do next about one orphan: at most one change, then it is looked at again. Pure, in the manner of ../plan.ts.
import type { Instant } from '../../specs/clock.ts'
import { metadataKeys, parseName, type Naming } from '../../specs/names.ts'
import type { Exhausted } from '../guards/budget.ts'
import type { FleetView } from '../guards/view.ts'
import { isTransient, type ObservedMachine, type ObservedSnapshot, type ObservedVolume } from '../observed.ts'
import type { OrphanRecord, OrphanSettings, OrphanState, Suspect } from './orphan.ts'
import type { Guard } from './suspects.ts'

export type OrphanStep =
  | {
      readonly kind: 'labelMachine'
      readonly id: string
      readonly version: string
      readonly metadata: Readonly<Record<string, string>>
    }
  | { readonly kind: 'stopMachine'; readonly id: string }
  | { readonly kind: 'destroyMachine'; readonly id: string }
  | { readonly kind: 'snapshotVolume'; readonly id: string }
  /** Only ever after a person's release. */
  | { readonly kind: 'destroyVolume'; readonly id: string }

export const orphanStepWords: Readonly<Record<OrphanStep['kind'], string>> = {
  labelMachine: 'labelling the machine as quarantined',
  stopMachine: 'stopping the machine',
  destroyMachine: 'destroying the machine',
  snapshotVolume: 'taking a snapshot of the volume',
  destroyVolume: 'destroying the volume',
}

export type OrphanDecision =
  | { readonly kind: 'act'; readonly step: OrphanStep }
  /** Nothing happens before `until`, or, where there is none, before a reading or a person says something else. */
  | {
      readonly kind: 'rest'
      readonly state: OrphanState
      readonly reason: string
      readonly message: string
      readonly until: Instant | undefined
    }

export interface OrphanInput {
  readonly record: OrphanRecord
  readonly suspect: Suspect
  /** Of a volume, newest first; undefined where they were not asked for. */
  readonly snapshots: readonly ObservedSnapshot[] | undefined
  /** Tenants and tombstones whose record names the volume. */
  readonly claims: readonly string[]
  readonly fleet: FleetView
  readonly guard: Guard | undefined
  /** Why the destructive budget has no room for its end now. */
  readonly spent: Exhausted | undefined
  readonly naming: Naming
  readonly settings: OrphanSettings & { readonly listLagMs: number }
  readonly now: Instant
}

/** A snapshot that has not appeared after so long is asked for again. */
const snapshotMs = 3_600_000
/** Fly's clock and ours need not agree to the minute. */
const skewMs = 300_000

function rest(
  { record: { state } }: OrphanInput,
  reason: string,
  message: string,
  until: Instant | undefined,
): OrphanDecision {
  return { kind: 'rest', state, reason, message, until }
}

function causeWords({ suspect, record }: OrphanInput): string {
  switch (suspect.cause) {
    case 'noTenant':
      return `no tenant has the uid ${record.uid}`
    case 'leftover':
      return `the tenant with the uid ${record.uid} was purged`
    case 'duplicate':
      return `the tenant with the uid ${record.uid} has another volume`
    case 'unidentified':
      return 'its name and its metadata do not agree on whose it is'
  }
}

/** What keeps hands off, whoever is asked about. */
function heldBack(input: OrphanInput): OrphanDecision | undefined {
  const { fleet, guard, record, suspect, settings, now } = input
  if (suspect.cause === 'unidentified')
    return rest(input, 'Unidentified', `It has our stamp, but ${causeWords(input)}: it is not touched.`, undefined)
  if (fleet.mode === 'observe-only')
    return rest(input, 'ObserveOnly', `The fleet is only observed: ${causeWords(input)}.`, undefined)
  if (fleet.suspect !== undefined) return rest(input, 'ObservationSuspect', fleet.suspect.message, undefined)
  if (guard !== undefined) return rest(input, guard.reason, guard.message, undefined)
  const grown = suspect.found.createdAt + settings.ageFloorMs
  if (now < grown) return rest(input, 'TooYoung', `It is new, and so far ${causeWords(input)}.`, grown)
  const proved = record.firstSeen + settings.listLagMs
  if (now < proved) return rest(input, 'AwaitingProof', `So far ${causeWords(input)}; looking twice.`, proved)
  return undefined
}

function destroy(input: OrphanInput, kind: 'destroyMachine' | 'destroyVolume'): OrphanDecision {
  const { spent, record } = input
  if (spent !== undefined) return rest(input, 'BudgetSpent', spent.message, spent.until)
  return { kind: 'act', step: { kind, id: record.id } }
}

/** Labelled and at rest: nothing of it is lost, and it costs next to nothing. */
function quarantineMachine(input: OrphanInput, machine: ObservedMachine): OrphanDecision {
  const { id, version, state, metadata } = machine
  if (metadata[metadataKeys.quarantine] === undefined) {
    const label = { [metadataKeys.quarantine]: new Date(input.now).toISOString() }
    return { kind: 'act', step: { kind: 'labelMachine', id, version, metadata: label } }
  }
  if (state === 'started') return { kind: 'act', step: { kind: 'stopMachine', id } }
  if (isTransient(state)) return rest(input, 'MachineBusy', `It is ${state}; it is stopped after that.`, undefined)
  const message = `It is stopped and labelled, because ${causeWords(input)}. A person decides: release destroys it, keep leaves it.`
  return { kind: 'rest', state: 'quarantined', reason: 'Quarantined', message, until: undefined }
}

function planMachine(input: OrphanInput, machine: ObservedMachine): OrphanDecision {
  if (!machine.hostOk) return rest(input, 'HostUnreachable', 'Fly cannot reach its host now.', undefined)
  const doomed = input.record.state === 'released' || input.suspect.cause === 'leftover'
  return doomed ? destroy(input, 'destroyMachine') : quarantineMachine(input, machine)
}

function snapshotOf({ record, snapshots = [] }: OrphanInput): ObservedSnapshot | undefined {
  const { snapshotAt = Infinity } = record
  return snapshots.find(({ complete, createdAt }) => complete && createdAt >= snapshotAt - skewMs)
}

/** Undefined once there is a complete snapshot that was taken for this. */
function takeSnapshot(input: OrphanInput, { id, state }: ObservedVolume): OrphanDecision | undefined {
  const { record, now } = input
  if (snapshotOf(input) !== undefined) return undefined
  if (state !== 'ready') return rest(input, 'VolumeBusy', 'It is not ready for a snapshot yet.', undefined)
  const asked = record.snapshotAt ?? -Infinity
  return now - asked < snapshotMs
    ? rest(input, 'SnapshotPending', 'Its snapshot is not complete yet.', undefined)
    : { kind: 'act', step: { kind: 'snapshotVolume', id } }
}

function holdVolume(input: OrphanInput, since: Instant): OrphanDecision {
  const { settings, now } = input
  const held = now < since + settings.holdMs
  const kept = `It is kept, with a snapshot, because ${causeWords(input)}.`
  return {
    kind: 'rest',
    state: 'quarantined',
    reason: held ? 'Quarantined' : 'AwaitingDecision',
    message: `${kept} Only a person’s release destroys it; keep leaves it for good.`,
    until: held ? since + settings.holdMs : undefined,
  }
}

/** Everything else that must hold before data is destroyed, in the words of the first that does not. */
function releaseFault({ claims, record, naming }: OrphanInput, { name, attachedMachine }: ObservedVolume) {
  if (claims.length > 0) return `It is on record as the volume of ${claims.join(', ')}.`
  if (parseName(naming, name)?.uid !== record.uid) return `Its name ${name} is not that of ${record.uid} any more.`
  return attachedMachine === undefined ? undefined : `Machine ${attachedMachine} has it attached.`
}

function releaseVolume(input: OrphanInput, volume: ObservedVolume): OrphanDecision {
  const fault = releaseFault(input, volume)
  if (fault !== undefined)
    return rest(input, 'ReleaseRefused', `${fault} It is released, but not destroyed.`, undefined)
  // The first snapshot may have outlived its retention on Fly by now.
  const snapshot = takeSnapshot(input, volume)
  if (snapshot !== undefined) return snapshot
  return destroy(input, 'destroyVolume')
}

function planVolume(input: OrphanInput, volume: ObservedVolume): OrphanDecision {
  const { record } = input
  if (volume.state === 'leaving')
    return record.destroyAt === undefined
      ? rest(
          input,
          'Leaving',
          'Somebody else is destroying it on Fly; for a day Fly can still bring it back.',
          undefined,
        )
      : {
          kind: 'rest',
          state: 'gone',
          reason: 'Destroyed',
          message: 'It was released and is destroyed.',
          until: undefined,
        }
  if (record.state === 'released') return releaseVolume(input, volume)
  return record.state === 'quarantined'
    ? holdVolume(input, record.quarantinedAt ?? record.lastSeen)
    : (takeSnapshot(input, volume) ?? holdVolume(input, input.now))
}

/** A call that failed is not repeated before its time. */
function paced(decision: OrphanDecision, input: OrphanInput): OrphanDecision {
  const { attempts, nextAt, reason, message } = input.record
  if (decision.kind !== 'act' || attempts === 0) return decision
  if (nextAt !== undefined && input.now >= nextAt) return decision
  return rest(input, reason, message, nextAt)
}

/** What to do about an orphan that the last reading showed. */
export function planOrphan(input: OrphanInput): OrphanDecision {
  const { record, suspect } = input
  if (record.state === 'kept') return rest(input, 'Kept', 'A person decided that it stays.', undefined)
  const back = heldBack(input)
  if (back !== undefined) return back
  const decision = suspect.kind === 'machine' ? planMachine(input, suspect.found) : planVolume(input, suspect.found)
  return paced(decision, input)
}
