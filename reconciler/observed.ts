// Observed: what the cloud said in this pass, in our words. Never assumed, never stored whole.
import type { Instant } from '../specs/clock.ts'

/** States that Fly leaves by itself. `unknown` is a word of Fly's that we do not know: nothing is done about it. */
const transientStates = [
  'creating',
  'created',
  'starting',
  'stopping',
  'suspending',
  'restarting',
  'updating',
  'replacing',
  'launch_failed',
  'destroying',
  'unknown',
] as const

const restingStates = ['started', 'stopped', 'suspended', 'failed'] as const

export type TransientState = (typeof transientStates)[number]

/** Fly's machine states (docs: machines/machine-states), without the terminal ones, which count as absent. */
export type MachineState = TransientState | (typeof restingStates)[number]

export function isTransient(state: MachineState): state is TransientState {
  return transientStates.some((transient) => transient === state)
}

/** Fly's word as ours. */
export function machineState(word: string): MachineState {
  return [...restingStates, ...transientStates].find((state) => state === word) ?? 'unknown'
}

/** The machine's size, as it was configured. */
export interface MachineSize {
  readonly cpuKind: string
  readonly cpus: number
  readonly memoryMb: number
}

/** How a machine's main process ended last, where nobody had asked it to. */
export interface ObservedExit {
  readonly code: number
  readonly at: Instant
}

/** A state that the machine came into, by Fly's own time. */
export interface StateChange {
  readonly at: Instant
  readonly state: MachineState | 'destroyed'
}

export interface ObservedMachine {
  readonly id: string
  readonly name: string
  readonly uid: string
  readonly incarnation: number
  readonly state: MachineState
  /** Fly's instance id: what an update is compared against. */
  readonly version: string
  readonly region: string
  /** The private address, an IP literal. */
  readonly address: string
  /** Ours, by key: whose machine it says it is, and which wish it was made from. */
  readonly metadata: Readonly<Record<string, string>>
  /** Of the live configuration itself (boot/machine.ts); '' where Fly does not show it. */
  readonly contentHash: string
  /** The volume at /data. */
  readonly mount: string | undefined
  readonly hostOk: boolean
  readonly createdAt: Instant
  /** Moves with each change of the machine, its own restarts too. */
  readonly updatedAt: Instant
  /** Undefined where Fly does not show it. */
  readonly size?: MachineSize | undefined
  readonly exit?: ObservedExit | undefined
  /** What Fly still tells of its past, oldest first; it forgets all of it when the machine is replaced. */
  readonly changes?: readonly StateChange[] | undefined
}

export type VolumeState = 'creating' | 'ready' | 'busy' | 'leaving' | 'unknown'

export interface ObservedVolume {
  readonly id: string
  readonly name: string
  /** `ready` can be mounted; `busy` passes by itself; `leaving` is on its way out or gone. */
  readonly state: VolumeState
  readonly sizeGb: number
  readonly region: string
  readonly attachedMachine: string | undefined
  readonly usedBytes: number
  readonly createdAt: Instant
}

export interface ObservedSnapshot {
  readonly id: string
  readonly complete: boolean
  readonly createdAt: Instant
  readonly sizeBytes: number
}

/** One reading of everything that is ours on Fly, for resync and orphan search. */
export interface FleetReading {
  readonly at: Instant
  /** Live machines with our environment's stamp. */
  readonly machines: readonly ObservedMachine[]
  /** Volumes whose name is one of ours, those on their way out too. */
  readonly volumes: readonly ObservedVolume[]
}

/** A machine with what its gateway was configured with. Customers' own secrets may be in it: never log it. */
export interface SurveyedMachine extends ObservedMachine {
  /** The JSON text; undefined where Fly does not show the machine's configuration now. */
  readonly gatewayConfig: string | undefined
  readonly image: string | undefined
}

/** A reading from which the tenants themselves can be rebuilt. */
export interface FleetSurvey extends FleetReading {
  readonly machines: readonly SurveyedMachine[]
}

export type CertificateState = 'absent' | 'pending' | 'issued'

/** What the probe met at the machine's private address. */
export type ObservedGuest =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unreachable'; readonly why: string }
  | { readonly kind: 'starting'; readonly boot: string }
  | { readonly kind: 'ready'; readonly boot: string }
  /** Somebody answered who could not prove to be this tenant's machine. */
  | { readonly kind: 'mismatch' }

export interface Observed {
  readonly app: 'absent' | 'present'
  /** The recorded volume, or, while a create is unresolved, every live volume of its exact name. */
  readonly volumes: readonly ObservedVolume[]
  /** The recorded machine and, where that is not alive, every live machine that carries the tenant's uid. */
  readonly machines: readonly ObservedMachine[]
  readonly certificates: Readonly<Record<string, CertificateState>>
  readonly guest: ObservedGuest
  /** Of the tenant's volume, newest first; read for a deletion or a restore only. */
  readonly snapshots?: readonly ObservedSnapshot[] | undefined
  /** Other tenants whose record names the same volume; read before a purge only. */
  readonly claims?: readonly string[] | undefined
}
