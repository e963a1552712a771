// What a volume is right now (its state and its bond follow from times that are written down), and its folder.
import { cp, lstat, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { SnapshotRecord, VolumeRecord } from './state.ts'
import { type World, snapshotFolder, volumeFolder } from './world.ts'

type Disk = Pick<World, 'folder' | 'store' | 'clock'>

/** A state a volume can read. */
export type VolumeState = 'creating' | 'restoring' | 'created' | 'pending_destroy' | 'destroyed'

const dayMs = 24 * 3_600_000

/** How long a deleted volume can still be seen: Fly keeps it 24 hours. Not scaled: it is there to be undone by people. */
export const softDeleteMs = dayMs

/** The state at a time. */
export function volumeState(volume: VolumeRecord, now: number): VolumeState {
  if (volume.goneAt !== undefined && volume.goneAt <= now) return 'destroyed'
  if (volume.deletedAt !== undefined) return 'pending_destroy'
  if (volume.copyFrom !== undefined) return 'restoring'
  return volume.readyAt > now ? 'creating' : 'created'
}

/** The machine that holds the volume, or did until a moment ago. */
export function attachedTo(volume: VolumeRecord, now: number): string | undefined {
  return volume.unbindAt !== undefined && volume.unbindAt <= now ? undefined : volume.attached
}

/** Copies a folder as a block device would hold it: no sockets or pipes, which live only while a guest runs. */
const copy = (source: string, target: string): Promise<void> =>
  cp(source, target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: async (path) => {
      const found = await lstat(path)
      return found.isFile() || found.isDirectory() || found.isSymbolicLink()
    },
  })

/** Copies a fork's or a restore's contents, unless that is done. */
export async function fill(world: Disk, volume: VolumeRecord): Promise<void> {
  if (volume.copyFrom === undefined) return
  const target = volumeFolder(world, volume.id)
  await rm(target, { recursive: true, force: true })
  await mkdir(volume.copyFrom, { recursive: true })
  await copy(volume.copyFrom, target)
  const present = world.store.get('volume', volume.id) ?? volume
  world.store.save({ kind: 'volume', record: { ...present, copyFrom: undefined } })
}

/** Copies a volume's contents into a snapshot, unless that is done. */
export async function take(world: Disk, snapshot: SnapshotRecord): Promise<void> {
  if (snapshot.copied) return
  const source = volumeFolder(world, snapshot.volume)
  await mkdir(source, { recursive: true })
  await rm(snapshotFolder(world, snapshot.id), { recursive: true, force: true })
  await copy(source, snapshotFolder(world, snapshot.id))
  const size = await bytesUsed(source)
  world.store.save({ kind: 'snapshot', record: { ...snapshot, copied: true, size } })
}

/** Is the snapshot past its retention? */
export const snapshotExpired = (snapshot: SnapshotRecord, now: number): boolean =>
  snapshot.removed || snapshot.createdAt + snapshot.retentionDays * dayMs <= now

/** Bytes in the files below a folder; 0 when there is none. A file that goes away meanwhile does not count. */
export async function bytesUsed(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(unlessGone([]))
  let total = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const found = await stat(join(entry.parentPath, entry.name)).catch(unlessGone({ size: 0 }))
    total += found.size
  }
  return total
}

const unlessGone =
  <Value>(value: Value) =>
  (error: unknown): Value => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value
    throw error
  }

/** Finishes the copies that a kill interrupted. */
export async function finishCopies(world: Disk): Promise<void> {
  const now = world.clock.now()
  for (const volume of world.store.all('volume')) if (volume.deletedAt === undefined) await fill(world, volume)
  for (const snapshot of world.store.all('snapshot')) if (!snapshotExpired(snapshot, now)) await take(world, snapshot)
}

/** Removes the folders of what is gone for good. */
export async function removeGone(world: Disk): Promise<void> {
  const now = world.clock.now()
  for (const volume of world.store.all('volume')) {
    if (volumeState(volume, now) === 'destroyed')
      await rm(volumeFolder(world, volume.id), { recursive: true, force: true })
  }
  for (const snapshot of world.store.all('snapshot')) {
    if (snapshot.removed || !snapshotExpired(snapshot, now)) continue
    await rm(snapshotFolder(world, snapshot.id), { recursive: true, force: true })
    world.store.save({ kind: 'snapshot', record: { ...snapshot, removed: true } })
  }
}
