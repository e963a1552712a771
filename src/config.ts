// Environment and YAML file -> Config, parsed once. No other file reads the environment; an unknown name is refused, because a
// misspelt setting that is silently ignored is how fleets get hurt.
import { resolve } from 'node:path'
import type { z } from 'zod'
import type { ProxyLimits } from '../proxy/limits.ts'
import type { OidcSettings } from './identity/oidc.ts'
import { settingSources } from './settings-sources.ts'
import { settings, type Role } from './settings.ts'

export interface FlySettings {
  /** Undefined: the simulator of this process. */
  readonly token: string | undefined
  readonly baseUrl: string | undefined
  readonly org: string
  readonly app: string
}

export interface ProxySettings {
  readonly limits: Partial<ProxyLimits>
  /** The part of the ordinary requests that are logged. */
  readonly logSample: number
}

export interface TraceSettings {
  /** Undefined: no traces. */
  readonly endpoint: string | undefined
  readonly headers: string | undefined
  readonly service: string
}

export interface Config {
  readonly apiPort: number
  /** Of one caller of the REST API; undefined: any number. */
  readonly rates: { readonly readsPerMinute: number | undefined; readonly writesPerMinute: number | undefined }
  readonly proxyPort: number
  readonly flyPort: number
  /** Health and metrics without a token; undefined: on the API's port alone. */
  readonly opsPort: number | undefined
  readonly host: string
  /** Absolute path. */
  readonly data: string
  readonly domain: string
  readonly roles: ReadonlySet<Role>
  readonly environment: string
  readonly prefix: string
  readonly certificates: 'wildcard' | 'per-host'
  /** Who connects to the proxy: clients themselves, or Fly's own proxy, whose word on their address is then taken. */
  readonly edge: 'direct' | 'fly'
  readonly publicOrigin: string | undefined
  readonly masterKey: string | undefined
  readonly llmBaseUrl: string
  readonly llmTokenMs: number
  readonly webhooks: {
    readonly billingSecrets: readonly string[] | undefined
    /** Private and loopback addresses, and http, may be told too. */
    readonly allowPrivate: boolean
  }
  readonly logLevel: string
  /** `observe-only`: Moorage looks and changes nothing, whatever operators want over REST. */
  readonly mode: 'normal' | 'observe-only'
  readonly resyncCron: string
  /** How long a deleted tenant's volume is kept before it is purged. */
  readonly retainDays: number
  readonly mongoUri: string | undefined
  readonly fly: FlySettings
  readonly proxy: ProxySettings
  /** Undefined: nobody logs in elsewhere. */
  readonly oidc: OidcSettings | undefined
  readonly traces: TraceSettings
  /** 1 is Fly's own pace; 0.1 is ten times as fast; only a simulator has another than 1. */
  readonly scale: number
  readonly simSeed: number
  /** What the simulator's machines run. */
  readonly guest: 'stand-in' | 'openclaw'
  readonly guestCache: string | undefined
}

