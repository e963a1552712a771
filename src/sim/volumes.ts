// Volumes: list, create (also from a snapshot or as a fork), get, update, extend, delete.
import * as z from 'zod'
import { type Answer, type Call, appOf, bodyOf, flag, ok } from './call.ts'
import { invalid, notFound, precondition, unprocessable } from './errors.ts'
import { volumeId } from './ids.ts'
import { viewOf } from './lists.ts'
import { isRegion, nearest } from './regions.ts'
import type { AppRecord, VolumeRecord } from './state.ts'
import { attachedTo, fill, snapshotExpired, softDeleteMs, volumeState } from './volume-life.ts'
import { volumeWire } from './volume-wire.ts'
import { type World, bytesOf, sleep, snapshotFolder, volumeFolder } from './world.ts'

const usualGb = 3
const mostGb = 500
// Zones are hardware; how many a region has is not known. With `require_unique_zone` they can run out.
const zonesPerRegion = 24

const creation = z.looseObject({
  name: z.string(),
  region: z.string().optional(),
  size_gb: z.int().min(1).max(mostGb).nullish(),
  encrypted: z.boolean().default(true),
  fstype: z.enum(['ext4', 'raw']).default('ext4'),
  require_unique_zone: z.boolean().default(true),
  snapshot_id: z.string().nullish(),
  source_volume_id: z.string().nullish(),
  snapshot_retention: z.int().min(1).max(60).nullish(),
  auto_backup_enabled: z.boolean().nullish(),
})
const change = z.looseObject({
  snapshot_retention: z.int().min(1).max(60).optional(),
  auto_backup_enabled: z.boolean().optional(),
})
const extension = z.looseObject({ size_gb: z.int().min(1).max(mostGb) })

/** The volume in the path; one that is gone for good is not found. */
export function volumeOf(world: World, call: Call): VolumeRecord {
  const app = appOf(world, call)
  const volume = world.store.get('volume', call.params['volume'] ?? '')
  if (volume?.app !== app.id || volumeState(volume, world.clock.now()) === 'destroyed') throw notFound('volume')
  return volume
}

/** GET the app's volumes; soft-deleted ones are among them, as on Fly. */
export async function listVolumes(world: World, call: Call): Promise<Answer> {
  const app = appOf(world, call)
  const view = viewOf(world, call)
  const now = world.clock.now()
  const shown = world.store
    .all('volume')
    .filter((volume) => volume.app === app.id && volumeState(volume, now) !== 'destroyed' && view.knows(volume))
    // A list that lags shows a deleted volume as it was: measured by others, who saw `created` for a moment.
    .map((volume) =>
      volume.deletedAt !== undefined && view.lingers(volume, volume.deletedAt)
        ? { ...volume, deletedAt: undefined, goneAt: undefined }
        : volume,
    )
    .sort((one, other) => one.createdAt - other.createdAt)
  const summary = flag(call, 'summary')
  return ok(await Promise.all(shown.map((volume) => volumeWire(world, volume, { summary }))))
}

/** Where a restored or forked volume takes its contents from, and the least size it then has. */
function sourceOf(world: World, app: AppRecord, body: z.infer<typeof creation>): { folder?: string; leastGb: number } {
  const now = world.clock.now()
  if (body.snapshot_id !== undefined && body.snapshot_id !== null && body.snapshot_id !== '') {
    const snapshot = world.store.get('snapshot', body.snapshot_id)
    if (snapshot?.app !== app.id || snapshotExpired(snapshot, now)) throw notFound('snapshot')
    if (!snapshot.copied || snapshot.readyAt > now) throw precondition('snapshot is not ready')
    return { folder: snapshotFolder(world, snapshot.id), leastGb: snapshot.volumeSize }
  }
  if (body.source_volume_id !== undefined && body.source_volume_id !== null && body.source_volume_id !== '') {
    const volume = world.store.get('volume', body.source_volume_id)
    if (volume?.app !== app.id || volume.deletedAt !== undefined) throw notFound('source volume')
    return { folder: volumeFolder(world, volume.id), leastGb: volume.sizeGb }
  }
  return { leastGb: 1 }
}

/** A zone of the region; another one than those of the volumes with the same name, when that is asked for. */
function zoneFor(world: World, app: AppRecord, body: z.infer<typeof creation>, region: string): string {
  const zones = Array.from({ length: zonesPerRegion }, (_none, at) => `${region}-${(0x10 + at * 7).toString(16)}`)
  const used = new Set(
    world.store
      .all('volume')
      .filter(({ app: owner, name, deletedAt }) => owner === app.id && name === body.name && deletedAt === undefined)
      .map(({ zone }) => zone),
  )
  const free = body.require_unique_zone ? zones.filter((zone) => !used.has(zone)) : zones
  const zone = free[Math.floor(world.latency.random('zone') * free.length)]
  if (zone === undefined)
    throw unprocessable(
      `could not find a candidate host in ${region}: every zone has a volume named "${body.name}", and require_unique_zone is set`,
      'insufficient_capacity',
    )
  return zone
}

