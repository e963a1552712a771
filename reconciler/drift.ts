// Drift: how a live machine differs from the wish, what mending it costs, and when that is done. Pure.
import type { Instant } from '../specs/clock.ts'
import { metadataKeys } from '../specs/names.ts'
import type { DriftRecord } from '../specs/tenant.ts'
import type { Decision, PlanInput, Wish } from './decision.ts'
import type { ObservedMachine, ObservedVolume } from './observed.ts'
import { act, stall } from './verdicts.ts'
import type { World } from './world.ts'

/**
 * `metadata` is mended in place; `restart` needs an update, which restarts a running machine; `personal` is a machine as a
 * pool made it, whose running gateway can be told the rest: the update is made in its next sleep.
 */
export type Drift = 'none' | 'metadata' | 'personal' | 'restart'

/** A machine that differs again after so many updates to one wish is left alone: somebody works against us. */
const mostUpdates = 3
/** Updates longer ago than this do not count. */
const forgottenMs = 3_600_000

/**
 * What the machine's metadata says it was made from is compared first, then what it really runs. A hash of another
 * version says nothing: then the content alone decides, so that a new controller never restarts the fleet. Fields that
 * are not ours count for nothing.
 */
export function driftOf({ metadata, contentHash }: ObservedMachine, wish: Wish): Drift {
  const sameVersion = metadata[metadataKeys.hashVersion] === wish.metadata[metadataKeys.hashVersion]
  const made = metadata[metadataKeys.specHash]
  const { unclaimed } = wish
  if (unclaimed !== undefined && made === unclaimed.specHash && contentHash === unclaimed.contentHash)
    // A gateway is told once: a later wish waits for the machine's next stop, as everybody's does.
    return (unclaimed.taken ?? wish.specHash) === wish.specHash ? 'personal' : 'restart'
  // Metadata that somebody took away is no reason to restart a machine whose content is as wanted.
  const otherWish = sameVersion && made !== undefined && made !== wish.specHash
  if (contentHash !== wish.contentHash || otherWish) return 'restart'
  const stale = Object.entries(wish.metadata).some(([key, value]) => metadata[key] !== value)
  return stale ? 'metadata' : 'none'
}

/** The record of a machine that needs an update; it begins anew with each wish. */
export function driftAfter({ tenant, wish, now }: PlanInput, { machine }: World): DriftRecord | undefined {
  const { drift } = tenant.status
  if (machine === undefined || !machine.hostOk || wish.resolved === undefined) return drift
  const known = drift?.specHash === wish.specHash ? drift : undefined
  const recent = known?.updatedAt !== undefined && now - known.updatedAt < forgottenMs ? known : undefined
  if (driftOf(machine, wish) !== 'restart') return recent
  return known ?? { specHash: wish.specHash, since: now, updates: 0 }
}

/** How often the machine was updated to the present wish lately; a person who asks to try again starts the count anew. */
function updatesOf({ tenant, wish }: PlanInput): number {
  const { drift } = tenant.status
  if (drift?.updatedAt === undefined || drift.specHash !== wish.specHash) return 0
  return (tenant.retryRequestedAt ?? 0) > drift.updatedAt ? 0 : drift.updates
}

/** Somebody may be using the machine: its road is open, or its gateway answers. */
function inUse({ tenant, observed }: PlanInput): boolean {
  return tenant.status.route.kind === 'forward' || observed.guest.kind === 'ready'
}

/** Made by a pool, and not made anew since. */
function isMember({ metadata, contentHash }: ObservedMachine, { unclaimed }: Wish): boolean {
  return unclaimed !== undefined && (metadata[metadataKeys.form] === 'pool' || contentHash === unclaimed.contentHash)
}

/** Whether the gateway that answers in a claimed machine has not been told whose it is: since its start, or at all. */
export function isAnonymous({ tenant, wish, observed }: PlanInput, machine: ObservedMachine): boolean {
  const { guest } = observed
  if (guest.kind !== 'ready' || !isMember(machine, wish)) return false
  return tenant.status.personal?.boot !== guest.boot
}

/** Until when an update of this machine waits for its next stop; undefined when it need not wait. */
export function deferredUntil(input: PlanInput, machine: ObservedMachine): Instant | undefined {
  const { tenant, now, settings } = input
  const { state } = machine
  // Nobody can be using what nobody has been given yet.
  if (isAnonymous(input, machine)) return undefined
  if (state !== 'started' || tenant.spec.update === 'immediate' || !inUse(input)) return undefined
  const until = (tenant.status.drift?.since ?? now) + settings.deferMs
  return now < until ? until : undefined
}

/** Brings the machine to the wish; `launch` says whether it is to run afterwards. */
export function update(input: PlanInput, machine: ObservedMachine, volume: ObservedVolume, launch: boolean): Decision {
  const { id, version, incarnation } = machine
  const updates = updatesOf(input)
  if (updates >= mostUpdates)
    return stall(
      input,
      'DriftPersists',
      `Machine ${id} was updated ${updates} times within an hour and differs again from what is wanted: somebody else is changing it. Find out who, then retry.`,
    )
  return act({ kind: 'updateMachine', id, version, incarnation, volume: volume.id, launch })
}

/** What a machine says it was made from: that changes with an update only. */
const madeFrom: readonly string[] = [metadataKeys.specHash, metadataKeys.hashVersion, metadataKeys.form]

/** Writes the metadata that should be there, also while an update of the rest is deferred. */
export function restamp({ wish }: PlanInput, machine: ObservedMachine): Decision | undefined {
  const { id, version, incarnation, metadata: live, hostOk } = machine
  const drift = driftOf(machine, wish)
  const outdated = drift === 'restart' || drift === 'personal'
  const wanted = Object.entries(wish.metadata).filter(([key]) => !outdated || !madeFrom.includes(key))
  if (!hostOk || wanted.every(([key, value]) => live[key] === value)) return undefined
  const metadata = { ...Object.fromEntries(wanted), [metadataKeys.incarnation]: String(incarnation) }
  return act({ kind: 'stampMachine', id, version, metadata })
}
