// The hands of the claim benchmark: pools are filled, emptied by claims, and filled again, and each claim is timed.
import { setTimeout as delay } from 'node:timers/promises'
import { api, put, visit } from '../helpers/client.ts'
import { startMoorage, until, type Moorage } from '../helpers/processes.ts'

/** Members stand ready for one tier in one region, and none for the cold path, so that each is measured alone. */
export const regionOf = { running: 'iad', suspended: 'ams', cold: 'fra' } as const

export type Path = keyof typeof regionOf
export type Tier = Exclude<Path, 'cold'>
export const tiers: readonly Tier[] = ['running', 'suspended']

export interface Setting {
  /** Everything that is kept, from one process to the next. */
  readonly folder: string
  /** Of the whole measurement: which guest, and where traces go. */
  readonly env: NodeJS.ProcessEnv
  /** The pace while the pools fill; what is measured runs at Fly's own. */
  readonly fillScale: string
}

/** A look at all members is work too. */
const lookMs = 1_000

async function warmIn(moorage: Moorage, tier: Tier): Promise<number> {
  const answer = (await api(moorage, `/v1/pools/${tier}`)).json() as unknown as { status: { warm: number } }
  return answer.status.warm
}

async function want(moorage: Moorage, tier: Tier, count: number): Promise<void> {
  const spec = { region: regionOf[tier], class: 'standard', min: count, max: count, tier, maxAgeHours: 720 }
  const body = JSON.stringify({ kind: 'Pool', name: tier, spec })
  const headers = { 'content-type': 'application/json' }
  const { status, text } = await api(moorage, `/v1/pools/${tier}`, { method: 'PUT', body, headers })
  if (status >= 300) throw new Error(`PUT pools/${tier}: ${status} ${text}`)
}

/** Brings the pools up to so many members each, in a process of its own. */
export async function fill({ folder, env, fillScale }: Setting, count: number): Promise<void> {
  const rest = { MOORAGE_SIM_SCALE: fillScale, MOORAGE_RESYNC_CRON: '* * * * * *' }
  const moorage = await startMoorage(folder, { ...env, ...rest, OTEL_EXPORTER_OTLP_ENDPOINT: '' })
  try {
    for (const tier of tiers) await want(moorage, tier, count)
    for (const tier of tiers)
      await until(`${count} stand ready, ${tier}`, 1_800_000, async () => {
        await delay(lookMs)
        return (await warmIn(moorage, tier)) >= count ? true : undefined
      })
    // The example, with which the app was made, would only be in the way.
    await put(moorage, 'acme', { state: 'suspended', class: 'standard', region: 'iad' })
  } finally {
    // Its machines live on, as Fly's would; an orderly end would take them with it.
    await moorage.end('SIGKILL')
  }
}

/** Milliseconds from the PUT to the first answer of the tenant's own gateway. */
async function measure(moorage: Moorage, name: string, path: Path): Promise<number> {
  const started = performance.now()
  const created = await put(moorage, name, { region: regionOf[path], class: 'standard' })
  if (created.status !== 201) throw new Error(`PUT ${name}: ${created.status} ${created.text}`)
  await until(`${name} answers`, 300_000, async () => ((await visit(moorage, name)).status === 200 ? true : undefined))
  return performance.now() - started
}

/** So many of each path from here on: the names tell them apart. */
export interface Round {
  readonly from: number
  readonly claims: number
  readonly colds: number
  /** Nothing comes after it. */
  readonly last: boolean
}

export type Took = Readonly<Record<Path, readonly number[]>>

/** Of one tier; the first one is not counted. */
function namesOf(tier: Tier, { from, claims }: Round): readonly string[] {
  const counted = Array.from({ length: claims }, (_each, index) => `${tier}-${from + index}`)
  return [`first-${tier}-${from}`, ...counted]
}

/** Their machines, which live on, would slow down those that are measured next: a real gateway is a gigabyte and some work. */
async function removeAll(moorage: Moorage, names: readonly string[]): Promise<void> {
  for (const name of names) await api(moorage, `/v1/tenants/${name}`, { method: 'DELETE' })
}

async function oneByOne(moorage: Moorage, tier: Tier, round: Round): Promise<number[]> {
  const took: number[] = []
  for (const name of namesOf(tier, round).slice(1)) took.push(await measure(moorage, name, tier))
  return took
}

/** Claims everything that stands ready, one after the other, in a process that has its list of the fleet behind it. */
export async function claimAll({ folder, env }: Setting, round: Round): Promise<Took> {
  const moorage = await startMoorage(folder, {
    ...{ MOORAGE_SIM_SCALE: '1', MOORAGE_RESYNC_CRON: '0 0 1 1 *', ...env },
  })
  try {
    // The first ones after a start meet a controller that looks at everybody.
    for (const tier of tiers) await measure(moorage, namesOf(tier, round)[0] ?? '', tier)
    const running = await oneByOne(moorage, 'running', round)
    const suspended = await oneByOne(moorage, 'suspended', round)
    const names = Array.from({ length: round.colds }, (_each, index) => `cold-${round.from + index}`)
    const cold = await Promise.all(names.map((name) => measure(moorage, name, 'cold')))
    if (!round.last)
      await removeAll(
        moorage,
        tiers.flatMap((tier) => namesOf(tier, round)),
      )
    return { running, suspended, cold }
  } finally {
    await moorage.end(round.last ? 'SIGTERM' : 'SIGKILL')
  }
}

const cell = (text: string | number) => String(text).padStart(10)
const seconds = (ms: number | undefined) => ((ms ?? NaN) / 1000).toFixed(2)

function row(path: string, took: readonly number[]): string {
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return [path.padEnd(12), cell(sorted.length), ...[0.5, 0.9, 0.99, 1].map((share) => cell(seconds(at(share))))].join(
    '',
  )
}

/** The table, with what the seed of this project says of a new customer's machine beside it. */
export function claimTable(took: Took): string {
  return [
    `${'path'.padEnd(12)}${['runs', 'p50 s', 'p90 s', 'p99 s', 'max s'].map(cell).join('')}`,
    ...(Object.keys(took) as Path[]).filter((path) => took[path].length > 0).map((path) => row(path, took[path])),
    `${'the seed'.padEnd(12)}${cell('30 to 45 s, by its own account')}`,
  ].join('\n')
}
