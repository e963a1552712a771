// What a person does about webhooks out.
import type { DeliveryView, EndpointView } from '../api/webhooks.ts'
import { type Column, table } from '../table.ts'
import { type Api, asJson } from './client.ts'
import { type Format, shown } from './output.ts'

const endpointColumns: readonly Column<EndpointView>[] = [
  ['ID', ({ id }) => id],
  ['STATE', ({ state }) => state],
  ['URL', ({ url }) => url],
  ['EVENTS', ({ events }) => (events.length === 0 ? 'all' : events.join(','))],
  ['REASON', ({ reason }) => reason ?? ''],
]

const deliveryColumns: readonly Column<DeliveryView>[] = [
  ['ID', ({ id }) => id],
  ['TENANT', ({ tenant }) => tenant],
  ['TYPE', ({ type }) => type],
  ['STATE', ({ state }) => state],
  ['TRIES', ({ attempts }) => String(attempts)],
  ['NEXT', ({ nextAt }) => nextAt ?? ''],
  ['ERROR', ({ lastError }) => lastError ?? ''],
]

export async function endpoints(api: Api, format: Format): Promise<string> {
  const { body } = await api.get('/v1/webhook-endpoints')
  return shown(format, body, () => (body.items.length === 0 ? 'Nobody is told.' : table(body.items, endpointColumns)))
}

export async function addEndpoint(api: Api, url: string, wanted: readonly string[]): Promise<string> {
  const document = asJson({ url, ...(wanted.length === 0 ? {} : { events: wanted }) })
  const { body } = await api.post('/v1/webhook-endpoints', {}, document)
  return `${body.id} is told from now on. Its secret, which is shown only now:\n${body.secret}`
}

export async function removeEndpoint(api: Api, id: string): Promise<string> {
  await api.delete('/v1/webhook-endpoints/{id}', { params: { id } })
  return `${id} is told no more.`
}

export async function testEndpoint(api: Api, id: string): Promise<string> {
  const { body } = await api.post('/v1/webhook-endpoints/{id}/actions/test', { params: { id } })
  return `It will be told: ${body.delivery}`
}

/** All that are kept, page after page. */
export async function deliveries(api: Api, state: string | undefined, format: Format): Promise<string> {
  const items = await api.all('/v1/webhook-deliveries', { query: { state } })
  return shown(format, { items }, () => (items.length === 0 ? 'There are none.' : table(items, deliveryColumns)))
}

export async function redeliver(api: Api, id: string): Promise<string> {
  await api.post('/v1/webhook-deliveries/{id}/actions/redeliver', { params: { id } })
  return `${id} will be told again.`
}
