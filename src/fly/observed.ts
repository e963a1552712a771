// From Fly's words to ours: what a machine or a volume on the wire means to the controller. Pure.
import { STATE_FOLDER } from '../../boot/config.ts'
import { contentHash } from '../../boot/machine.ts'
import { metadataKeys, parseName, type Naming } from '../../specs/names.ts'
import {
  machineState,
  type CertificateState,
  type MachineSize,
  type ObservedExit,
  type ObservedMachine,
  type ObservedSnapshot,
  type ObservedVolume,
  type StateChange,
  type SurveyedMachine,
  type VolumeState,
} from '../../reconciler/observed.ts'
import type { Certificate, Machine, MachineEvent, Snapshot, Volume } from './wire.ts'

/** Ended for good: as absent as one that never was. */
const endedStates = new Set(['destroyed', 'replaced', 'migrated'])

/** Fly's volume states (docs: volumes/volume-states). A hydrating volume can be mounted. */
const volumeStates: Readonly<Record<string, VolumeState>> = {
  created: 'ready',
  hydrating: 'ready',
  creating: 'creating',
  extending: 'busy',
  restoring: 'busy',
  recovering: 'busy',
  enabling_remote_export: 'busy',
  scheduling_destroy: 'leaving',
  waiting_for_detach: 'leaving',
  fork_cleanup: 'leaving',
  pending_destroy: 'leaving',
  destroying: 'leaving',
  destroyed: 'leaving',
}

/** Fly's time as ours; 0 where there is none. */
export function instant(text: string | undefined): number {
  const parsed = text === undefined ? NaN : Date.parse(text)
  return Number.isNaN(parsed) ? 0 : parsed
}

const ourKeys: readonly string[] = Object.values(metadataKeys)

function ourMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => ourKeys.includes(key)))
}

/** Of other events (cordon, checks) the status is not the machine's state. */
const telling = new Set(['launch', 'start', 'stop', 'suspend', 'restart', 'update', 'exit', 'destroy'])

/** The states that a machine's events tell of, oldest first; Fly lists the newest first. */
export function stateChanges(events: readonly MachineEvent[]): StateChange[] {
  return events.toReversed().flatMap(({ type, status = '', timestamp: at }) => {
    if (!telling.has(type)) return []
    const state = status === 'destroyed' ? status : machineState(status)
    return state === 'unknown' ? [] : [{ at, state }]
  })
}

/** The last exit, unless a stop was asked for, or the machine was started after it. */
export function lastExit(events: readonly MachineEvent[]): ObservedExit | undefined {
  const found = events.find(({ type }) => type === 'exit' || type === 'start' || type === 'launch')
  const { exit_event: exit = found?.request?.MonitorEvent?.exit_event } = found?.request ?? {}
  if (found?.type !== 'exit' || exit?.requested_stop === true) return undefined
  // Fly leaves out what is zero.
  const { exit_code: code = exit?.guest_exit_code ?? 0, oom_killed: oom = false } = exit ?? {}
  return { code: oom ? 137 : code, at: found.timestamp }
}

/** The size in a machine's configuration, as far as Fly shows it. */
export function sizeOf({ config, incomplete_config: partial }: Machine): MachineSize | undefined {
  const { cpu_kind: cpuKind, cpus, memory_mb: memoryMb } = (config ?? partial)?.guest ?? {}
  if (typeof cpuKind !== 'string' || typeof cpus !== 'number' || typeof memoryMb !== 'number') return undefined
  return { cpuKind, cpus, memoryMb }
}

/** The machine in our words; undefined when it has ended for good. */
export function observedMachine(machine: Machine, naming: Naming): ObservedMachine | undefined {
  if (endedStates.has(machine.state)) return undefined
  const metadata = (machine.config ?? machine.incomplete_config)?.metadata ?? {}
  const named = parseName(naming, machine.name)
  return {
    id: machine.id,
    name: machine.name,
    // A name cannot change; metadata can be taken away by hand.
    uid: metadata[metadataKeys.uid] ?? named?.uid ?? '',
    incarnation: Number(metadata[metadataKeys.incarnation] ?? named?.incarnation ?? 0),
    state: machineState(machine.state),
    version: machine.instance_id ?? '',
    region: machine.region,
    address: machine.private_ip ?? '',
    metadata: ourMetadata(metadata),
    contentHash: machine.config === undefined ? '' : contentHash(machine.config),
    mount: machine.config?.mounts?.find(({ path }) => path === STATE_FOLDER)?.volume ?? undefined,
    hostOk: (machine.host_status ?? 'ok') === 'ok',
    createdAt: instant(machine.created_at),
    updatedAt: instant(machine.updated_at),
    size: sizeOf(machine),
    exit: lastExit(machine.events ?? []),
    changes: stateChanges(machine.events ?? []),
  }
}

/** The same with the gateway configuration that the machine was given, and nothing else of its environment. */
export function surveyedMachine(machine: Machine, naming: Naming): SurveyedMachine | undefined {
  const observed = observedMachine(machine, naming)
  const encoded = machine.config?.env?.['OPENCLAW_CONFIG_B64']
  const gatewayConfig = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString()
  return observed === undefined ? undefined : { ...observed, gatewayConfig, image: machine.config?.image ?? undefined }
}

export function observedVolume(volume: Volume): ObservedVolume {
  const { blocks = 0, blocks_free: free = blocks, block_size: size = 0 } = volume
  return {
    id: volume.id,
    name: volume.name,
    state: volumeStates[volume.state] ?? 'unknown',
    sizeGb: volume.size_gb,
    region: volume.region,
    attachedMachine: volume.attached_machine_id === '' ? undefined : volume.attached_machine_id,
    usedBytes: volume.bytes_used ?? (blocks - free) * size,
    createdAt: instant(volume.created_at),
  }
}

/** Snapshots are `created` once they are complete (docs: volumes/snapshots). */
export function observedSnapshot({ id, status, size = 0, created_at: createdAt }: Snapshot): ObservedSnapshot {
  return { id, complete: status === 'created', createdAt: instant(createdAt), sizeBytes: size }
}

export function observedCertificate({ status, configured }: Certificate): CertificateState {
  return status === 'active' || (status === undefined && configured === true) ? 'issued' : 'pending'
}
