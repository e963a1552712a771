// What a person reads of usage and costs.
import type { Costs } from '../api/costs-view.ts'
import { type Column, table } from '../table.ts'
import type { Api } from './client.ts'
import { type Format, shown } from './output.ts'

export interface CostOptions {
  readonly month?: string
  readonly csv: boolean
}

type Line = Costs['total'] & { readonly tenant: string }

const hours = (seconds = 0) => (seconds / 3_600).toFixed(1)
const money = (micros: number) => (micros / 1e6).toFixed(2)

const columns: readonly Column<Line>[] = [
  ['TENANT', ({ tenant }) => (tenant === '' ? '-' : tenant)],
  ['RUNNING H', ({ seconds }) => hours(seconds.started)],
  ['SUSPENDED H', ({ seconds }) => hours(seconds.suspended)],
  ['STOPPED H', ({ seconds }) => hours(seconds.stopped)],
  ['VOLUME GB H', ({ volumeGbHours }) => volumeGbHours.toFixed(1)],
  ['COST', ({ cost: { total } }) => money(total)],
  ['SAVED', ({ saved }) => money(saved)],
]

/** The costs of a month: a table with its total, JSON, YAML, or CSV as the API writes it. */
export async function cost(api: Api, { month, csv }: CostOptions, format: Format): Promise<string> {
  if (csv) return (await api.text('/v1/costs', { query: { output: 'csv', month } })).trimEnd()
  const { body } = await api.get('/v1/costs', { query: { month } })
  return shown(format, body, () => {
    const { items, total, complete, to } = body
    const until = complete ? 'complete' : `so far, until ${to}`
    const said = `${body.month} (${until}), in ${body.currency}, prices of ${body.pricesAsOf}`
    return `${said}\n${table([...items, { ...total, tenant: 'total' }], columns)}`
  })
}
