// A tenant's machine as Fly is asked for it: the seed's request with what the design corrected, and the hash that tells
// whether a machine is still what is wanted.
import { createHash } from 'node:crypto'
import { metadataKeys } from '../specs/names.ts'
import { gatewayConfig, type GatewayConfigInput, STATE_FOLDER } from './config.ts'
import { canonical, type Json } from './json.ts'

export { PREPARE_AGAIN, prepareCommand } from './prepare.ts'

/** Counts up when the hash's own recipe changes, so that old hashes are not read as drift. */
export const HASH_VERSION = 1

/**
 * Where the bridge is written. Fly writes `files` before it mounts the volume, so a file under the mount is masked (the
 * seed's config bug); a path beside the mount is not.
 */
export const BRIDGE_PATH = '/opt/moorage/bridge.mjs'

export interface MachineInput {
  readonly image: string
  readonly guest: { readonly cpuKind: 'shared' | 'performance'; readonly cpus: number; readonly memoryMb: number }
  readonly region: string
  readonly volumeId: string
  readonly identity: {
    readonly environment: string
    readonly uid: string
    readonly incarnation: number
    readonly tenant: string
    readonly term: number
    /** The tenant's spec as metadata (specs/record.ts). */
    readonly record: string
    /** Of a pool's machine, and of one that was (specs/names.ts). */
    readonly form?: 'pool' | 'own' | undefined
    readonly claim?: string | undefined
  }
  readonly secrets: {
    readonly gatewayToken: string
    /** 32 bytes. */
    readonly bridgeKey: Uint8Array
    /** Needed for managed classes, ignored for the others. */
    readonly llmToken: string | undefined
  }
  readonly gateway: GatewayConfigInput
  readonly bootScript: string
  readonly bridgeSource: string
}

