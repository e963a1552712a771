// What a person does about webhooks out.
import type { Api } from './client.ts'
import { type Column, table } from '../table.ts'
import { type Format, shown, textAt } from './output.ts'

const path = '/v1/webhook-endpoints'

function events(item: unknown): string {
  const { events: list } = item as { readonly events?: readonly string[] }
  return list === undefined || list.length === 0 ? 'all' : list.join(',')
}

const endpointColumns: readonly Column[] = [
  ['ID', (item) => textAt(item, 'id')],
  ['STATE', (item) => textAt(item, 'state')],
  ['URL', (item) => textAt(item, 'url')],
  ['EVENTS', events],
  ['REASON', (item) => textAt(item, 'reason')],
]

const deliveryColumns: readonly Column[] = [
  ['ID', (item) => textAt(item, 'id')],
  ['TENANT', (item) => textAt(item, 'tenant')],
  ['TYPE', (item) => textAt(item, 'type')],
  ['STATE', (item) => textAt(item, 'state')],
  ['TRIES', (item) => textAt(item, 'attempts')],
  ['NEXT', (item) => textAt(item, 'nextAt')],
  ['ERROR', (item) => textAt(item, 'lastError')],
]

function rows(body: unknown, columns: readonly Column[], none: string): string {
  const { items = [] } = body as { readonly items?: readonly unknown[] }
  return items.length === 0 ? none : table(items, columns)
}

export async function endpoints(api: Api, format: Format): Promise<string> {
  const { body } = await api.get(path)
  return shown(format, body, () => rows(body, endpointColumns, 'Nobody is told.'))
}

export async function addEndpoint(api: Api, url: string, wanted: readonly string[]): Promise<string> {
  const { body } = await api.post(path, { url, ...(wanted.length === 0 ? {} : { events: wanted }) })
  return `${textAt(body, 'id')} is told from now on. Its secret, which is shown only now:\n${textAt(body, 'secret')}`
}

export async function removeEndpoint(api: Api, id: string): Promise<string> {
  await api.delete(`${path}/${encodeURIComponent(id)}`)
  return `${id} is told no more.`
}

export async function testEndpoint(api: Api, id: string): Promise<string> {
  const { body } = await api.post(`${path}/${encodeURIComponent(id)}/actions/test`)
  return `It will be told: ${textAt(body, 'delivery')}`
}

export async function deliveries(api: Api, state: string | undefined, format: Format): Promise<string> {
  const query = state === undefined ? '' : `?state=${encodeURIComponent(state)}`
  const { body } = await api.get(`/v1/webhook-deliveries${query}`)
  return shown(format, body, () => rows(body, deliveryColumns, 'There are none.'))
}

export async function redeliver(api: Api, id: string): Promise<string> {
  await api.post(`/v1/webhook-deliveries/${encodeURIComponent(id)}/actions/redeliver`)
  return `${id} will be told again.`
}
