// Everything the simulator remembers, as records that are replaced and never changed in place.
import type { MachineConfig } from './machine-config.ts'

/** What a machine's `state` can read on the wire. */
export type MachineState =
  | 'creating'
  | 'created'
  | 'starting'
  | 'started'
  | 'stopping'
  | 'stopped'
  | 'suspending'
  | 'suspended'
  | 'restarting'
  | 'updating'
  | 'replacing'
  | 'launch_failed'
  | 'failed'
  | 'destroying'
  | 'destroyed'

/** What a machine is going through; written before it is done, so that a restart can finish it. */
export type PhaseKind =
  'create' | 'prepare' | 'start' | 'stop' | 'suspend' | 'restart' | 'update' | 'replace' | 'swap' | 'fail' | 'destroy'

export interface Phase {
  readonly kind: PhaseKind
  /** Tells this phase from one that replaced it meanwhile. */
  readonly op: string
  readonly until: number
  /** Does the machine run when the whole operation is over? */
  readonly launch: boolean
}

export interface EventRecord {
  readonly id: string
  readonly type: string
  readonly status: string
  readonly source: 'user' | 'flyd'
  readonly timestamp: number
  readonly request?: Readonly<Record<string, unknown>>
}

export interface Lease {
  readonly nonce: string
  /** Unix milliseconds. */
  readonly expiresAt: number
  readonly owner: string
  readonly description: string
}

export interface MachineRecord {
  readonly id: string
  readonly app: string
  readonly name: string
  readonly region: string
  readonly state: MachineState
  /** The last state that was not on its way to another. */
  readonly steady: MachineState
  readonly instanceId: string
  readonly privateIp: string
  readonly config: MachineConfig
  readonly createdAt: number
  readonly updatedAt: number
  /** Newest first. */
  readonly events: readonly EventRecord[]
  readonly versions: readonly { readonly version: string; readonly config: MachineConfig }[]
  readonly volume: string | undefined
  readonly cordoned: boolean
  readonly lease: Lease | undefined
  readonly phase: Phase | undefined
  /** Is there a memory snapshot to resume from? */
  readonly memory: boolean
  /** Does the next start begin with an empty root filesystem? */
  readonly freshRoot: boolean
  /** Restarts by the policy, one after another. */
  readonly restarts: readonly number[]
  /** Until then it reads stopped and still refuses a start. */
  readonly activeUntil: number
}

export interface VolumeRecord {
  readonly id: string
  readonly app: string
  readonly name: string
  readonly region: string
  readonly zone: string
  readonly sizeGb: number
  readonly encrypted: boolean
  readonly fstype: string
  readonly snapshotRetention: number
  readonly autoBackup: boolean
  readonly createdAt: number
  readonly updatedAt: number
  readonly readyAt: number
  /** The folder it starts from, until that is copied. */
  readonly copyFrom: string | undefined
  readonly attached: string | undefined
  /** When the bond to a destroyed machine falls away. */
  readonly unbindAt: number | undefined
  readonly deletedAt: number | undefined
  /** When a deleted volume is gone for good. */
  readonly goneAt: number | undefined
  readonly mounted: boolean
}

export interface SnapshotRecord {
  readonly id: string
  readonly app: string
  readonly volume: string
  readonly createdAt: number
  readonly readyAt: number
  readonly copied: boolean
  readonly size: number
  readonly volumeSize: number
  readonly retentionDays: number
  readonly removed: boolean
}

export interface CertificateRecord {
  readonly id: string
  readonly app: string
  readonly hostname: string
  readonly acme: boolean
  readonly custom: boolean
  readonly createdAt: number
  readonly updatedAt: number
  /** When validation is over. */
  readonly activeAt: number
  readonly issuedAt: number | undefined
  readonly rateLimitedUntil: number | undefined
  readonly deletedAt: number | undefined
}

export interface SecretRecord {
  readonly name: string
  readonly digest: string
  readonly createdAt: number
  readonly updatedAt: number
}

export interface IpRecord {
  readonly ip: string
  readonly region: string
  readonly createdAt: number
  readonly shared: boolean
  readonly serviceName: string
}

export interface AppRecord {
  /** Its name: names are one global namespace. */
  readonly id: string
  readonly appId: string
  readonly number: number
  readonly org: string
  readonly network: string
  readonly createdAt: number
  readonly idempotencyKey: string | undefined
  readonly secrets: readonly SecretRecord[]
  readonly secretsVersion: number
  readonly ips: readonly IpRecord[]
}

/** A rule that makes something go wrong; see faults.ts for the kinds. */
export interface FaultRecord {
  readonly id: string
  readonly kind: string
  readonly action?: string | undefined
  readonly app?: string | undefined
  readonly machine?: string | undefined
  readonly nameContains?: string | undefined
  readonly region?: string | undefined
  readonly state?: string | undefined
  readonly status?: number | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly text?: string | undefined
  readonly as?: string | undefined
  readonly count?: number | undefined
  readonly forMs?: number | undefined
  readonly probability?: number | undefined
  readonly ms?: number | undefined
  readonly factor?: number | undefined
  readonly fraction?: number | undefined
  readonly addedAt: number
  readonly expiresAt?: number | undefined
  readonly hits: number
}

/** The kinds of records and their types. */
export interface Kinds {
  machine: MachineRecord
  volume: VolumeRecord
  snapshot: SnapshotRecord
  certificate: CertificateRecord
  app: AppRecord
  fault: FaultRecord
}