/** The part of Fly's machine config that Moorage sends; no `services`, so the machine stays private, and no swap. */
export interface FlyMachineConfig {
  readonly image: string
  readonly env: Readonly<Record<string, string>>
  readonly init: { readonly exec: readonly string[] }
  readonly guest: { readonly cpu_kind: 'shared' | 'performance'; readonly cpus: number; readonly memory_mb: number }
  readonly files: readonly { readonly guest_path: string; readonly raw_value: string; readonly mode: number }[]
  readonly mounts: readonly { readonly volume: string; readonly path: string }[]
  readonly metadata: Readonly<Record<string, string>>
  readonly restart: { readonly policy: 'on-failure'; readonly max_retries: number }
  readonly stop_config: { readonly signal: 'SIGTERM'; readonly timeout: string }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

/** A pool's machine has none: it is nobody's. */
function llmToken({ gateway, secrets, identity }: MachineInput): Record<string, string> {
  if (!gateway.managed || identity.form === 'pool') return {}
  if (secrets.llmToken === undefined) throw new TypeError('a managed tenant needs a token for the LLM proxy')
  return { KIWICLAW_PROXY_TOKEN: secrets.llmToken }
}

function environment(input: MachineInput): Record<string, string> {
  const { identity, secrets, guest } = input
  return {
    OPENCLAW_GATEWAY_TOKEN: secrets.gatewayToken,
    OPENCLAW_STATE_DIR: STATE_FOLDER,
    OPENCLAW_CONFIG_B64: base64(canonical(gatewayConfig(input.gateway))),
    PLAYWRIGHT_BROWSERS_PATH: `${STATE_FOLDER}/.browsers`,
    ...llmToken(input),
    MOORAGE_UID: identity.uid,
    MOORAGE_INCARNATION: String(identity.incarnation),
    MOORAGE_BRIDGE: '1',
    MOORAGE_BRIDGE_KEY: Buffer.from(secrets.bridgeKey).toString('base64url'),
    // The seed's 1536 for 2048 MB, and the same share of any other size.
    MOORAGE_HEAP_MB: String(Math.floor(guest.memoryMb * 0.75)),
  }
}

/** What the hash covers: all of the config except whose machine it is. */
function owned(input: MachineInput): Omit<FlyMachineConfig, 'metadata'> {
  const { guest } = input
  return {
    image: input.image,
    env: environment(input),
    init: { exec: ['/bin/sh', '-c', input.bootScript] },
    guest: { cpu_kind: guest.cpuKind, cpus: guest.cpus, memory_mb: guest.memoryMb },
    // Readable for whichever user the image runs as; the bridge's source is no secret.
    files: [{ guest_path: BRIDGE_PATH, raw_value: base64(input.bridgeSource), mode: 0o444 }],
    mounts: [{ volume: input.volumeId, path: STATE_FOLDER }],
    // Each failing start of OpenClaw may spend LLM tokens on its own triage: after three, the reconciler decides.
    restart: { policy: 'on-failure', max_retries: 3 },
    // OpenClaw ends on SIGTERM within seconds when idle, but finishes a turn that runs; Fly's 5 s would cut that turn off.
    stop_config: { signal: 'SIGTERM', timeout: '60s' },
  }
}

/** The metadata that follows from the wish alone: where a live machine's differs, it is written in place. */
export function wantedMetadata(input: MachineInput): Record<string, string> {
  const { identity } = input
  return {
    [metadataKeys.environment]: identity.environment,
    [metadataKeys.uid]: identity.uid,
    [metadataKeys.tenant]: identity.tenant,
    [metadataKeys.specHash]: specHash(input),
    [metadataKeys.hashVersion]: String(HASH_VERSION),
    [metadataKeys.record]: identity.record,
    ...(identity.form === undefined ? {} : { [metadataKeys.form]: identity.form }),
    ...(identity.claim === undefined ? {} : { [metadataKeys.claim]: identity.claim }),
  }
}

function metadata(input: MachineInput): Record<string, string> {
  const { incarnation, term } = input.identity
  return {
    ...wantedMetadata(input),
    [metadataKeys.incarnation]: String(incarnation),
    [metadataKeys.term]: String(term),
  }
}

/**
 * The machine's config, for Fly's create and update calls alike. It holds secrets: never log it.
 *
 * @throws {TypeError} when a managed tenant has no LLM token
 */
export function machineConfig(input: MachineInput): FlyMachineConfig {
  return { ...owned(input), metadata: metadata(input) }
}

/** The body of Fly's create call, the seed's `machineRequest`. */
export function machineRequest(name: string, input: MachineInput) {
  return { name, region: input.region, config: machineConfig(input) }
}

/** The same input without what may differ between two machines that are wanted alike. */
function anonymous(input: MachineInput): MachineInput {
  return {
    ...input,
    volumeId: '',
    identity: { ...input.identity, incarnation: 0, tenant: '', term: 0, record: '' },
    secrets: { gatewayToken: '', bridgeKey: new Uint8Array(), llmToken: '' },
  }
}

/**
 * The hash of the wish: hex SHA-256 over the canonical text of the fields that Moorage owns. Secrets' values, the volume, the
 * incarnation, the tenant's name and the term are left out, so the same wish gives the same hash in every process.
 */
export function specHash(input: MachineInput): string {
  const wish = { version: HASH_VERSION, wish: owned(anonymous(input)) } satisfies Json
  return createHash('sha256').update(canonical(wish)).digest('hex')
}

/** The environment variables that are ours; others' stay, and ours that are not wanted any more go. */
export const OWNED_ENV = [
  'OPENCLAW_GATEWAY_TOKEN',
  'OPENCLAW_STATE_DIR',
  'OPENCLAW_CONFIG_B64',
  'PLAYWRIGHT_BROWSERS_PATH',
  'KIWICLAW_PROXY_TOKEN',
  'MOORAGE_UID',
  'MOORAGE_INCARNATION',
  'MOORAGE_BRIDGE',
  'MOORAGE_BRIDGE_KEY',
  'MOORAGE_HEAP_MB',
] as const

/** Their values are shown to nobody. */
export const SECRET_ENV: readonly string[] = ['OPENCLAW_GATEWAY_TOKEN', 'KIWICLAW_PROXY_TOKEN', 'MOORAGE_BRIDGE_KEY']
const ownEnv: readonly string[] = ['MOORAGE_UID', 'MOORAGE_INCARNATION']

/** A machine's config as Fly shows it: everything may be missing. */
export interface LiveConfig {
  readonly image?: string | null | undefined
  readonly env?: Readonly<Record<string, string>> | null | undefined
  readonly init?: { readonly exec?: readonly string[] | null | undefined } | null | undefined
  readonly guest?:
    | {
        readonly cpu_kind?: string | null | undefined
        readonly cpus?: number | null | undefined
        readonly memory_mb?: number | null | undefined
      }
    | null
    | undefined
  readonly services?: readonly unknown[] | null | undefined
}

/**
 * The hash of what a live machine really runs, over the fields that Fly gives back as they were sent: image, size, command
 * our environment with a secret counting as present or absent, and that there are no services, which would open the machine
 * to the internet. It finds what was changed behind our back, where the metadata still says that all is well.
 */
export function contentHash(config: LiveConfig): string {
  const env = Object.fromEntries(
    OWNED_ENV.filter((key) => !ownEnv.includes(key)).map((key) => {
      const value = config.env?.[key]
      return [key, value === undefined ? null : SECRET_ENV.includes(key) ? 'set' : value]
    }),
  )
  const { cpu_kind = null, cpus = null, memory_mb = null } = config.guest ?? {}
  const content = {
    image: config.image ?? null,
    env,
    exec: config.init?.exec ?? null,
    guest: { cpu_kind, cpus, memory_mb },
    services: config.services?.length ?? 0,
  }
  return createHash('sha256').update(canonical(content)).digest('hex')
}

/**
 * The wanted config laid over the live one: our fields replace theirs, and whatever others have set (environment, files,
 * metadata, fields that we do not know) stays. Ours that are not wanted any more go, and services always do.
 */
export function mergedConfig(live: object, wanted: FlyMachineConfig): object {
  const { env, files, metadata } = live as {
    readonly env?: Readonly<Record<string, string>> | null
    readonly files?: readonly { readonly guest_path?: string }[] | null
    readonly metadata?: Readonly<Record<string, string>> | null
  }
  const owned: readonly string[] = OWNED_ENV
  const theirEnv = Object.fromEntries(Object.entries(env ?? {}).filter(([key]) => !owned.includes(key)))
  const ourPaths = wanted.files.map(({ guest_path: path }) => path)
  const theirFiles = (files ?? []).filter(({ guest_path: path }) => path === undefined || !ourPaths.includes(path))
  return {
    ...live,
    ...wanted,
    services: [],
    env: { ...theirEnv, ...wanted.env },
    files: [...theirFiles, ...wanted.files],
    metadata: { ...metadata, ...wanted.metadata },
  }
}
