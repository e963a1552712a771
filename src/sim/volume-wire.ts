// Volumes as they look on the wire, with the blocks that their guest has written.
import { time } from './machine-wire.ts'
import type { SnapshotRecord, VolumeRecord } from './state.ts'
import { attachedTo, bytesUsed, volumeState } from './volume-life.ts'
import { type World, volumeFolder } from './world.ts'

const blockSize = 4096
const gigabyte = 1024 ** 3
const countAgainMs = 10_000

/** Counting files takes time, so a count serves for ten seconds. */
async function usedBy(world: World, volume: VolumeRecord): Promise<number> {
  if (!volume.mounted) return 0
  const now = world.clock.now()
  const before = world.usage.get(volume.id)
  if (before !== undefined && now - before.at < countAgainMs * world.scale) return before.bytes
  const bytes = await bytesUsed(volumeFolder(world, volume.id))
  world.usage.set(volume.id, { at: now, bytes })
  return bytes
}

/** Before its first mount a volume has no filesystem, and all figures are 0. */
function blocksOf(volume: VolumeRecord, bytes: number): Record<string, number> {
  const blocks = volume.mounted ? Math.floor((volume.sizeGb * gigabyte) / blockSize) : 0
  const used = Math.min(blocks, Math.ceil(bytes / blockSize))
  return {
    blocks,
    block_size: volume.mounted ? blockSize : 0,
    blocks_free: blocks - used,
    blocks_avail: blocks - used,
    bytes_used: used * blockSize,
    bytes_total: blocks * blockSize,
  }
}

/** A volume as on the wire. */
export async function volumeWire(
  world: World,
  volume: VolumeRecord,
  shape: { readonly summary?: boolean } = {},
): Promise<Record<string, unknown>> {
  const now = world.clock.now()
  const holder = attachedTo(volume, now) ?? null
  const known = holder === null ? undefined : world.store.get('machine', holder)
  const subject = { app: volume.app, machine: known?.id, names: [known?.name ?? ''], region: volume.region }
  const down = known !== undefined && world.faults.peek('hostDown', subject) !== undefined
  const itself = { app: volume.app, names: [volume.name], region: volume.region }
  const blocks = shape.summary === true ? {} : blocksOf(volume, await usedBy(world, volume))
  return {
    id: volume.id,
    name: volume.name,
    state: world.faults.peek('reads', itself)?.as ?? volumeState(volume, now),
    size_gb: volume.sizeGb,
    region: volume.region,
    zone: volume.zone,
    encrypted: volume.encrypted,
    attached_machine_id: holder,
    attached_alloc_id: null,
    created_at: time(volume.createdAt),
    fstype: volume.fstype,
    snapshot_retention: volume.snapshotRetention,
    auto_backup_enabled: volume.autoBackup,
    host_status: down ? 'unreachable' : 'ok',
    type: 'local',
    ...blocks,
  }
}

/** A snapshot as on the wire. */
export const snapshotWire = (snapshot: SnapshotRecord, now: number): Record<string, unknown> => ({
  id: snapshot.id,
  status: snapshot.copied && snapshot.readyAt <= now ? 'created' : 'pending',
  size: snapshot.size,
  volume_size: snapshot.volumeSize * gigabyte,
  digest: snapshot.id.toLowerCase(),
  created_at: time(snapshot.createdAt),
  retention_days: snapshot.retentionDays,
})
