// How a live machine's configuration differs from the wanted one, field by field, without a secret in it: for people who
// look, where the hashes only say that it differs.
import { isObject, type Json } from './json.ts'
import { OWNED_ENV, SECRET_ENV, type LiveConfig } from './machine.ts'

export interface FieldDifference {
  /** As in `guest.memory_mb`, `env.MOORAGE_BRIDGE`, `config.browser.headless`. */
  readonly field: string
  /** Of a secret, and of what a tenant's own configuration says, only whether it is set. */
  readonly wanted: string | undefined
  readonly observed: string | undefined
  readonly same: boolean
}

const configKey = 'OPENCLAW_CONFIG_B64'
/** Signed anew with each making: two of them differ and are both right. */
const signedKey = 'KIWICLAW_PROXY_TOKEN'

function row(field: string, wanted: unknown, observed: unknown): FieldDifference {
  const text = (value: unknown) => (value === undefined || value === null ? undefined : JSON.stringify(value))
  const plain = (value: unknown) => (typeof value === 'string' ? value : text(value))
  return { field, wanted: plain(wanted), observed: plain(observed), same: text(wanted) === text(observed) }
}

/** Whether both are set, and whether they are the same. */
function masked(field: string, wanted: unknown, observed: unknown, same: boolean): FieldDifference {
  const said = (value: unknown) => (value === undefined || value === null ? undefined : 'set')
  const differs = wanted !== undefined && observed !== undefined && !same
  return { field, wanted: said(wanted), observed: differs ? 'set to something else' : said(observed), same }
}

function decoded(text: string | undefined): Json | undefined {
  if (text === undefined) return undefined
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString()) as Json
  } catch {
    return undefined // Not JSON: then it differs as a whole.
  }
}

/** Every value in a configuration by its path; a list is one value. */
function leaves(value: Json | undefined, path = 'config'): [string, string][] {
  if (value === undefined) return []
  if (!isObject(value)) return [[path, JSON.stringify(value)]]
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`))
}

/** The keys of the gateway's configuration that differ; their values may be somebody's secrets. */
function configRows(wanted: string | undefined, observed: string | undefined): FieldDifference[] {
  if (wanted === observed) return []
  const [a, b] = [new Map(leaves(decoded(wanted))), new Map(leaves(decoded(observed)))]
  const paths = [...new Set([...a.keys(), ...b.keys()])].filter((path) => a.get(path) !== b.get(path)).sort()
  return paths.map((path) => masked(path, a.get(path), b.get(path), false))
}

function envRow(key: string, wanted: string | undefined, observed: string | undefined): FieldDifference {
  const bothSet = wanted !== undefined && observed !== undefined
  const same = wanted === observed || (key === signedKey && bothSet)
  const hidden = SECRET_ENV.includes(key) || key === configKey
  return hidden ? masked(`env.${key}`, wanted, observed, same) : row(`env.${key}`, wanted, observed)
}

/** Long texts are compared, not shown. */
function commandRow(wanted: LiveConfig, live: LiveConfig): FieldDifference {
  const [a, b] = [wanted.init?.exec ?? undefined, live.init?.exec ?? undefined]
  return masked('init.exec', a, b, JSON.stringify(a) === JSON.stringify(b))
}

/** Every field that Moorage owns of a machine's configuration, as wanted and as it is. */
export function configDifferences(wanted: LiveConfig, live: LiveConfig): FieldDifference[] {
  const envOf = (config: LiveConfig, key: string) => config.env?.[key]
  return [
    row('image', wanted.image, live.image),
    row('guest.cpu_kind', wanted.guest?.cpu_kind, live.guest?.cpu_kind),
    row('guest.cpus', wanted.guest?.cpus, live.guest?.cpus),
    row('guest.memory_mb', wanted.guest?.memory_mb, live.guest?.memory_mb),
    commandRow(wanted, live),
    row('services', wanted.services?.length ?? 0, live.services?.length ?? 0),
    ...OWNED_ENV.map((key) => envRow(key, envOf(wanted, key), envOf(live, key))),
    ...configRows(envOf(wanted, configKey), envOf(live, configKey)),
  ]
}
