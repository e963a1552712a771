// What a person reads and says of the fleet as a whole: its state, taking it back, and what belongs to nobody.
import type { Api } from './client.ts'
import { table, type Column } from '../table.ts'
import { type Format, shown, textAt } from './output.ts'

export async function fleet(api: Api, format: Format): Promise<string> {
  const { body } = await api.get('/v1/fleet')
  return shown(format, body, () => shown('yaml', body, () => ''))
}

const fleetWords = {
  acknowledge: 'the lists are right: a doubt about them ends',
  retry: 'every shared wait ends',
  approve: 'everything that billing asked for and the brake parked takes effect',
} as const

export const fleetActions = Object.keys(fleetWords) as (keyof typeof fleetWords)[]
export const fleetModes = ['normal', 'observe-only'] as const

export function fleetWord(action: keyof typeof fleetWords): string {
  return fleetWords[action]
}

export async function fleetAction(api: Api, action: keyof typeof fleetWords): Promise<string> {
  await api.post(`/v1/fleet/actions/${action}`)
  return fleetWords[action]
}

export async function setMode(api: Api, mode: (typeof fleetModes)[number]): Promise<string> {
  await api.put('/v1/fleet', { type: 'application/json', body: JSON.stringify({ mode }) })
  return `mode ${mode} is wanted`
}

const rolloutColumns: readonly Column[] = [
  ['ID', (item) => textAt(item, 'id')],
  ['CLASS', (item) => textAt(item, 'class')],
  ['STATE', (item) => textAt(item, 'state')],
  ['WAVE', (item) => textAt(item, 'wave')],
  ['REASON', (item) => textAt(item, 'reason')],
  ['MESSAGE', (item) => textAt(item, 'message')],
]

export async function rollouts(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/rollouts')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no rollouts.' : table(items, rolloutColumns)))
}

const numberAt = (item: unknown, ...path: readonly string[]) => Number(textAt(item, ...path))

const rounded = (item: unknown, digits: number, ...path: readonly string[]) => numberAt(item, ...path).toFixed(digits)

function costText(item: unknown): string {
  const cost = ['status', 'costPerDay'] as const
  return `${(numberAt(item, ...cost, 'micros') / 1e6).toFixed(2)} ${textAt(item, ...cost, 'currency')}`
}

const poolColumns: readonly Column[] = [
  ['NAME', (item) => textAt(item, 'name')],
  ['REGION', (item) => textAt(item, 'spec', 'region')],
  ['CLASS', (item) => textAt(item, 'spec', 'class')],
  ['TIER', (item) => textAt(item, 'spec', 'tier')],
  ['TARGET', (item) => textAt(item, 'status', 'target')],
  ['WARM', (item) => textAt(item, 'status', 'warm')],
  ['MAKING', (item) => textAt(item, 'status', 'making')],
  ['FAILING', (item) => textAt(item, 'status', 'failing')],
  ['EXPECTED/H', (item) => rounded(item, 1, 'status', 'arrivals', 'expectedPerHour')],
  ['CAME/H', (item) => textAt(item, 'status', 'arrivals', 'lastHour')],
  ['COST/DAY', (item) => costText(item)],
  ['HITS/DAY', (item) => textAt(item, 'status', 'lastDay', 'warm')],
  ['MISSES/DAY', (item) => textAt(item, 'status', 'lastDay', 'cold')],
]

export async function pools(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/pools')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no pools.' : table(items, poolColumns)))
}

export async function steer(api: Api, action: string, id: string): Promise<string> {
  const { body } = await api.post(`/v1/rollouts/${encodeURIComponent(id)}/actions/${action}`)
  return `rollout ${id} is ${textAt(body, 'state')}`
}

const listOf = (body: unknown, key: string): readonly unknown[] => {
  const found = (body as Readonly<Record<string, unknown>> | undefined)?.[key]
  return Array.isArray(found) ? found : []
}

function adoptionText(body: unknown, dryRun: boolean): string {
  const [adopted, skipped, unclaimed] = ['adopted', 'skipped', 'unclaimed'].map((key) => listOf(body, key))
  const counts = `${adopted?.length ?? 0} ${dryRun ? 'would be adopted' : 'adopted'}, ${skipped?.length ?? 0} skipped, ${unclaimed?.length ?? 0} unclaimed`
  const drifted = (adopted ?? []).filter((item) => textAt(item, 'drift') === 'restart')
  return [
    counts,
    ...drifted.map((item) => `  ${textAt(item, 'name')}: its machine is not what its spec asks for now`),
    ...(skipped ?? []).map((item) => `  skipped ${textAt(item, 'name')}: ${textAt(item, 'reason')}`),
    ...(unclaimed ?? []).map((item) => `  ${textAt(item, 'kind')} ${textAt(item, 'id')}: ${textAt(item, 'reason')}`),
  ].join('\n')
}

export interface AdoptOptions {
  readonly dryRun: boolean
  readonly asleep: boolean
}

/** Takes a living fleet back into a database that lost it; nothing on Fly is changed. */
export async function adopt(api: Api, options: AdoptOptions, format: Format): Promise<string> {
  const { body } = await api.post('/v1/fleet/actions/adopt', options)
  return shown(format, body, () => adoptionText(body, options.dryRun))
}

const columns: readonly Column[] = [
  ['ID', (item) => textAt(item, 'id')],
  ['KIND', (item) => textAt(item, 'kind')],
  ['UID', (item) => textAt(item, 'uid')],
  ['STATE', (item) => textAt(item, 'state')],
  ['REASON', (item) => textAt(item, 'reason')],
  ['SINCE', (item) => textAt(item, 'firstSeen')],
  ['MESSAGE', (item) => textAt(item, 'message')],
]

export async function orphans(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/orphans')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no orphans.' : table(items, columns)))
}

export async function decide(api: Api, action: 'release' | 'keep', id: string): Promise<string> {
  const { body } = await api.post(`/v1/orphans/${encodeURIComponent(id)}/actions/${action}`)
  return `${id} is ${textAt(body, 'state')}: ${textAt(body, 'message')}`
}
