// Environment -> Config, parsed once. No other file reads the environment; an unknown MOORAGE_ name is refused, because a
// misspelt setting that is silently ignored is how fleets get hurt.
import { resolve } from 'node:path'
import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65_535)
const secretKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url (43 characters)')
const roleNames = ['api', 'reconciler', 'proxy'] as const

const roles = z
  .string()
  .transform((text) => text.split(',').map((role) => role.trim()))
  .pipe(z.array(z.enum(roleNames)).min(1))

const settings = z.object({
  MOORAGE_API_PORT: port.default(7070),
  MOORAGE_PROXY_PORT: port.default(7080),
  MOORAGE_FLY_PORT: port.default(7090),
  MOORAGE_HOST: z.string().min(1).default('127.0.0.1'),
  MOORAGE_DATA: z.string().min(1).default('.moorage'),
  MOORAGE_DOMAIN: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a lower-case domain')
    .default('localhost'),
  MOORAGE_ROLES: roles.default([...roleNames]),
  MOORAGE_ENV: z
    .string()
    .regex(/^[a-z][a-z0-9]{2,11}$/, 'must be 3 to 12 of a-z and 0-9')
    .default('dev'),
  MOORAGE_PREFIX: z
    .string()
    .regex(/^[a-z]{2,4}$/, 'must be 2 to 4 of a-z')
    .default('kc'),
  MOORAGE_CERTIFICATES: z.enum(['wildcard', 'per-host']).default('wildcard'),
  MOORAGE_EDGE: z.enum(['direct', 'fly']).default('direct'),
  MOORAGE_PUBLIC_ORIGIN: z.url({ protocol: /^https?$/ }).optional(),
  MOORAGE_MASTER_KEY: secretKey.optional(),
  MOORAGE_LLM_BASE_URL: z.url().default('http://llm-proxy.internal:4000/v1'),
  MOORAGE_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  MOORAGE_RETAIN_DAYS: z.coerce.number().min(0).max(46).default(14),
  MOORAGE_MODE: z.enum(['normal', 'observe-only']).default('normal'),
  MOORAGE_RESYNC_CRON: z.string().default('*/10 * * * * *'),
  MOORAGE_SIM_SCALE: z.coerce.number().min(0).max(10).optional(),
  MOORAGE_SIM_SEED: z.coerce.number().int().default(1),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must start with mongodb:// or mongodb+srv://')
    .optional(),
  FLY_API_TOKEN: z.string().min(1).optional(),
  FLY_FLAPS_BASE_URL: z.url().optional(),
  FLY_ORG: z.string().min(1).default('personal'),
  FLY_APP: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,61}$/, 'must be an app name')
    .optional(),
})

export type Role = (typeof roleNames)[number]

export interface FlySettings {
  /** Undefined: the simulator of this process. */
  readonly token: string | undefined
  readonly baseUrl: string | undefined
  readonly org: string
  readonly app: string
}

export interface Config {
  readonly apiPort: number
  readonly proxyPort: number
  readonly flyPort: number
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
  readonly logLevel: string
  /** `observe-only`: Moorage looks and changes nothing, whatever operators want over REST. */
  readonly mode: 'normal' | 'observe-only'
  readonly resyncCron: string
  /** How long a deleted tenant's volume is kept before it is purged. */
  readonly retainDays: number
  readonly mongoUri: string | undefined
  readonly fly: FlySettings
  /** 1 is Fly's own pace; 0.1 is ten times as fast; only a simulator has another than 1. */
  readonly scale: number
  readonly simSeed: number
}

/** The settings that are wrong, one sentence each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Of the command line (src/cli): whoever uses both has them in the same environment. */
const cliNames = ['MOORAGE_API', 'MOORAGE_TOKEN']

function unknownNames(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set([...Object.keys(settings.shape), ...cliNames])
  return Object.keys(environment).filter((name) => name.startsWith('MOORAGE_') && !known.has(name))
}

function parse(environment: NodeJS.ProcessEnv) {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const wrong = unknownNames(given).map((name) => `${name} is not a setting of Moorage`)
  const result = settings.safeParse(given)
  // The value itself is left out: it may be a secret.
  if (!result.success) wrong.push(...result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`))
  if (given['FLY_API_TOKEN'] !== undefined && given['FLY_APP'] === undefined)
    wrong.push('FLY_APP must name the app for the tenants’ machines when FLY_API_TOKEN is set')
  if (!result.success || wrong.length > 0) throw new ConfigError(wrong.join('\n'))
  return result.data
}

/** Reads the settings, or throws a ConfigError that names each wrong one without its value. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const env = parse(environment)
  const simulated = env.FLY_API_TOKEN === undefined
  return {
    apiPort: env.MOORAGE_API_PORT,
    proxyPort: env.MOORAGE_PROXY_PORT,
    flyPort: env.MOORAGE_FLY_PORT,
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
    scale: env.MOORAGE_SIM_SCALE ?? (simulated ? 0.1 : 1),
    simSeed: env.MOORAGE_SIM_SEED,
  }
}
