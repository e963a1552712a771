// Starts a machine's inside: its folders, its environment, and the guest host behind them.
import { mkdir, rm } from 'node:fs/promises'
import type { GuestStart } from './guest-host.ts'
import type { MachineRecord } from './state.ts'
import { type World, rootFolder, volumeFolder } from './world.ts'

type Parts = Pick<World, 'folder' | 'scale' | 'guests' | 'store' | 'log'>

const port = 18789

/** The variables that Fly sets in every machine, over those of the config. */
export function guestEnv(machine: MachineRecord): Record<string, string> {
  const { config } = machine
  return {
    ...config.env,
    FLY_APP_NAME: machine.app,
    FLY_MACHINE_ID: machine.id,
    FLY_ALLOC_ID: machine.id,
    FLY_MACHINE_VERSION: machine.instanceId,
    FLY_REGION: machine.region,
    PRIMARY_REGION: machine.region,
    FLY_IMAGE_REF: config.image,
    FLY_PRIVATE_IP: machine.privateIp,
    FLY_PROCESS_GROUP: config.metadata?.['fly_process_group'] ?? '',
    FLY_VM_MEMORY_MB: String(config.guest?.memory_mb ?? 0),
  }
}

async function coldBoot(world: Parts, machine: MachineRecord): Promise<void> {
  const root = rootFolder(world, machine.id)
  if (machine.freshRoot) await rm(root, { recursive: true, force: true })
  await mkdir(root, { recursive: true })
  const volume = machine.volume === undefined ? undefined : world.store.get('volume', machine.volume)
  if (volume !== undefined) {
    await mkdir(volumeFolder(world, volume.id), { recursive: true })
    if (!volume.mounted) world.store.save({ kind: 'volume', record: { ...volume, mounted: true } })
  }
  const guest: GuestStart = {
    machine: machine.id,
    address: machine.privateIp,
    port,
    env: guestEnv(machine),
    volumeFolder: volume === undefined ? undefined : volumeFolder(world, volume.id),
    rootFolder: root,
    scale: world.scale,
  }
  await world.guests.start(guest)
}

/** Resumes from memory where there is one, and starts anew where not; a lost memory does not cost the root filesystem. */
export async function boot(world: Parts, machine: MachineRecord): Promise<void> {
  if (machine.memory) {
    try {
      await world.guests.resume(machine.id)
      return
    } catch (error) {
      world.log(`Machine ${machine.id} could not be resumed and boots anew: ${String(error)}`)
      await world.guests.stop(machine.id)
    }
  }
  await coldBoot(world, machine)
}
