// The faults that happen once, at once: a crash of a guest, and a move to another host.
import { cp, mkdir, rm } from 'node:fs/promises'
import { nextAddress } from './addresses.ts'
import { volumeId } from './ids.ts'
import { died, failed, rebooted } from './machine-life.ts'
import type { FaultRecord, MachineRecord, VolumeRecord } from './state.ts'
import { deleted } from './volumes.ts'
import { type World, bytesOf, momentFor, volumeFolder } from './world.ts'

const weekMs = 7 * 24 * 3_600_000

const isMeant = (rule: FaultRecord, machine: MachineRecord): boolean =>
  (rule.app === undefined || rule.app === machine.app) &&
  (rule.machine === undefined || rule.machine === machine.id) &&
  (rule.region === undefined || rule.region === machine.region) &&
  (rule.nameContains === undefined || machine.name.includes(rule.nameContains)) &&
  (rule.state === undefined || rule.state === machine.state)

async function crash(world: World, id: string): Promise<boolean> {
  if (world.store.get('machine', id)?.state !== 'started') return false
  await world.guests.stop(id)
  const machine = world.store.get('machine', id)
  if (machine?.state === 'started') world.runner.go(died(machine, momentFor(world, machine)))
  return true
}

/** The host gives the machine up. What `failed` follows from on Fly is not documented; starts and destroys go on from it. */
async function fail(world: World, id: string): Promise<boolean> {
  const machine = world.store.get('machine', id)
  if (machine?.phase !== undefined || (machine?.state !== 'started' && machine?.state !== 'stopped')) return false
  await world.guests.stop(id)
  const present = world.store.get('machine', id) ?? machine
  world.runner.go(failed(present, momentFor(world, present)))
  return true
}

/** A memory snapshot is kept on best effort (docs: reference/suspend-resume): the next start is a cold one. */
async function forget(world: World, id: string): Promise<boolean> {
  const machine = world.store.get('machine', id)
  if (machine?.state !== 'suspended') return false
  await world.guests.stop(id)
  world.store.save({ kind: 'machine', record: { ...machine, memory: false } })
  return true
}

/** The volume's contents under a new id; the old one is kept in pending_destroy for a week, as after a migration. */
async function moveVolume(world: World, volume: VolumeRecord): Promise<VolumeRecord> {
  const now = world.clock.now()
  const id = volumeId(bytesOf(world))
  await mkdir(volumeFolder(world, volume.id), { recursive: true })
  await rm(volumeFolder(world, id), { recursive: true, force: true })
  await cp(volumeFolder(world, volume.id), volumeFolder(world, id), { recursive: true, verbatimSymlinks: true })
  world.store.save({ kind: 'volume', record: { ...deleted(volume, now), goneAt: now + weekMs } })
  return { ...volume, id, updatedAt: now }
}

/** Fly's migrations keep the machine's id and change its address and its volume's id. */
async function migrate(world: World, id: string): Promise<boolean> {
  const machine = world.store.get('machine', id)
  if (machine?.phase !== undefined || (machine?.state !== 'started' && machine?.state !== 'stopped')) return false
  await world.guests.stop(id)
  const volume = machine.volume === undefined ? undefined : world.store.get('volume', machine.volume)
  const moved = volume && (await moveVolume(world, volume))
  const present = world.store.get('machine', id) ?? machine
  const mounts = present.config.mounts?.map((mount) => (moved === undefined ? mount : { ...mount, volume: moved.id }))
  const there: MachineRecord = {
    ...present,
    privateIp: nextAddress(world.store, bytesOf(world)),
    volume: moved?.id,
    config: { ...present.config, mounts },
    updatedAt: world.clock.now(),
  }
  world.runner.go(present.state === 'started' ? rebooted(there, momentFor(world, there)) : there, moved)
  return true
}

const deeds = { crash, fail, forget, migrate }
type AtOnce = keyof typeof deeds

/**
 * Carries out a rule of a kind that happens at once; the answer says how many machines it met. Each one's turn is in its
 * lane, so that nobody takes the missing guest for one that died by itself.
 */
export async function happen(world: World, rule: FaultRecord): Promise<number> {
  const deed = deeds[rule.kind as AtOnce]
  let met = 0
  for (const machine of world.store.all('machine')) {
    if (met === rule.count) break
    if (isMeant(rule, machine) && (await world.runner.lane(machine.id, () => deed(world, machine.id)))) met++
  }
  return met
}

/** Does this rule happen at once, and not when something matches it? */
export const isAtOnce = (rule: FaultRecord): boolean => rule.kind in deeds