function checked(world: World, app: AppRecord, body: z.infer<typeof creation>): VolumeRecord {
  if (!/^[a-z0-9_]{1,30}$/.test(body.name))
    throw invalid(`name: "${body.name}" is not a name of at most 30 lower-case letters, digits and underscores`)
  const region = body.region ?? nearest
  if (!isRegion(region)) throw invalid(`region: unknown region "${region}"`)
  const source = sourceOf(world, app, body)
  const sizeGb = body.size_gb ?? Math.max(usualGb, source.leastGb)
  if (sizeGb < source.leastGb) throw invalid(`size_gb: must be at least ${source.leastGb}, the size of the source`)
  const now = world.clock.now()
  return {
    id: volumeId(bytesOf(world)),
    app: app.id,
    name: body.name,
    region,
    zone: zoneFor(world, app, body, region),
    sizeGb,
    encrypted: body.encrypted,
    fstype: body.fstype,
    snapshotRetention: body.snapshot_retention ?? 5,
    autoBackup: body.auto_backup_enabled ?? true,
    createdAt: now,
    updatedAt: now,
    readyAt: now + world.latency.draw(source.folder === undefined ? 'volumeCreate' : 'volumeCopy'),
    copyFrom: source.folder,
    attached: undefined,
    unbindAt: undefined,
    deletedAt: undefined,
    goneAt: undefined,
    mounted: source.folder !== undefined,
  }
}

/** POST a volume: it exists from the start of the call, and the answer comes when it is ready. */
export async function createVolume(world: World, call: Call): Promise<Answer> {
  const app = appOf(world, call)
  const volume = checked(world, app, bodyOf(call, creation))
  world.store.save({ kind: 'volume', record: volume })
  await fill(world, volume)
  await sleep(world, volume.readyAt - world.clock.now())
  return ok(await volumeWire(world, world.store.get('volume', volume.id) ?? volume))
}

/** GET one volume. */
export const getVolume = async (world: World, call: Call): Promise<Answer> =>
  ok(await volumeWire(world, volumeOf(world, call)))

/** PUT the settings that can change. */
export async function updateVolume(world: World, call: Call): Promise<Answer> {
  const volume = volumeOf(world, call)
  const body = bodyOf(call, change)
  const record: VolumeRecord = {
    ...volume,
    snapshotRetention: body.snapshot_retention ?? volume.snapshotRetention,
    autoBackup: body.auto_backup_enabled ?? volume.autoBackup,
    updatedAt: world.clock.now(),
  }
  world.store.save({ kind: 'volume', record })
  return ok(await volumeWire(world, record))
}

/** PUT extend: volumes only grow. The filesystem grows with it, so no restart is needed. */
export async function extendVolume(world: World, call: Call): Promise<Answer> {
  const volume = volumeOf(world, call)
  const { size_gb: sizeGb } = bodyOf(call, extension)
  if (sizeGb <= volume.sizeGb) throw invalid(`size_gb: must be more than ${volume.sizeGb}, volumes only grow`)
  if (volume.deletedAt !== undefined) throw precondition('volume is pending destroy')
  const record: VolumeRecord = { ...volume, sizeGb, updatedAt: world.clock.now() }
  world.store.save({ kind: 'volume', record })
  return ok({ volume: await volumeWire(world, record), needs_restart: false })
}

/** Marks a volume as deleted; it can be seen for 24 hours more. */
export const deleted = (volume: VolumeRecord, now: number): VolumeRecord => ({
  ...volume,
  attached: undefined,
  deletedAt: now,
  goneAt: now + softDeleteMs,
  updatedAt: now,
})

/** DELETE a volume that no machine holds, not even one that was destroyed a moment ago. */
export async function deleteVolume(world: World, call: Call): Promise<Answer> {
  const volume = volumeOf(world, call)
  const now = world.clock.now()
  const holder = attachedTo(volume, now)
  if (holder !== undefined) throw precondition(`volume is currently bound to machine: ${holder}`)
  const record = volume.deletedAt === undefined ? deleted(volume, now) : volume
  world.store.save({ kind: 'volume', record })
  return ok({ ...(await volumeWire(world, record)), state: 'destroyed' })
}
