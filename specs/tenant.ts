// The tenant: what is wanted of it (spec, entitlement), and what the controller last knew (status).
// One schema is the source of the validation, the TypeScript types and the JSON Schema.
import { z } from 'zod'
import type { Instant } from './clock.ts'
import type { Condition } from './conditions.ts'
import * as field from './fields.ts'
import type { PoolTier } from './pool.ts'
import type { Route } from './route.ts'

export const tenantSpec = z.strictObject({
  state: z.enum(['running', 'suspended', 'deleted']).default('running'),
  class: field.dnsLabel.default('standard'),
  region: field.region.default('iad'),
  image: field.imageRef.optional(),
  guest: field.guest.optional(),
  volume: field.volume.optional(),
  /** Laid over the gateway configuration that Moorage writes; managed keys win. */
  config: z.record(z.string(), z.json()).optional(),
  domains: z
    .array(field.hostName)
    .max(20)
    .refine((hosts) => new Set(hosts).size === hosts.length, 'must not name a host twice')
    .default([]),
  idle: field.idle.optional(),
  /** When a change that restarts the machine is made: at the machine's next stop, or at once. */
  update: z.enum(['deferred', 'immediate']).default('deferred'),
  /** Moorage looks on and changes nothing. */
  paused: z.boolean().default(false),
})

export const tenantDocument = z.strictObject({
  kind: z.literal('Tenant'),
  name: field.dnsLabel,
  labels: field.labels.default({}),
  spec: tenantSpec,
})

/** Billing's own field: what the customer is entitled to. */
export const entitlement = z.strictObject({
  state: z.enum(['active', 'suspended', 'ended']),
  reason: z.string().max(200).optional(),
})

export type TenantSpec = z.infer<typeof tenantSpec>
export type TenantDocument = z.infer<typeof tenantDocument>
export type Entitlement = z.infer<typeof entitlement>

/** An admin's wish for a volume made from a snapshot, in place of the present one. */
export interface RestoreRequest {
  /** Undefined: the newest complete one of the present volume. */
  readonly snapshot?: string | undefined
  readonly requestedAt: Instant
}

/** An entitlement that the input brake holds back: it counts once an admin has approved it. */
export interface ParkedEntitlement {
  readonly entitlement: Entitlement
  readonly since: Instant
}

/** The machine as it was last seen; kept because the proxy and people need it between passes. */
export interface MachineRecord {
  readonly id: string
  readonly state: string
  readonly region: string
  readonly incarnation: number
  /** When it was first seen in this state. */
  readonly since?: Instant | undefined
}

/** The volume that holds the tenant's data. Once recorded it is never replaced by another (invariant I1). */
export interface VolumeRecord {
  readonly id: string
  readonly incarnation: number
  /** Fly's state as last seen, and since when. */
  readonly state?: string | undefined
  readonly since?: Instant | undefined
}

/** The snapshot that a deletion waits for before it takes the machine away. */
export interface SnapshotRecord {
  readonly volume: string
  readonly requestedAt: Instant
  /** The snapshots that there were before: Fly's clock need not agree with ours. */
  readonly known: readonly string[]
  /** Set once Fly says that it is complete. */
  readonly id?: string | undefined
  readonly sizeBytes?: number | undefined
}

/** A machine that is not as wanted, where mending it restarts it. */
export interface DriftRecord {
  /** Of the wanted machine: another wish starts another record. */
  readonly specHash: string
  readonly since: Instant
  /** How often it was updated to this wish lately, and when last. */
  readonly updates: number
  readonly updatedAt?: Instant | undefined
}

/** A machine that stops by itself: how often in a row, and when last. */
export interface CrashRecord {
  readonly count: number
  readonly at: Instant
  /** Of the wish that it stopped under. */
  readonly generation?: number | undefined
  /** How its main process ended last, where Fly tells. */
  readonly exitCode?: number | undefined
}

/** What the gateway last said when it was asked to make ready for its machine's sleep. */
export interface SleepRecord {
  readonly machine: string
  /** Whether it was to take nothing new (an owner's word), or only asked (the idle policy). */
  readonly drain: boolean
  /** When it was first asked, when it answered last, and how often in a row it did not. */
  readonly since: Instant
  readonly at: Instant
  readonly silent: number
  readonly answer: 'ready' | 'busy' | 'silent' | 'unsupported'
  /** Ready until then; else when it is asked again. */
  readonly until: Instant
  /** Set while the gateway takes nothing new: what it is to be opened again with. */
  readonly suspension?: string | undefined
  readonly why?: string | undefined
  /** When the next job is due that the tenant's user made. */
  readonly wakeAt?: Instant | undefined
}

/** Channels (Telegram and the like) that were live when the gateway was asked: asleep it would receive nothing. */
export interface ChannelsRecord {
  readonly at: Instant
  readonly names: readonly string[]
}

/** A create whose outcome may be unknown after a crash: written before the call, resolved before anything else. */
export interface Intent {
  readonly kind: 'createVolume' | 'createMachine'
  readonly name: string
  readonly incarnation: number
  readonly since: Instant
  /** When two complete lists first agreed that nothing of that name exists. */
  readonly absentSince?: Instant | undefined
}

