// What a machine's config may be: the sizes, names and fields that the API refuses, and the defaults it fills in.
import * as z from 'zod'
import { invalid } from './errors.ts'

const guest = z.looseObject({
  cpu_kind: z.string().default('shared'),
  cpus: z.int().default(1),
  memory_mb: z.int().default(256),
})

const mount = z.looseObject({
  volume: z.string().optional(),
  name: z.string().optional(),
  path: z.string().startsWith('/'),
})

const config = z.looseObject({
  image: z.string().min(1),
  guest: guest.optional(),
  size: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  init: z.looseObject({ swap_size_mb: z.int().optional(), exec: z.array(z.string()).optional() }).optional(),
  files: z
    .array(z.looseObject({ guest_path: z.string(), raw_value: z.string().optional(), mode: z.int().optional() }))
    .nullish(),
  stop_config: z
    .looseObject({ signal: z.string().optional(), timeout: z.union([z.string(), z.number()]).optional() })
    .optional(),
  mounts: z.array(mount).nullish(),
  restart: z
    .looseObject({
      policy: z.enum(['no', 'always', 'on-failure', 'spot-price']).default('on-failure'),
      max_retries: z.int().optional(),
    })
    .optional(),
  rootfs: z.looseObject({ persist: z.enum(['never', 'always', 'restart']).optional() }).optional(),
  schedule: z.enum(['hourly', 'daily', 'weekly', 'monthly']).optional(),
  auto_destroy: z.boolean().optional(),
  checks: z.record(z.string(), z.looseObject({})).optional(),
})

/** A config as the simulator keeps it: known fields are typed, all others travel through. */
export type MachineConfig = z.infer<typeof config>
/** CPU and memory of a machine, defaults filled in. */
export type Guest = z.infer<typeof guest>

const presets = /^(shared-cpu|performance)-(\d+)x$/
// fly-go's size table: CPUs per kind, and memory per CPU in megabytes.
const kinds: Readonly<Record<string, { cpus: readonly number[]; least: number; most: number } | undefined>> = {
  shared: { cpus: [1, 2, 4, 6, 8], least: 256, most: 2048 },
  performance: { cpus: [1, 2, 4, 8, 16], least: 2048, most: 8192 },
}

/** The part of the address where a value was wrong, such as `config.guest.memory_mb`. */
function describe(error: z.ZodError, root: string): string {
  const [issue] = error.issues
  return issue === undefined ? root : `${[root, ...issue.path].join('.')}: ${issue.message}`
}

/** Reads a body by its schema; the refusal names the field that is wrong. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, root: string): z.infer<Schema> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw invalid(describe(parsed.error, root))
  return parsed.data
}

function sizeOf(parsed: MachineConfig): Guest {
  if (parsed.guest !== undefined) return parsed.guest
  const [, kind, count] = presets.exec(parsed.size ?? 'shared-cpu-1x') ?? []
  if (kind === undefined) throw invalid(`config.size: unknown size "${parsed.size ?? ''}"`)
  const cpus = Number(count)
  return kind === 'performance'
    ? { cpu_kind: 'performance', cpus, memory_mb: 2048 * cpus }
    : { cpu_kind: 'shared', cpus, memory_mb: 256 * cpus }
}

/** Refuses CPU and memory that Fly does not sell. */
export function checkGuest(size: Guest): void {
  const kind = kinds[size.cpu_kind]
  if (kind === undefined) throw invalid(`config.guest.cpu_kind: unknown kind "${size.cpu_kind}"`)
  if (!kind.cpus.includes(size.cpus))
    throw invalid(`config.guest.cpus: ${size.cpu_kind} machines have ${kind.cpus.join(', ')} CPUs, not ${size.cpus}`)
  const least = kind.least * size.cpus
  const most = kind.most * size.cpus
  if (size.memory_mb < least || size.memory_mb > most || size.memory_mb % 256 !== 0)
    throw invalid(
      `config.guest.memory_mb: ${size.memory_mb} MB with ${size.cpus} ${size.cpu_kind} CPUs; must be a multiple of 256 from ${least} to ${most}`,
    )
}

/** Reads and checks a config, and fills in what Fly fills in. */
export function parseConfig(value: unknown): MachineConfig {
  if (value === undefined || value === null) throw invalid('config: is required')
  const parsed = parse(config, value, 'config')
  const size = sizeOf(parsed)
  checkGuest(size)
  if ((parsed.mounts ?? []).length > 1) throw invalid('config.mounts: a machine can have one mount')
  return {
    ...parsed,
    guest: size,
    init: parsed.init ?? {},
    // Fly's restart guide: on-failure with ten retries when nothing is said.
    restart: parsed.restart ?? { policy: 'on-failure', max_retries: 10 },
  }
}

/** Why a machine with this config cannot be suspended; undefined when it can. */
export function whyNotSuspendable(machine: MachineConfig): string | undefined {
  if ((machine.guest?.memory_mb ?? 0) > 2048) return 'machines with more than 2048 MB of memory cannot be suspended'
  if ((machine.init?.swap_size_mb ?? 0) > 0) return 'machines with swap_size_mb set cannot be suspended'
  if (machine.schedule !== undefined) return 'machines with a schedule cannot be suspended'
  return undefined
}

/** Whether the root filesystem survives a restart, and whether it survives an update. */
export function rootPersistence(machine: MachineConfig): 'never' | 'restart' | 'always' {
  const old = machine.guest?.['persist_rootfs']
  return machine.rootfs?.persist ?? (old === 'restart' || old === 'always' ? old : 'never')
}

/** An image reference taken apart; an absent digest is made up from the reference, the same each time. */
export function imageRef(image: string, digestOf: (text: string) => string): Record<string, unknown> {
  const [reference = '', digest] = image.split('@')
  const slash = reference.indexOf('/')
  const head = reference.slice(0, Math.max(0, slash))
  const hasRegistry = /[.:]/.test(head) || head === 'localhost'
  const rest = hasRegistry ? reference.slice(slash + 1) : reference
  const colon = rest.lastIndexOf(':')
  return {
    registry: hasRegistry ? head : 'docker-hub-mirror.fly.io',
    repository: colon < 0 ? rest : rest.slice(0, colon),
    tag: colon < 0 ? (digest === undefined ? 'latest' : '') : rest.slice(colon + 1),
    digest: digest ?? `sha256:${digestOf(reference)}`,
    labels: {},
  }
}

/** Refuses a machine name that is no DNS label (underscores are let through, as flyctl does). */
export function checkMachineName(name: string): void {
  if (!/^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/.test(name))
    throw invalid(`name: "${name}" is not a name of at most 63 lower-case letters, digits and dashes`)
}