/** The settings that are wrong, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

function parse(environment: NodeJS.ProcessEnv) {
  const { given, wrong: unreadable } = settingSources(environment)
  const wrong = [...unreadable]
  const result = settings.safeParse(Object.fromEntries([...given].map(([name, { value }]) => [name, value])))
  // The value itself is left out: it may be a secret.
  if (!result.success)
    for (const { path, message } of result.error.issues) {
      const name = String(path[0])
      wrong.push(`${given.get(name)?.where ?? name}: ${message}`)
    }
  if (given.has('FLY_API_TOKEN') && !given.has('FLY_APP'))
    wrong.push('FLY_APP must name the app for the tenants’ machines when FLY_API_TOKEN is set')
  if (given.has('MOORAGE_OIDC_ISSUER') !== given.has('MOORAGE_OIDC_AUDIENCE'))
    wrong.push('MOORAGE_OIDC_ISSUER and MOORAGE_OIDC_AUDIENCE must be set together')
  if (!result.success || wrong.length > 0) throw new ConfigError(wrong.join('\n'))
  return result.data
}

function proxySettings(env: z.infer<typeof settings>): ProxySettings {
  return {
    limits: {
      concurrency: env.MOORAGE_PROXY_CONCURRENCY,
      sockets: env.MOORAGE_PROXY_WEBSOCKETS,
      ratePerSecond: env.MOORAGE_PROXY_RATE,
      burst: env.MOORAGE_PROXY_BURST,
      bodyBytes: Math.round(env.MOORAGE_PROXY_BODY_MIB * 1024 * 1024),
      headersMs: env.MOORAGE_PROXY_HEADERS_SECONDS * 1_000,
      idleMs: env.MOORAGE_PROXY_IDLE_SECONDS * 1_000,
      totalMs: env.MOORAGE_PROXY_TOTAL_SECONDS * 1_000,
      holdMs: env.MOORAGE_PROXY_HOLD_SECONDS * 1_000,
      heldPerTenant: env.MOORAGE_PROXY_HELD_PER_TENANT,
      held: env.MOORAGE_PROXY_HELD,
    },
    logSample: env.MOORAGE_PROXY_LOG_SAMPLE,
  }
}

function oidcSettings(env: z.infer<typeof settings>): OidcSettings | undefined {
  const { MOORAGE_OIDC_ISSUER: issuer, MOORAGE_OIDC_AUDIENCE: audience } = env
  if (issuer === undefined || audience === undefined) return undefined
  return { issuer, audience, role: { claim: env.MOORAGE_OIDC_ROLE_CLAIM, values: env.MOORAGE_OIDC_ROLES } }
}

/** Reads the settings, or throws a ConfigError that names each wrong one without its value. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const env = parse(environment)
  const simulated = env.FLY_API_TOKEN === undefined
  return {
    apiPort: env.MOORAGE_API_PORT,
    rates: {
      readsPerMinute: env.MOORAGE_API_READS || undefined,
      writesPerMinute: env.MOORAGE_API_WRITES || undefined,
    },
    proxyPort: env.MOORAGE_PROXY_PORT,
    flyPort: env.MOORAGE_FLY_PORT,
    opsPort: env.MOORAGE_OPS_PORT,
    host: env.MOORAGE_HOST,
    data: resolve(env.MOORAGE_DATA),
    domain: env.MOORAGE_DOMAIN,
    roles: new Set(env.MOORAGE_ROLES),
    environment: env.MOORAGE_ENV,
    prefix: env.MOORAGE_PREFIX,
    certificates: env.MOORAGE_CERTIFICATES,
    edge: env.MOORAGE_EDGE,
    publicOrigin: env.MOORAGE_PUBLIC_ORIGIN,
    masterKey: env.MOORAGE_MASTER_KEY,
    llmBaseUrl: env.MOORAGE_LLM_BASE_URL,
    llmTokenMs: env.MOORAGE_LLM_TOKEN_DAYS * 86_400_000,
    webhooks: {
      billingSecrets: env.MOORAGE_BILLING_WEBHOOK_SECRETS,
      allowPrivate: env.MOORAGE_WEBHOOK_ALLOW_PRIVATE === '1',
    },
    logLevel: env.MOORAGE_LOG_LEVEL,
    mode: env.MOORAGE_MODE,
    resyncCron: env.MOORAGE_RESYNC_CRON,
    retainDays: env.MOORAGE_RETAIN_DAYS,
    mongoUri: env.MONGODB_URI,
    fly: {
      token: env.FLY_API_TOKEN,
      baseUrl: env.FLY_FLAPS_BASE_URL,
      org: env.FLY_ORG,
      app: env.FLY_APP ?? `moorage-${env.MOORAGE_ENV}`,
    },
    proxy: proxySettings(env),
    oidc: oidcSettings(env),
    traces: {
      endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
      headers: env.OTEL_EXPORTER_OTLP_HEADERS,
      service: env.OTEL_SERVICE_NAME,
    },
    scale: env.MOORAGE_SIM_SCALE ?? (simulated ? 0.1 : 1),
    simSeed: env.MOORAGE_SIM_SEED,
    guest: env.MOORAGE_GUEST,
    guestCache: env.MOORAGE_GUEST_CACHE,
  }
}