/** The memory of a failing step: what went wrong, how often, and when to try again. */
export interface Retry {
  /** The kind of step that failed. */
  readonly step: string
  readonly attempts: number
  /** Undefined: only a person, or a changed spec, helps. */
  readonly notBefore: Instant | undefined
  /** The generation it failed for: a newer one is tried at once. */
  readonly generation: number
  readonly reason: string
  readonly message: string
}

/** The token for the LLM proxy. */
export interface LlmTokenRecord {
  /** Of the one in the machine's configuration, which each boot begins with. */
  readonly issuedAt?: Instant | undefined
  /** Of the one that the gateway got since, and the boot that has it. */
  readonly renewed?: { readonly boot: string; readonly at: Instant } | undefined
}

/** The pool that a member stands ready in. It has no owner and no name that a person could give. */
export interface PoolRef {
  readonly name: string
  readonly tier: PoolTier
  /** When it was given up without having been claimed. */
  readonly retiredAt?: Instant | undefined
}

/** A tenant that began as a member of a pool: when it was taken, from where, and with which image. */
export interface ClaimRecord {
  readonly at: Instant
  readonly pool: string
  readonly tier: PoolTier
  readonly image: string
}

/** The gateway that was told whose it is while it ran: which boot, and what of. */
export interface PersonalRecord {
  readonly boot: string
  readonly specHash: string
}

export interface TenantStatus {
  readonly observedGeneration: number
  readonly effective: string
  readonly conditions: readonly Condition[]
  readonly hosts: readonly string[]
  readonly route: Route
  readonly machine?: MachineRecord | undefined
  readonly volume?: VolumeRecord | undefined
  readonly intent?: Intent | undefined
  /** The last step that failed and is to be tried again. */
  readonly retry?: Retry | undefined
  /** Other steps that failed before and wait for their time too. */
  readonly alsoFailing?: readonly Retry[] | undefined
  /** Set while Fly cannot be asked about this tenant at all. */
  readonly outage?: Retry | undefined
  /** Of a managed tenant. */
  readonly llm?: LlmTokenRecord | undefined
  /** The boot whose root filesystem got its system packages. */
  readonly preparedBoot?: string | undefined
  readonly snapshot?: SnapshotRecord | undefined
  /** Since when it has been wanted running by its owners, and since when asleep by the idle policy. */
  readonly awakeSince?: Instant | undefined
  readonly asleepSince?: Instant | undefined
  /** Of the restore that was last carried out: its `requestedAt`. */
  readonly restoredAt?: Instant | undefined
  /** The request for a restart that has been met. */
  readonly restartedAt?: Instant | undefined
  /** Volumes that a restore has put aside: kept, and never mounted again. */
  readonly retired?: readonly VolumeRecord[] | undefined
  /** Hosts for which this tenant has a certificate of its own. */
  readonly certificates?: readonly string[] | undefined
  readonly drift?: DriftRecord | undefined
  readonly crash?: CrashRecord | undefined
  readonly sleep?: SleepRecord | undefined
  readonly channels?: ChannelsRecord | undefined
  /** When a machine of this tenant was last given up for another one. */
  readonly replacedAt?: Instant | undefined
  /** The last machines that were given up: never the tenant's again, destroyed again when they come back. */
  readonly fenced?: readonly string[] | undefined
  /** Set once teardown is done; the volume is retained from then on. */
  readonly retainedSince?: Instant | undefined
  /** Set before the volume is destroyed: from then on the deletion cannot be taken back. */
  readonly purgingSince?: Instant | undefined
  /** Of a pool member: since when it can be claimed, and what it runs. */
  readonly warm?: { readonly since: Instant; readonly image: string } | undefined
  /** When its road was first open. */
  readonly servedSince?: Instant | undefined
  /** Of a claimed tenant whose machine is still made as the pool made it. */
  readonly personal?: PersonalRecord | undefined
  /** The volume of a pool member whose machine said to the last that nobody had claimed it. */
  readonly unclaimedVolume?: string | undefined
}

export interface WishTrace {
  /** W3C Trace Context. */
  readonly parent: string
  readonly at: Instant
}

export interface Tenant {
  readonly kind: 'Tenant'
  readonly uid: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly spec: TenantSpec
  readonly entitlement: Entitlement
  /** When a person last asked to try again at once. */
  readonly retryRequestedAt?: Instant | undefined
  /** When a person last asked for a restart of the machine. */
  readonly restartRequestedAt?: Instant | undefined
  /** Whose word the entitlement is, where it is not billing's. */
  readonly entitledBy?: 'admin' | undefined
  /** When billing's last word became true, as its webhook said: an older one that comes late changes nothing. */
  readonly entitledAt?: Instant | undefined
  /** What billing asked for in a mass change, until an admin approves it. */
  readonly parked?: ParkedEntitlement | undefined
  readonly restore?: RestoreRequest | undefined
  /** Set while it is a member of a pool; a claim takes it away, and nothing gives it back. */
  readonly pool?: PoolRef | undefined
  readonly claim?: ClaimRecord | undefined
  /** Of the request that last changed what is wanted, where traces are kept. */
  readonly trace?: WishTrace | undefined
  readonly status: TenantStatus
  /** +1 whenever something that is wanted changes. */
  readonly generation: number
  /** +1 on every write; what compare-and-set compares. */
  readonly revision: number
  readonly createdAt: Instant
}
