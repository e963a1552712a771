// The OpenClaw configuration of a tenant: what Moorage needs, with the tenant's own overlay on top, and what no overlay moves.
import { at, type Json, type JsonObject, overlaid, sorted, withAt } from './json.ts'

/** The gateway's port, on loopback and (the bridge) on the private address. */
export const GATEWAY_PORT = 18789
/** Where the volume is mounted, which is OpenClaw's state folder. */
export const STATE_FOLDER = '/data'
/**
 * Where the boot script puts the machine's tokens. On the root filesystem: neither the volume nor its snapshots hold them, and a
 * file, other than the environment, can be replaced while the gateway runs.
 */
export const SECRETS_PATH = '/run/moorage/secrets.json'

export interface GatewayConfigInput {
  /** Lower-case host names that lead to the tenant. */
  readonly hosts: readonly string[]
  /** The tenant's main address as a browser sees it, such as `https://acme.example.com`. */
  readonly publicOrigin: string
  /** Whether the LLM is reached through the platform's proxy, with the platform's token. */
  readonly managed: boolean
  readonly llmBaseUrl: string
  /** An idle machine sleeps: then the gateway must not have work of its own every half hour. */
  readonly maySleep: boolean
  readonly overlay: JsonObject | undefined
}

/**
 * The keys that are ours: the road in and its lock. An overlay that names one is not an error; the managed value stays,
 * also when that value is "absent". Each entry is a path from the root.
 */
export const MANAGED_KEYS: readonly (readonly string[])[] = [
  ['gateway', 'mode'],
  ['gateway', 'bind'],
  ['gateway', 'customBindHost'],
  ['gateway', 'port'],
  ['gateway', 'auth'],
  ['gateway', 'tls'],
  ['gateway', 'trustedProxies'],
  ['gateway', 'publicOrigin'],
  ['gateway', 'controlUi', 'allowedOrigins'],
  ['secrets', 'providers', 'platform'],
]

/** A reference, not the value: the configuration lies on the volume, and in its snapshots. */
const secret = (name: 'gateway' | 'llm'): JsonObject => ({ source: 'file', provider: 'platform', id: `/${name}` })

/** One origin for each host, with the scheme and port of the public origin. */
function origins({ hosts, publicOrigin }: GatewayConfigInput): string[] {
  const { protocol, port, origin } = new URL(publicOrigin)
  const suffix = port === '' ? '' : `:${port}`
  return [...new Set([origin, ...hosts.map((host) => `${protocol}//${host}${suffix}`)])].sort()
}

/** OpenClaw refuses to start with a plain http origin, unless it names this very computer: the laptop's tenants do without. */
function shownOrigin({ publicOrigin }: GatewayConfigInput): JsonObject {
  const { protocol, hostname, origin } = new URL(publicOrigin)
  const accepted = protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  return accepted ? { publicOrigin: origin } : {}
}

function gateway(input: GatewayConfigInput): JsonObject {
  return {
    mode: 'local',
    port: GATEWAY_PORT,
    bind: 'loopback',
    ...shownOrigin(input),
    auth: { mode: 'token', token: secret('gateway') },
    // The bridge connects from loopback. Without this, any X-Forwarded-* header turns every request into a 403.
    trustedProxies: ['127.0.0.1/32', '::1/128'],
    controlUi: { enabled: true, allowedOrigins: origins(input) },
    http: { endpoints: { chatCompletions: { enabled: true } } },
  }
}

function llmProxy(baseUrl: string): JsonObject {
  const model = {
    id: 'kiwi-default',
    name: 'kiwi-default',
    reasoning: false,
    input: ['text'],
    cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
    contextWindow: 128_000,
    maxTokens: 8_192,
  }
  const access = { api: 'openai-completions', auth: 'api-key', authHeader: true, apiKey: secret('llm') }
  return { mode: 'replace', providers: { kiwi: { baseUrl, ...access, models: [model] } } }
}

function agents({ managed, maySleep }: GatewayConfigInput): JsonObject {
  return {
    defaults: {
      workspace: `${STATE_FOLDER}/workspace`,
      ...(managed ? { model: { primary: 'kiwi/kiwi-default' } } : {}),
      // The built-in heartbeat runs every 30 minutes and would keep any machine awake.
      ...(maySleep ? { heartbeat: { every: '0m' } } : {}),
    },
  }
}

function managedPart(input: GatewayConfigInput): JsonObject {
  const provider = input.managed ? llmProxy(input.llmBaseUrl) : {}
  return {
    gateway: gateway(input),
    models: { catalogRefresh: { enabled: false }, ...provider },
    agents: agents(input),
    // The sandbox needs user namespaces that root in the machine does not give it; the microVM is the boundary.
    browser: {
      enabled: true,
      executablePath: `${STATE_FOLDER}/bin/chrome-headless-shell`,
      headless: true,
      noSandbox: true,
    },
    secrets: { providers: { platform: { source: 'file', path: SECRETS_PATH, mode: 'json' } } },
    update: { checkOnStart: false },
  }
}

/**
 * The gateway's configuration, with its keys in a fixed order. The overlay is laid on top as in RFC 7386 (null takes a key
 * away), then the managed keys are put back.
 */
export function gatewayConfig(input: GatewayConfigInput): Json {
  const ours = managedPart(input)
  const laid = overlaid(ours, input.overlay ?? {})
  return sorted(MANAGED_KEYS.reduce((config, path) => withAt(config, path, at(ours, path)), laid))
}

/** The managed keys that an overlay names in vain, dotted, for a warning to its author. */
export function managedKeysIn(overlay: JsonObject): readonly string[] {
  return MANAGED_KEYS.filter((path) => at(overlay, path) !== undefined).map((path) => path.join('.'))
}
