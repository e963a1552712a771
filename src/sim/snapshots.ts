// Snapshots of a volume: made on request (daily ones are not made), and kept until their retention is over.
import { type Answer, type Call, appOf, ok } from './call.ts'
import { notFound, precondition } from './errors.ts'
import { snapshotId } from './ids.ts'
import { time } from './machine-wire.ts'
import type { SnapshotRecord, VolumeRecord } from './state.ts'
import { snapshotExpired, take } from './volume-life.ts'
import { snapshotWire } from './volume-wire.ts'
import { volumeOf } from './volumes.ts'
import { type World, bytesOf } from './world.ts'

const ofVolume = (world: World, volume: VolumeRecord): SnapshotRecord[] =>
  world.store
    .all('snapshot')
    .filter((snapshot) => snapshot.volume === volume.id && !snapshotExpired(snapshot, world.clock.now()))
    .sort((one, other) => other.createdAt - one.createdAt)

/** GET, newest first. Snapshots outlive their volume, so a destroyed volume's are shown as well. */
export function listSnapshots(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const volume = world.store.get('volume', call.params['volume'] ?? '')
  if (volume?.app !== app.id) throw notFound('volume')
  return ok(ofVolume(world, volume).map((snapshot) => snapshotWire(snapshot, world.clock.now())))
}

/** POST: answered before the snapshot is done; a second one has to wait for the first. */
export async function createSnapshot(world: World, call: Call): Promise<Answer> {
  const volume = volumeOf(world, call)
  const now = world.clock.now()
  const pending = ofVolume(world, volume).find((snapshot) => !snapshot.copied || snapshot.readyAt > now)
  if (pending !== undefined) throw precondition(`snapshot is already scheduled at ${time(pending.createdAt)}`)
  if (volume.deletedAt !== undefined) throw precondition('volume is pending destroy')
  const snapshot: SnapshotRecord = {
    id: snapshotId(bytesOf(world)),
    app: volume.app,
    volume: volume.id,
    createdAt: now,
    readyAt: now + world.latency.draw('snapshot'),
    copied: false,
    size: 0,
    volumeSize: volume.sizeGb,
    retentionDays: volume.snapshotRetention,
    removed: false,
  }
  world.store.save({ kind: 'snapshot', record: snapshot })
  await take(world, snapshot)
  return { status: 200 }
}
