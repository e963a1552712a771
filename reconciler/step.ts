// Step: the closed list of things that the controller can do to the outside. Each is exactly one change.

import type { Instant } from '../specs/clock.ts'

/** Why a machine goes: the tenant is deleted, another takes its place, it is an earlier one that came back, or nobody has claimed it. */
export type DestroyReason = 'deleted' | 'replaced' | 'stray' | 'retired'

export type Step =
  | { readonly kind: 'createApp' }
  | {
      readonly kind: 'createVolume'
      readonly name: string
      readonly incarnation: number
      readonly sizeGb: number
      readonly region: string
      /** What it begins with; undefined: nothing. */
      readonly snapshot?: string | undefined
    }
  | { readonly kind: 'extendVolume'; readonly id: string; readonly sizeGb: number }
  | { readonly kind: 'snapshotVolume'; readonly id: string }
  /** The one step that takes data away: only a purge plans it. */
  | { readonly kind: 'destroyVolume'; readonly id: string }
  | {
      readonly kind: 'createMachine'
      readonly name: string
      readonly incarnation: number
      readonly volume: string
      readonly region: string
    }
  | {
      readonly kind: 'updateMachine'
      readonly id: string
      readonly version: string
      readonly incarnation: number
      readonly volume: string
      /** Whether the machine is to run afterwards; a resting one is updated in its sleep. */
      readonly launch: boolean
    }
  /** Metadata alone: no restart, no new version. */
  | {
      readonly kind: 'stampMachine'
      readonly id: string
      readonly version: string
      readonly metadata: Readonly<Record<string, string>>
    }
  | { readonly kind: 'startMachine'; readonly id: string }
  /** `unusedSince`: only if nobody has used the tenant after that, which is looked at again in the last moment. */
  | { readonly kind: 'suspendMachine'; readonly id: string; readonly unusedSince?: Instant | undefined }
  | { readonly kind: 'stopMachine'; readonly id: string; readonly unusedSince?: Instant | undefined }
  | { readonly kind: 'destroyMachine'; readonly id: string; readonly region: string; readonly why: DestroyReason }
  | { readonly kind: 'prepareMachine'; readonly id: string; readonly boot: string }
  /** A new token for the LLM proxy, while the machine runs. */
  | { readonly kind: 'renewToken'; readonly id: string; readonly boot: string }
  /** Tells the running gateway of a claimed machine whose it is; `specHash`: the wish that it is told. */
  | { readonly kind: 'personalise'; readonly id: string; readonly boot: string; readonly specHash: string }
  /** Asks the gateway to finish what runs and to take nothing new. */
  | {
      readonly kind: 'prepareSleep'
      readonly id: string
      readonly address: string
      readonly incarnation: number
      /** An owner's word: it takes nothing new while it finishes. Else it is only ready when nothing runs anyway. */
      readonly drain: boolean
      /** Whether live channels keep it awake. */
      readonly channels: boolean
    }
  /** Lets the gateway take work again. */
  | {
      readonly kind: 'endSleep'
      readonly id: string
      readonly address: string
      readonly incarnation: number
      readonly suspension: string
    }
  | { readonly kind: 'requestCertificate'; readonly host: string }
  | { readonly kind: 'deleteCertificate'; readonly host: string }
  /** The tenant's document becomes a tombstone: ids for ever, nothing about the person. */
  | { readonly kind: 'forgetTenant' }

export type StepKind = Step['kind']

/** What cannot be taken back. */
const irreversible: ReadonlySet<StepKind> = new Set(['destroyMachine', 'destroyVolume', 'forgetTenant'])

/** How much of the lease must be left to begin a step: a call that destroys must end while the lease is still ours. */
export function spareMsFor({ kind }: Step): number {
  return irreversible.has(kind) ? 10_000 : 0
}

/** Each step as a person reads it: "creating the volume". */
export const stepWords: Readonly<Record<StepKind, string>> = {
  createApp: 'creating the Fly app',
  createVolume: 'creating the volume',
  extendVolume: 'extending the volume',
  snapshotVolume: 'taking a snapshot of the volume',
  destroyVolume: 'destroying the volume',
  createMachine: 'creating the machine',
  updateMachine: 'updating the machine',
  stampMachine: 'writing the machine’s metadata',
  startMachine: 'starting the machine',
  suspendMachine: 'suspending the machine',
  stopMachine: 'stopping the machine',
  destroyMachine: 'destroying the machine',
  prepareMachine: 'installing the browser packages',
  renewToken: 'renewing the token for the LLM proxy',
  personalise: 'telling the gateway whose it is',
  prepareSleep: 'asking the gateway to make ready for sleep',
  endSleep: 'letting the gateway take work again',
  requestCertificate: 'requesting the certificate',
  deleteCertificate: 'deleting the certificate',
  forgetTenant: 'purging the tenant',
}
