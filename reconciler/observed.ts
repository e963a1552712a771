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
  readonly specHash: string
  readonly hostOk: boolean
  readonly createdAt: Instant
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
}
