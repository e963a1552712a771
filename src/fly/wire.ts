// Fly's JSON exactly as sent and answered, in Fly's own words. Only the fields that we read are checked; unknown fields
// stay where they are, so that a configuration can be posted back whole.
import { z } from 'zod'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Fly writes `null` for some fields without a value and leaves others out; both become "left out". */
const withoutNulls = (value: unknown): unknown =>
  isRecord(value) ? Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null)) : value

const answer = <Shape extends z.ZodRawShape>(shape: Shape) => z.preprocess(withoutNulls, z.looseObject(shape))

/** The platform endpoints were seen answering `Regions` and `Region` where the specification writes lower case. */
const withSmallLetters = (value: unknown): unknown =>
  isRecord(value)
    ? Object.fromEntries(
        Object.entries(value).map(([key, field]) => [key.charAt(0).toLowerCase() + key.slice(1), field]),
      )
    : value

/** Go writes an empty list as `null`. */
const list = <Item extends z.ZodType>(item: Item) => z.preprocess((value) => value ?? [], z.array(item))

const strings = z.record(z.string(), z.string())

/** Nulls are kept here: what is read may be posted back, and only Fly knows what it means by them. */
export const machineConfig = z.looseObject({
  image: z.string().nullish(),
  env: strings.nullish(),
  metadata: strings.nullish(),
  guest: z
    .looseObject({ cpu_kind: z.string().nullish(), cpus: z.number().nullish(), memory_mb: z.number().nullish() })
    .nullish(),
  mounts: z.array(z.looseObject({ volume: z.string().nullish(), path: z.string().nullish() })).nullish(),
})

/** How a machine's main process ended. */
const exitEvent = answer({
  exit_code: z.number().optional(),
  guest_exit_code: z.number().optional(),
  guest_signal: z.number().optional(),
  signal: z.number().optional(),
  oom_killed: z.boolean().optional(),
  requested_stop: z.boolean().optional(),
  restarting: z.boolean().optional(),
  exited_at: z.string().optional(),
})

/** `timestamp` is in epoch milliseconds. */
export const machineEvent = answer({
  id: z.string().optional(),
  type: z.string(),
  status: z.string().optional(),
  source: z.string().optional(),
  timestamp: z.number(),
  request: answer({
    exit_event: exitEvent.optional(),
    MonitorEvent: answer({ exit_event: exitEvent.optional() }).optional(),
    restart_count: z.number().optional(),
  }).optional(),
})

export const machineCheck = answer({
  name: z.string(),
  status: z.string().optional(),
  output: z.string().optional(),
  updated_at: z.string().optional(),
})

export const machine = answer({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  region: z.string(),
  /** Which version of the machine this is: what an update is compared against. */
  instance_id: z.string().optional(),
  private_ip: z.string().optional(),
  /** May be absent where `host_status` is not `ok`. */
  config: machineConfig.optional(),
  /** A partial rebuild, for reading only: not good enough to post back (fly-go, machine_types.go). */
  incomplete_config: machineConfig.optional(),
  image_ref: answer({ digest: z.string().optional() }).optional(),
  host_status: z.string().optional(),
  created_at: z.string().optional(),
  updated_at: z.string().optional(),
  events: z.array(machineEvent).optional(),
  checks: z.array(machineCheck).optional(),
  /** Of the lease, when the create asked for one. */
  nonce: z.string().optional(),
})

export const machines = list(machine)
export const machineEvents = list(machineEvent)
export const metadata = strings.nullable().transform((map) => map ?? {})

/** fly-go reads `status: "error"` in a 200 as a failed start (flaps_machines.go). */
export const startResult = answer({
  previous_state: z.string().optional(),
  status: z.string().optional(),
  message: z.string().optional(),
})

export const waitResult = answer({
  ok: z.boolean().optional(),
  state: z.string().optional(),
  event_id: z.string().optional(),
  version: z.string().optional(),
})

/** A command that fails is a 200 as well; a missing exit code is 0 (fly-go leaves zero values out). */
export const execResult = answer({
  exit_code: z.number().default(0),
  exit_signal: z.number().optional(),
  stdout: z.string().default(''),
  stderr: z.string().default(''),
})

/** `expires_at` is in epoch SECONDS. */
const bareLease = answer({
  nonce: z.string(),
  expires_at: z.number(),
  owner: z.string().optional(),
  description: z.string().optional(),
  version: z.string().optional(),
})

/** The specification promises a bare lease, the wire carries it in an envelope; both are read. */
export const lease = z.preprocess(
  (value) => (isRecord(value) && isRecord(value['data']) ? value['data'] : value),
  bareLease,
)

