// A restore: a new volume from a snapshot in place of the present one, and a new machine on it. The present volume is put
// aside and kept, the present machine is fenced, because its host may be away and come back. Pure.
import type { RestoreRequest, Tenant, TenantStatus, VolumeRecord } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import { unresolvedCreate } from './intent.ts'
import { isTransient, type ObservedSnapshot } from './observed.ts'
import { busy } from './stuck.ts'
import { act, poll, stall } from './verdicts.ts'
import { nextVolume, type World } from './world.ts'

/** Whether an admin's wish for a restore has not been carried out yet. */
export function restorePending({ restore, status }: Tenant): boolean {
  return restore !== undefined && status.restoredAt !== restore.requestedAt
}

function snapshotFor({ tenant, observed }: PlanInput): ObservedSnapshot | undefined {
  const complete = (observed.snapshots ?? []).filter((snapshot) => snapshot.complete)
  const wanted = tenant.restore?.snapshot
  return wanted === undefined ? complete[0] : complete.find(({ id }) => id === wanted)
}

function create(input: PlanInput, { volume: present }: World): Decision {
  const { tenant, wish } = input
  const snapshot = snapshotFor(input)
  if (snapshot === undefined)
    return stall(
      input,
      'SnapshotMissing',
      `There is no complete snapshot ${tenant.restore?.snapshot ?? ''} of volume ${tenant.status.volume?.id ?? ''} to restore from; name another one.`.replace(
        '  ',
        ' ',
      ),
    )
  const { name, incarnation } = nextVolume(input)
  const sizeGb = Math.max(wish.resolved?.volumeSizeGb ?? 1, present?.sizeGb ?? 1)
  const region = present?.region ?? wish.resolved?.region ?? tenant.spec.region
  return act({ kind: 'createVolume', name, incarnation, sizeGb, region, snapshot: snapshot.id })
}

/** Stops the machine where its host can be reached, then makes the new volume. Undefined: there is nothing to restore. */
export function planRestore(input: PlanInput, world: World): Decision | undefined {
  const { tenant } = input
  if (!restorePending(tenant) || tenant.status.volume === undefined) return undefined
  const { machine } = world
  // Nothing is stopped for a restore that cannot be.
  if (snapshotFor(input) === undefined && tenant.status.intent?.kind !== 'createVolume') return create(input, world)
  // The new volume was found: the status of this look takes it up, and the next look goes on from there.
  if (world.volume !== undefined && world.volume.name === tenant.status.intent?.name)
    return poll(input, 'Restoring', `The new volume ${world.volume.id} is there.`)
  if (machine?.hostOk === true) {
    const { id, state } = machine
    if (isTransient(state)) return busy(input, { ...machine, state })
    if (state === 'started') return act({ kind: 'stopMachine', id })
  }
  return unresolvedCreate(input, 'createVolume') ?? create(input, world)
}

/**
 * The status with this volume as the tenant's. Where it is a later incarnation than the one on record, the restore is
 * done: the old volume is put aside, and the old machine is the tenant's no more.
 */
export function withVolume(
  status: TenantStatus,
  volume: VolumeRecord | undefined,
  restore: RestoreRequest | undefined,
): TenantStatus {
  const { volume: before, machine, fenced = [], retired = [] } = status
  if (before === undefined || volume === undefined || volume.incarnation <= before.incarnation)
    return { ...status, volume }
  return {
    ...status,
    volume,
    retired: [...retired, { id: before.id, incarnation: before.incarnation }],
    restoredAt: restore?.requestedAt,
    machine: machine === undefined ? undefined : { ...machine, state: 'destroyed' },
    fenced: machine === undefined ? status.fenced : [...new Set([...fenced, machine.id])],
    route: status.route.kind === 'forward' ? { kind: 'closed', reason: 'provisioning' } : status.route,
  }
}
