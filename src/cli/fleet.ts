// What a person reads and says of the fleet as a whole: its state, taking it back, and what belongs to nobody.
import type { AdoptionView } from '../api/adopt.ts'
import type { OrphanView } from '../api/orphans.ts'
import type { RolloutView } from '../api/rollouts.ts'
import { table, type Column } from '../table.ts'
import { type Api, asJson } from './client.ts'
import { type Format, shown } from './output.ts'

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
  await api.post('/v1/fleet/actions/{action}', { params: { action } })
  return fleetWords[action]
}

export async function setMode(api: Api, mode: (typeof fleetModes)[number]): Promise<string> {
  await api.put('/v1/fleet', {}, asJson({ mode }))
  return `mode ${mode} is wanted`
}

const rolloutColumns: readonly Column<RolloutView>[] = [
  ['ID', ({ id }) => id],
  ['CLASS', ({ class: name }) => name],
  ['STATE', ({ state }) => state],
  ['WAVE', ({ wave }) => wave],
  ['REASON', ({ reason }) => reason],
  ['MESSAGE', ({ message }) => message],
]

export async function rollouts(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/rollouts')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no rollouts.' : table(items, rolloutColumns)))
}

export async function steer(api: Api, action: string, id: string): Promise<string> {
  const { body } = await api.post('/v1/rollouts/{id}/actions/{action}', { params: { id, action } })
  return `rollout ${id} is ${body.state}`
}

function adoptionText({ adopted, skipped, unclaimed, dryRun }: AdoptionView): string {
  const did = dryRun ? 'would be adopted' : 'adopted'
  const drifted = adopted.filter(({ drift }) => drift === 'restart')
  return [
    `${adopted.length} ${did}, ${skipped.length} skipped, ${unclaimed.length} unclaimed`,
    ...drifted.map(({ name }) => `  ${name}: its machine is not what its spec asks for now`),
    ...skipped.map(({ name, reason }) => `  skipped ${name}: ${reason}`),
    ...unclaimed.map(({ kind, id, reason }) => `  ${kind} ${id}: ${reason}`),
  ].join('\n')
}

export interface AdoptOptions {
  readonly dryRun: boolean
  readonly asleep: boolean
}

/** Takes a living fleet back into a database that lost it; nothing on Fly is changed. */
export async function adopt(api: Api, { dryRun, asleep }: AdoptOptions, format: Format): Promise<string> {
  const { body } = await api.post('/v1/fleet/actions/adopt', {}, asJson({ dryRun, asleep }))
  return shown(format, body, () => adoptionText(body))
}

const orphanColumns: readonly Column<OrphanView>[] = [
  ['ID', ({ id }) => id],
  ['KIND', ({ kind }) => kind],
  ['UID', ({ uid }) => uid],
  ['STATE', ({ state }) => state],
  ['REASON', ({ reason }) => reason],
  ['SINCE', ({ firstSeen }) => firstSeen],
  ['MESSAGE', ({ message }) => message],
]

export async function orphans(api: Api, format: Format): Promise<string> {
  const items = await api.all('/v1/orphans')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no orphans.' : table(items, orphanColumns)))
}

export async function decide(api: Api, action: 'release' | 'keep', id: string): Promise<string> {
  const { body } = await api.post('/v1/orphans/{id}/actions/{action}', { params: { id, action } })
  return `${id} is ${body.state}: ${body.message}`
}