export const volume = answer({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  size_gb: z.number(),
  region: z.string(),
  zone: z.string().optional(),
  encrypted: z.boolean().optional(),
  attached_machine_id: z.string().optional(),
  created_at: z.string().optional(),
  fstype: z.string().optional(),
  snapshot_retention: z.number().optional(),
  auto_backup_enabled: z.boolean().optional(),
  host_status: z.string().optional(),
  block_size: z.number().optional(),
  blocks: z.number().optional(),
  blocks_free: z.number().optional(),
  blocks_avail: z.number().optional(),
  bytes_total: z.number().optional(),
  bytes_used: z.number().optional(),
})

export const volumes = list(volume)
export const volumeExtension = answer({ volume, needs_restart: z.boolean().optional() })

export const snapshot = answer({
  id: z.string(),
  status: z.string().optional(),
  size: z.number().optional(),
  volume_size: z.number().optional(),
  digest: z.string().optional(),
  created_at: z.string().optional(),
  retention_days: z.number().optional(),
})

export const snapshots = list(snapshot)

export const app = answer({
  id: z.string().optional(),
  name: z.string(),
  status: z.string().optional(),
  network: z.string().optional(),
  machine_count: z.number().optional(),
  volume_count: z.number().optional(),
  organization: answer({ slug: z.string().optional(), name: z.string().optional() }).optional(),
})

export const appCreated = answer({ id: z.string().optional(), created_at: z.number().optional() })

const certificateFields = {
  hostname: z.string(),
  configured: z.boolean().optional(),
  acme_requested: z.boolean().optional(),
  status: z.string().optional(),
  dns_provider: z.string().optional(),
}

export const certificateSummary = answer({
  ...certificateFields,
  has_fly_certificate: z.boolean().optional(),
  has_custom_certificate: z.boolean().optional(),
})

export const certificatePage = answer({
  certificates: list(certificateSummary),
  next_cursor: z.string().optional(),
  total_count: z.number().optional(),
})

export const certificate = answer({
  ...certificateFields,
  rate_limited_until: z.string().optional(),
  certificates: z
    .array(
      answer({
        source: z.string().optional(),
        status: z.string().optional(),
        issuer: z.string().optional(),
        expires_at: z.string().optional(),
      }),
    )
    .optional(),
  dns_requirements: answer({
    a: z.array(z.string()).optional(),
    aaaa: z.array(z.string()).optional(),
    cname: z.string().optional(),
    acme_challenge: answer({ name: z.string().optional(), target: z.string().optional() }).optional(),
    ownership: answer({ name: z.string().optional(), app_value: z.string().optional() }).optional(),
  }).optional(),
  validation_errors: z
    .array(answer({ code: z.string().optional(), message: z.string().optional(), remediation: z.string().optional() }))
    .optional(),
})

const region = z.preprocess(
  withSmallLetters,
  answer({ code: z.string(), name: z.string().optional(), deprecated: z.boolean().optional() }),
)

export const regions = z.preprocess(withSmallLetters, answer({ regions: list(region), nearest: z.string().optional() }))

const placement = z.preprocess(
  withSmallLetters,
  answer({ region: z.string(), count: z.number().optional(), concurrency: z.number().optional() }),
)

export const placements = z.preprocess(withSmallLetters, answer({ regions: list(placement) }))

export type MachineConfig = z.infer<typeof machineConfig>
export type Machine = z.infer<typeof machine>
export type MachineEvent = z.infer<typeof machineEvent>
export type ExitEvent = z.infer<typeof exitEvent>
export type StartResult = z.infer<typeof startResult>
export type WaitResult = z.infer<typeof waitResult>
export type ExecResult = z.infer<typeof execResult>
export type Lease = z.infer<typeof lease>
export type Volume = z.infer<typeof volume>
export type VolumeExtension = z.infer<typeof volumeExtension>
export type Snapshot = z.infer<typeof snapshot>
export type App = z.infer<typeof app>
export type AppCreated = z.infer<typeof appCreated>
export type CertificateSummary = z.infer<typeof certificateSummary>
export type Certificate = z.infer<typeof certificate>
export type Region = z.infer<typeof region>
export type Placement = z.infer<typeof placement>

/** How the machine ended, if this event tells: it stands in one of two places (fly-go, machine_types.go). */
export function exitOf(event: MachineEvent): ExitEvent | undefined {
  return event.request?.exit_event ?? event.request?.MonitorEvent?.exit_event
}
