// The reconciler's ports: the only way out of the core. Adapters in src/ implement them. Types only.
import type { ClassSpec } from '../specs/class.ts'
import type { Clock, Instant } from '../specs/clock.ts'
import type { Fault } from '../specs/faults.ts'
import type { CertificatePolicy } from '../specs/names.ts'
import type { Tenant, TenantStatus } from '../specs/tenant.ts'
import type { Coming, Decision, PlanSettings } from './decision.ts'
import type { FleetView } from './guards/view.ts'
import type {
  CertificateState,
  FleetReading,
  FleetSurvey,
  ObservedGuest,
  ObservedMachine,
  ObservedSnapshot,
  ObservedVolume,
} from './observed.ts'
import type { Spans } from './spans.ts'
import type { Step } from './step.ts'

/**
 * The cloud. Every call throws a Fault when it fails. Reads answer undefined for what does not exist (any more);
 * deletes succeed when there is nothing left to delete.
 */
export interface Cloud {
  appExists(): Promise<boolean>
  createApp(): Promise<void>
  machine(id: string): Promise<ObservedMachine | undefined>
  /** Every live machine that carries the uid; the list is complete or the call fails. */
  machinesOf(uid: string): Promise<readonly ObservedMachine[]>
  /** `ageMs`: a volume that could be mounted so long ago, and that nobody here has changed since, need not be read again. */
  volume(id: string, ageMs?: number): Promise<ObservedVolume | undefined>
  /** Every live volume of exactly this name; the list is complete or the call fails. */
  volumesNamed(name: string): Promise<readonly ObservedVolume[]>
  certificate(host: string): Promise<CertificateState>
  createVolume(step: Extract<Step, { kind: 'createVolume' }>, guest: GuestHint): Promise<ObservedVolume>
  extendVolume(id: string, sizeGb: number): Promise<void>
  /** Newest first; a volume that Fly does not know has none. */
  snapshots(volume: string): Promise<readonly ObservedSnapshot[]>
  /** Answers before the snapshot is complete. */
  snapshotVolume(id: string): Promise<void>
  destroyVolume(id: string): Promise<void>
  /** A taken name is a Fault of kind nameTaken with the id that has it. */
  createMachine(step: Extract<Step, { kind: 'createMachine' }>, config: unknown): Promise<ObservedMachine>
  /** Lays our fields over the live configuration; fields of others stay. Without `launch` a resting machine rests on. */
  updateMachine(id: string, version: string, config: unknown, launch: boolean): Promise<ObservedMachine>
  /** Writes metadata in place; raced when the machine moved on. */
  stampMachine(id: string, version: string, metadata: Readonly<Record<string, string>>): Promise<void>
  startMachine(id: string): Promise<void>
  /** Resolves when the machine is in the state; false when it is not within seconds. */
  reached(coming: Coming, signal: AbortSignal): Promise<boolean>
  suspendMachine(id: string): Promise<void>
  stopMachine(id: string): Promise<void>
  destroyMachine(id: string): Promise<void>
  /** Runs a command in the machine and answers its exit code and the end of what it said. */
  exec(id: string, command: readonly string[]): Promise<{ readonly exitCode: number; readonly said: string }>
  requestCertificate(host: string): Promise<void>
  deleteCertificate(host: string): Promise<void>
  /** Everything of this environment in two lists, for the resync: complete, or the call fails. */
  fleet(): Promise<FleetReading>
  /** The same with each machine's gateway configuration, to rebuild a lost database from. */
  survey(): Promise<FleetSurvey>
}

/** The size of the machine that a new volume will carry, so that Fly puts it on a host with room. */
export interface GuestHint {
  readonly cpu_kind: string
  readonly cpus: number
  readonly memory_mb: number
}

export interface Probe {
  /** Asks the gateway at a machine's private address, after both have proved who they are. Never throws. */
  ask(machine: ObservedMachine): Promise<ObservedGuest>
}

/** What a gateway says when it is asked to make ready for its machine's sleep. */
export type SleepAnswer =
  /** It takes nothing new until `until`; then it opens again by itself. `wakeAt`: the user's own next job. */
  | {
      readonly kind: 'ready'
      readonly suspension: string
      readonly until: Instant
      readonly wakeAt: Instant | undefined
    }
  /** Something runs; with a `suspension` it takes nothing new meanwhile. */
  | {
      readonly kind: 'busy'
      readonly why: string
      readonly retryAfterMs: number
      readonly suspension?: string | undefined
    }
  /** These channels are live. */
  | { readonly kind: 'channels'; readonly names: readonly string[] }
  | { readonly kind: 'silent'; readonly why: string }
  /** It knows no such call, and is put to sleep as it is. */
  | { readonly kind: 'unsupported' }

