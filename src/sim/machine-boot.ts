// Starts a machine's inside: its folders, its environment, and the guest host behind them.
import { mkdir, rm } from 'node:fs/promises'
import type { GuestLaunch, GuestStart } from './guest-host.ts'
import type { MachineConfig } from './machine-config.ts'
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

const usualKillMs = 5_000
const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** A Go duration, or a number of nanoseconds, in milliseconds. */
function durationMs(value: string | number | undefined): number {
  if (typeof value === 'number') return value / 1e6
  const parts = [...(value ?? '').matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)]
  return parts.length === 0
    ? usualKillMs
    : parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ''] ?? 0), 0)
}

function launchOf({ init, files, mounts, stop_config: stop }: MachineConfig): GuestLaunch {
  return {
    command: init?.exec ?? [],
    files: (files ?? []).map((file) => ({
      path: file.guest_path,
      content: file.raw_value ?? '',
      mode: file.mode ?? 0o644,
    })),
    mountPath: mounts?.[0]?.path,
    signal: (stop?.signal ?? 'SIGINT') as NodeJS.Signals,
    killAfterMs: durationMs(stop?.timeout),
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
    launch: launchOf(machine.config),
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
