// The end of a tenant's data: a snapshot before the machine goes, a volume that is retained, and a purge behind conditions
// that all have to hold. Pure.
import { parseName } from '../specs/names.ts'
import type { Instant } from '../specs/clock.ts'
import type { SnapshotRecord } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { ObservedVolume } from './observed.ts'
import { retryOf } from './retries.ts'
import { act, poll, settle, stall } from './verdicts.ts'
import { neverClaimed } from './warm.ts'
import type { World } from './world.ts'

/** A snapshot that never showed up is asked for again after this long. */
const lostMs = 600_000
/** After so many refusals the machine goes without it: the volume stays, and the snapshot is tried on. */
const mostRefusals = 5

/** The record after this look: filled in once a snapshot that was not there before is complete. */
export function snapshotAfter({ tenant, wish, observed }: PlanInput): SnapshotRecord | undefined {
  const { snapshot } = tenant.status
  if (wish.effective !== 'deleted' || snapshot === undefined || snapshot.id !== undefined)
    return wish.effective === 'deleted' ? snapshot : undefined
  const made = observed.snapshots?.find(({ id, complete }) => complete && !snapshot.known.includes(id))
  return made === undefined ? snapshot : { ...snapshot, id: made.id, sizeBytes: made.sizeBytes }
}

/** Takes the last snapshot, or waits for it; undefined when it is there, or when there is nothing to take one of. */
export function lastSnapshot(input: PlanInput, { volume }: World): Decision | undefined {
  const { now, settings } = input
  if (volume === undefined || volume.state === 'leaving' || neverClaimed(input)) return undefined
  const record = snapshotAfter(input)
  if (record?.id !== undefined) return undefined
  const take = act({ kind: 'snapshotVolume', id: volume.id })
  if (record === undefined) return take
  const pending = input.observed.snapshots?.some(({ id }) => !record.known.includes(id)) === true
  if (!pending && now - record.requestedAt > lostMs * settings.scale) return take
  // The note of a request is written before the call: a call that failed is made again.
  if (!pending && retryOf(input.tenant.status, 'snapshotVolume') !== undefined) return take
  return poll(
    input,
    'SnapshotPending',
    `The last snapshot of volume ${volume.id} is not complete yet; the machine is kept until it is.`,
    record.requestedAt,
  )
}

/** Whether the machine may go although there is no snapshot: Fly has refused it often enough. */
export function snapshotGivenUp({ tenant }: PlanInput): boolean {
  const retry = retryOf(tenant.status, 'snapshotVolume')
  return retry !== undefined && (retry.notBefore === undefined || retry.attempts >= mostRefusals)
}

/** When the retained volume may be purged. */
export function purgeAt({ tenant, now, settings }: PlanInput): Instant {
  return (tenant.status.retainedSince ?? now) + settings.retainMs
}

/** Why a volume of this name may not be this tenant's alone. */
function foreignTo({ tenant, observed, settings }: PlanInput, name: string): string[] {
  const parsed = parseName(settings.naming, name)
  const claims = observed.claims ?? []
  const own = parsed?.uid === tenant.uid && parsed.incarnation === tenant.status.volume?.incarnation
  return [
    ...(own ? [] : [`its name ${name} is not this tenant's`]),
    ...(claims.length === 0 ? [] : [`the record of ${claims.join(', ')} names it too`]),
  ]
}

/** Everything that has to hold before a volume is destroyed, as the sentences of what does not. */
function obstacles(input: PlanInput, volume: ObservedVolume): string[] {
  const { tenant, observed } = input
  const { snapshot } = tenant.status
  const kept = observed.snapshots?.some(({ id, complete }) => complete && id === snapshot?.id) === true
  return [
    ...foreignTo(input, volume.name),
    ...(volume.attachedMachine === undefined ? [] : [`it is attached to machine ${volume.attachedMachine}`]),
    ...(kept ? [] : ['its last snapshot cannot be found']),
  ]
}

/** The end of the retention: destroys the volume when nothing speaks against it, and then forgets the tenant. */
function purge(input: PlanInput, { volume }: World): Decision {
  if (volume === undefined || volume.state === 'leaving') return act({ kind: 'forgetTenant' })
  const against = obstacles(input, volume)
  if (against.length > 0)
    return stall(
      input,
      'PurgeBlocked',
      `Volume ${volume.id} is past its retention and is kept all the same: ${against.join('; ')}.`,
    )
  return act({ kind: 'destroyVolume', id: volume.id })
}

/** The only volume that is destroyed without retention: no tenant's data was ever on it. */
function dropUnclaimed(input: PlanInput, { volume }: World): Decision {
  if (volume === undefined || volume.state === 'leaving') return act({ kind: 'forgetTenant' })
  const { id, name, attachedMachine } = volume
  // Fly shows it bound for a while after its machine is gone.
  if (attachedMachine !== undefined)
    return poll(input, 'VolumeBusy', `Volume ${id} is still bound to machine ${attachedMachine}.`)
  const against = foreignTo(input, name)
  if (against.length === 0) return act({ kind: 'destroyVolume', id })
  return stall(
    input,
    'PurgeBlocked',
    `Volume ${id} stood ready in a pool and is kept all the same: ${against.join('; ')}.`,
  )
}

/** Nothing is left but the volume: it is retained, then purged. A tenant that never had one is forgotten at once. */
export function retain(input: PlanInput, world: World): Decision {
  const { volume, retainedSince } = input.tenant.status
  if (volume === undefined) return act({ kind: 'forgetTenant' })
  if (neverClaimed(input)) return dropUnclaimed(input, world)
  // The retention begins with a look that found everything done, so that it is on record before it counts.
  const at = purgeAt(input)
  return retainedSince !== undefined && input.now >= at ? purge(input, world) : settle(input, at)
}
