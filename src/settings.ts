// Every setting of Moorage, once: its name in the environment, what it may be, its default and what it means. The table in the
// README is made from here (test/src/settings.test.ts holds them equal), and so are the keys of the YAML file.
import { z } from 'zod'
import { proxySettings as proxy } from './proxy-settings.ts'
import { isTrustedAddress } from './identity/issuer-keys.ts'
import { readRoleValues } from './identity/role-claim.ts'

export interface SettingNotes {
  /** What it means, for the README. */
  readonly description: string
  /** The default in words, where none stands in the schema. */
  readonly shown?: string
  /** May also be given as the path of a file, by `<NAME>_FILE`, and is never repeated. */
  readonly secret?: boolean
}

const port = z.coerce.number().int().min(0).max(65_535)
const roleNames = ['api', 'reconciler', 'proxy'] as const

export type Role = (typeof roleNames)[number]

const roles = z
  .string()
  .transform((text) => text.split(',').map((role) => role.trim()))
  .pipe(z.array(z.enum(roleNames)).min(1))

/** Standard Webhooks: 24 to 64 bytes. */
const webhookSecrets = z
  .string()
  .transform((text) => text.split(',').map((secret) => secret.trim()))
  .pipe(
    z
      .array(z.string().regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, 'must be whsec_ and 24 to 64 bytes in base64'))
      .min(1)
      .max(2),
  )

const notes = <S extends z.ZodType>(schema: S, about: SettingNotes): S => schema.meta({ ...about })

const main = {
  MOORAGE_API_PORT: port.default(7070).describe('REST API; 0 takes a free port'),
  MOORAGE_PROXY_PORT: port.default(7080).describe('the proxy'),
  MOORAGE_FLY_PORT: port.default(7090).describe('the simulated Fly'),
  MOORAGE_OPS_PORT: notes(port.optional(), {
    description: 'health and metrics on a port of their own, without a token, also of a process without the API',
    shown: 'none',
  }),
  MOORAGE_HOST: z.string().min(1).default('127.0.0.1').describe('the address that everything listens on'),
  MOORAGE_DATA: z
    .string()
    .min(1)
    .default('.moorage')
    .describe('data folder, mode 0700: embedded database, simulator, keys, first admin token'),
  MOORAGE_DOMAIN: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a lower-case domain')
    .default('localhost')
    .describe('tenants are `<name>.<domain>`'),
  MOORAGE_PUBLIC_ORIGIN: notes(z.url({ protocol: /^https?$/ }).optional(), {
    description: 'scheme and port that browsers see, such as `https://example.com`',
    shown: 'http, the proxy’s port',
  }),
  MOORAGE_EDGE: z
    .enum(['direct', 'fly'])
    .default('direct')
    .describe('`fly` where Fly’s own proxy stands before ours and names the client'),
  MOORAGE_ROLES: roles.default([...roleNames]).describe('which parts this process runs'),
  MOORAGE_ENV: z
    .string()
    .regex(/^[a-z][a-z0-9]{2,11}$/, 'must be 3 to 12 of a-z and 0-9')
    .default('dev')
    .describe('part of every name on Fly, so that installations never meet'),
  MOORAGE_PREFIX: z
    .string()
    .regex(/^[a-z]{2,4}$/, 'must be 2 to 4 of a-z')
    .default('kc')
    .describe('the first part of every name on Fly'),
  MOORAGE_CERTIFICATES: z
    .enum(['wildcard', 'per-host'])
    .default('wildcard')
    .describe('one certificate for `*.<domain>`, or one for each tenant'),
  MOORAGE_MASTER_KEY: notes(
    z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url (43 characters)')
      .optional(),
    { description: 'what tenants’ secrets are derived from', shown: '`<data>/master-key`', secret: true },
  ),
  MOORAGE_BILLING_WEBHOOK_SECRETS: notes(webhookSecrets.optional(), {
    description: 'what billing’s webhooks are signed with, `whsec_…`; two, with a comma between, while one is replaced',
    shown: 'no such webhook',
    secret: true,
  }),
  MOORAGE_WEBHOOK_ALLOW_PRIVATE: z
    .enum(['0', '1'])
    .default('0')
    .describe('`1`: webhooks may go to private and loopback addresses too, and by http'),
  MOORAGE_LLM_BASE_URL: z
    .url()
    .default('http://llm-proxy.internal:4000/v1')
    .describe('the LLM proxy of managed classes'),
  MOORAGE_LLM_TOKEN_DAYS: z.coerce
    .number()
    .min(1)
    .max(30)
    .default(30)
    .describe('how long a tenant’s token for it lives; it is renewed after two thirds of that'),
  MOORAGE_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('what is logged: trace, debug, info, warn, error, silent'),
  MOORAGE_RETAIN_DAYS: z.coerce
    .number()
    .min(0)
    .max(46)
    .default(14)
    .describe('how long a deleted tenant’s volume is kept before it is purged'),
  MOORAGE_MODE: z
    .enum(['normal', 'observe-only'])
    .default('normal')
    .describe('`observe-only`: looks and changes nothing, whatever REST says'),
  MOORAGE_API_READS: z.coerce
    .number()
    .int()
    .min(0)
    .max(1e9)
    .default(12_000)
    .describe('reads that one caller of the REST API may make in a minute; more get 429; 0: any number'),
  MOORAGE_API_WRITES: z.coerce.number().int().min(0).max(1e9).default(6_000).describe('the same for writes'),
  MOORAGE_RESYNC_CRON: z.string().default('*/10 * * * * *').describe('when the fleet’s list is compared'),
  MOORAGE_SIM_SCALE: notes(z.coerce.number().min(0).max(10).optional(), {
    description: 'the simulator’s pace; 1 is Fly’s',
    shown: '0.1; 1 on the real Fly',
  }),
  MOORAGE_SIM_SEED: z.coerce.number().int().default(1).describe('the simulator’s seed'),
  MOORAGE_GUEST: z
    .enum(['stand-in', 'openclaw'])
    .default('stand-in')
    .describe('what the simulator’s machines run; `openclaw` is the real one, after `npm run guest:install`'),
  MOORAGE_GUEST_CACHE: notes(z.string().min(1).optional(), {
    description: 'the folder that `npm run guest:install` fills',
    shown: '`<data>/guest`',
  }),
}

