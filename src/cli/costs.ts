// What a person reads of usage and costs.
import type { Api } from './client.ts'
import { type Column, table } from '../table.ts'
import { type Format, shown, textAt } from './output.ts'

export interface CostOptions {
  readonly month?: string
  readonly csv: boolean
}

const number = (value: unknown, ...path: readonly string[]) => Number(textAt(value, ...path) || 0)
const hours = (value: unknown, state: string) => (number(value, 'seconds', state) / 3_600).toFixed(1)
const money = (value: unknown, ...path: readonly string[]) => (number(value, ...path) / 1e6).toFixed(2)

const columns: readonly Column[] = [
  ['TENANT', (item) => textAt(item, 'tenant') || '-'],
  ['RUNNING H', (item) => hours(item, 'started')],
  ['SUSPENDED H', (item) => hours(item, 'suspended')],
  ['STOPPED H', (item) => hours(item, 'stopped')],
  ['VOLUME GB H', (item) => number(item, 'volumeGbHours').toFixed(1)],
  ['COST', (item) => money(item, 'cost', 'total')],
  ['SAVED', (item) => money(item, 'saved')],
]

/** The costs of a month: a table with its total, JSON, YAML, or CSV as the API writes it. */
export async function cost(api: Api, { month, csv }: CostOptions, format: Format): Promise<string> {
  const query = month === undefined ? '' : `month=${encodeURIComponent(month)}`
  if (csv) return (await api.text(`/v1/costs?output=csv${query === '' ? '' : `&${query}`}`)).trimEnd()
  const { body } = await api.get(`/v1/costs${query === '' ? '' : `?${query}`}`)
  return shown(format, body, () => {
    const { items = [], total = {} } = body as { items?: readonly unknown[]; total?: object }
    const until = textAt(body, 'complete') === 'true' ? 'complete' : `so far, until ${textAt(body, 'to')}`
    const said = `${textAt(body, 'month')} (${until}), in ${textAt(body, 'currency')}, prices of ${textAt(body, 'pricesAsOf')}`
    return `${said}\n${table([...items, { ...total, tenant: 'total' }], columns)}`
  })
}