/** The gateways' own part in a sleep. */
export interface Sleeper {
  /** Never throws. */
  prepare(uid: string, step: Extract<Step, { kind: 'prepareSleep' }>): Promise<SleepAnswer>
  /** Never throws: a gateway that says nothing opens by itself some time later. */
  end(uid: string, step: Extract<Step, { kind: 'endSleep' }>): Promise<'open' | 'silent'>
}

/** Derived secrets: the same answer in every process and after every restart. */
export interface Secrets {
  gatewayToken(uid: string): string
  bridgeKey(uid: string, incarnation: number): Uint8Array
  /** A JWT for the LLM proxy. */
  llmToken(uid: string): Promise<string>
}

export interface TenantStore {
  get(uid: string): Promise<Tenant | undefined>
  uids(): Promise<readonly string[]>
  /** Writes the status if nobody wrote the tenant since it was read; undefined when somebody did. */
  saveStatus(tenant: Tenant, status: TenantStatus): Promise<Tenant | undefined>
  /** Makes the document a tombstone if nobody wrote the tenant since it was read; false when somebody did. */
  purge(tenant: Tenant): Promise<boolean>
  /** The uids of other tenants, purged ones too, whose record names this volume. */
  claimsOf(volume: string, uid: string): Promise<readonly string[]>
  /** Tells of every write from now on. */
  watch(sink: TenantSink): Promise<{ close(): Promise<void> }>
}

/** When tenants were last used. */
export interface ActivityStore {
  lastUsedAt(uid: string): Promise<Instant | undefined>
  /** Whether nobody has used the tenant after `at`; a use that comes later finds it asleep. */
  sleep(uid: string, at: Instant, now: Instant): Promise<boolean>
}

export interface TenantSink {
  changed(tenant: Tenant): void
  removed(uid: string): void
  /** Writes may have been missed: read everything again. */
  missed(): void
}

/** What happened, for people who look on: one entry per decided or finished step. */
export interface JournalEntry {
  readonly at: Instant
  readonly uid: string
  readonly tenant: string
  readonly kind: 'step' | 'done' | 'failed' | 'wait' | 'settled' | 'stalled'
  readonly what: string
  /** Of a failure: the fault's reason. */
  readonly reason?: string
  readonly message: string
  /** How long the step took, in milliseconds. */
  readonly tookMs?: number
}

export interface Journal {
  note(entry: JournalEntry): void
  /** A defect in a pass: not a fault of the outside but ours. */
  defect(uid: string, error: unknown): void
}

export interface PlatformSettings extends PlanSettings, CertificatePolicy {
  readonly llmBaseUrl: string
  /** How tenants' pages are reached: `https`, or `http` on a laptop. */
  readonly publicScheme: 'http' | 'https'
  /** The port in the public origin, where it is not the scheme's own. */
  readonly publicPort: number | undefined
  readonly bootScript: string
  readonly bridgeSource: string
}

/** What holds the whole fleet back (guards/): the planner reads the view, and every step is admitted and accounted for. */
export interface Guards {
  /** What the planner may know of the fleet now. */
  view(): FleetView
  /** Why Fly is not to be asked about this tenant now; undefined when it may be, and that look is accounted for. */
  blockedRead(tenant: Tenant): Fault | undefined
  /** A step is about to be taken. Synchronous, right after the plan, so that two passes never take the same chance. */
  admit(tenant: Tenant, step: Step): void
  /** What was decided instead of a step: a tenant that waits for the fleet is woken when it need not any more. */
  waits(tenant: Tenant, decision: Decision): void
  /** Writes down a destructive step before its call, so that a crash cannot make it forgotten. */
  charge(tenant: Tenant, step: Step): Promise<void>
  /** How the step, or a look (`undefined`), ended: undefined is success. */
  ended(tenant: Tenant, step: Step | undefined, fault: Fault | undefined): void
  /** The pass is over: what it was admitted for and did not do is free again. */
  release(tenant: Tenant): void
}

export interface Ports {
  readonly cloud: Cloud
  readonly guards: Guards
  readonly store: TenantStore
  readonly activity: ActivityStore
  readonly probe: Probe
  readonly sleeper: Sleeper
  readonly secrets: Secrets
  readonly clock: Clock
  readonly journal: Journal
  /** Where traces are kept. */
  readonly spans?: Spans | undefined
  readonly settings: PlatformSettings
  /** The class of the tenant, with the image that a rollout gives this tenant now. */
  classOf(tenant: Tenant): ClassSpec | undefined
  /** Machines that the last list of the fleet showed for a tenant: a hint, read again by id before it counts. */
  readonly seen: (uid: string) => readonly string[]
  /** The term of the lease, where it is held for `spareMs` more. Undefined: not ours to act. */
  readonly term: (spareMs?: number) => number | undefined
}