const identity = {
  MOORAGE_OIDC_ISSUER: notes(z.url().refine(isTrustedAddress, 'must be https, but on this machine').optional(), {
    description: 'the OIDC issuer whose tokens are taken, letter by letter as it writes itself',
    shown: 'none',
  }),
  MOORAGE_OIDC_AUDIENCE: notes(z.string().min(1).optional(), {
    description: 'the audience that its tokens must be for',
    shown: 'none',
  }),
  MOORAGE_OIDC_ROLE_CLAIM: z
    .string()
    .min(1)
    .default('roles')
    .describe('the claim with the role: a name, or a path such as `realm_access.roles`'),
  MOORAGE_OIDC_ROLES: notes(
    z
      .string()
      .default('admin=admin,billing=billing,viewer=viewer')
      .transform((text, context) => {
        const values = readRoleValues(text)
        if (values === undefined)
          context.addIssue({ code: 'custom', message: 'must be such as admin=ops,viewer=staff' })
        return values ?? z.NEVER
      }),
    {
      description: 'which values of the claim stand for a role; one may have several',
      shown: '`admin=admin,billing=billing,viewer=viewer`',
    },
  ),
}

const outside = {
  MONGODB_URI: notes(
    z
      .string()
      .regex(/^mongodb(\+srv)?:\/\//, 'must start with mongodb:// or mongodb+srv://')
      .optional(),
    { description: 'the database', shown: 'embedded', secret: true },
  ),
  FLY_API_TOKEN: notes(z.string().min(1).optional(), {
    description: 'the real Fly',
    shown: 'simulator',
    secret: true,
  }),
  FLY_APP: notes(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,61}$/, 'must be an app name')
      .optional(),
    { description: 'the app of the tenants’ machines', shown: '`moorage-<env>`, simulated' },
  ),
  FLY_ORG: z.string().min(1).default('personal').describe('the organization of that app'),
  OTEL_EXPORTER_OTLP_ENDPOINT: notes(z.url({ protocol: /^https?$/ }).optional(), {
    description: 'where traces go, by OTLP over HTTP; without `/v1/traces`',
    shown: 'no traces',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: notes(z.string().optional(), {
    description: 'headers for that, as `name=value,name=value`',
    shown: 'none',
    secret: true,
  }),
  OTEL_SERVICE_NAME: z.string().min(1).default('moorage').describe('who the traces say they are from'),
  FLY_FLAPS_BASE_URL: notes(z.url().optional(), {
    description: 'where the Machines API is, without `/v1`',
    shown: 'Fly’s own',
  }),
}

/** What readConfig reads. */
export const settings = z.object({ ...main, ...proxy, ...identity, ...outside })

/** Names that are no settings of a process, but may stand in its environment. */
export const otherNames: Readonly<Record<string, SettingNotes>> = {
  MOORAGE_CONFIG: {
    description: 'the path of a YAML file with settings; the environment goes before it',
    shown: 'none',
  },
  MOORAGE_API: { description: '`moor` alone: where the API is', shown: 'http://127.0.0.1:7070' },
  MOORAGE_TOKEN: { description: '`moor` alone: its token', shown: '`<data>/admin-token`' },
}

export type SettingName = keyof typeof settings.shape

const isSetting = (name: string): name is SettingName => Object.hasOwn(settings.shape, name)

const notesOf = (name: SettingName) => (settings.shape[name] as z.ZodType).meta() as SettingNotes | undefined

/** The name of the setting that `<NAME>_FILE` gives by a file; undefined where it gives none. */
export function settingOfFile(name: string): SettingName | undefined {
  const base = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : ''
  return isSetting(base) && notesOf(base)?.secret === true ? base : undefined
}

/** Whether `name` sets something, by its value or by a file. */
export const sets = (name: string): boolean => isSetting(name) || settingOfFile(name) !== undefined

/** `MOORAGE_API_PORT` is `apiPort` in a YAML file, `MONGODB_URI` is `mongodbUri`. */
export function camelCase(name: string): string {
  const words = name.replace(/^MOORAGE_/, '').toLowerCase().split('_') // prettier-ignore
  return words.map((word, index) => (index === 0 ? word : `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`)).join('')
}

/** Every name that a key of a YAML file may stand for, by its key. */
export function keysOfFile(): ReadonlyMap<string, string> {
  const secrets = Object.keys(settings.shape).map((name) => `${name}_FILE`)
  const names = [...Object.keys(settings.shape), ...secrets].filter(sets)
  return new Map(names.flatMap((name) => [[name, name] as const, [camelCase(name), name] as const]))
}

export interface SettingRow {
  readonly name: string
  readonly fallback: string
  readonly meaning: string
}

function fallbackOf(schema: z.ZodType): string {
  const value = schema.parse(undefined)
  return `\`${Array.isArray(value) ? value.join(',') : String(value)}\``
}

/** The rows of the README's table. */
export function settingRows(): SettingRow[] {
  const row = (name: string, { description, shown, secret }: SettingNotes, fallback: string): SettingRow => ({
    name: `\`${name}\``,
    fallback: shown ?? fallback,
    meaning: secret === true ? `${description} (secret)` : description,
  })
  const own = Object.entries(settings.shape).map(([name, schema]) => {
    const about = notesOf(name as SettingName) ?? { description: '' }
    return row(name, about, about.shown === undefined ? fallbackOf(schema as z.ZodType) : '')
  })
  return [...own, ...Object.entries(otherNames).map(([name, about]) => row(name, about, ''))]
}
