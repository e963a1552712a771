// What a person reads and says of tenants.
import { stepWords } from '../../reconciler/step.ts'
import type { Api } from './client.ts'
import { type Column, type Format, shown, table, textAt } from './output.ts'

export const tenantPath = (name: string) => `/v1/tenants/${encodeURIComponent(name)}`

function condition(item: unknown, type: string): unknown {
  const status = (item as { status?: { conditions?: unknown } }).status?.conditions
  return Array.isArray(status) ? status.find((each: unknown) => textAt(each, 'type') === type) : undefined
}

function machine(item: unknown): string {
  const [id, state] = [textAt(item, 'status', 'machine', 'id'), textAt(item, 'status', 'machine', 'state')]
  return id === '' ? '-' : `${id} ${state}`
}

const columns: readonly Column[] = [
  ['NAME', (item) => textAt(item, 'name')],
  ['WANTED', (item) => textAt(item, 'spec', 'state')],
  ['EFFECTIVE', (item) => textAt(item, 'status', 'effective')],
  ['READY', (item) => textAt(condition(item, 'Ready'), 'status') || 'Unknown'],
  ['REASON', (item) => textAt(condition(item, 'Ready'), 'reason') || '-'],
  ['CLASS', (item) => textAt(item, 'spec', 'class')],
  ['REGION', (item) => textAt(item, 'spec', 'region')],
  ['MACHINE', machine],
]

/** One tenant, or all of them. */
export async function get(api: Api, what: string, format: Format): Promise<string> {
  if (what !== 'tenants') {
    const { body } = await api.get(tenantPath(what))
    return shown(format, body, () => table([body], columns))
  }
  const items = await api.all('/v1/tenants')
  return shown(format, { items }, () => (items.length === 0 ? 'There are no tenants.' : table(items, columns)))
}

function stepText(body: unknown): string {
  const kind = textAt(body, 'step', 'kind')
  return Object.entries(stepWords).find(([word]) => word === kind)?.[1] ?? kind
}

function planText(body: unknown, format: () => string): string {
  const message = `${textAt(body, 'message')} (${textAt(body, 'reason')})`
  switch (textAt(body, 'kind')) {
    case 'act':
      return `Next: ${stepText(body)}.`
    case 'wait':
      return `Waiting: ${message}`
    case 'stalled':
      return `Stalled: ${message}`
    case 'settled':
      return 'Nothing to do: the tenant is as wanted.'
    default:
      return format()
  }
}

/** What the controller would do next. */
export async function plan(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get(`${tenantPath(name)}/plan`)
  return shown(format, body, () => planText(body, () => shown('yaml', body, () => '')))
}

/** The sentence why the tenant is not as wanted. */
export async function why(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get(`${tenantPath(name)}/why`)
  return shown(format, body, () => textAt(body, 'text') || shown('yaml', body, () => ''))
}

const eventColumns: readonly Column[] = [
  ['LAST', (item) => textAt(item, 'lastAt')],
  ['COUNT', (item) => textAt(item, 'count')],
  ['TENANT', (item) => textAt(item, 'tenant')],
  ['REASON', (item) => textAt(item, 'reason')],
  ['MESSAGE', (item) => textAt(item, 'message')],
]

/** The newest page of events, of one tenant or of all. */
export async function events(api: Api, name: string | undefined, format: Format): Promise<string> {
  const { body } = await api.get(name === undefined ? '/v1/events' : `${tenantPath(name)}/events`)
  const { items } = body as { items?: unknown }
  const list: readonly unknown[] = Array.isArray(items) ? items : []
  return shown(format, body, () => (list.length === 0 ? 'There are no events.' : table(list, eventColumns)))
}

/** Sets the wanted state and leaves everything else; whoever wrote in between is not overwritten. */
export async function setState(api: Api, name: string, state: 'running' | 'suspended'): Promise<string> {
  const { body, etag } = await api.get(tenantPath(name))
  const { kind, labels, spec } = body as { kind: string; labels: object; spec: object }
  const document = JSON.stringify({ kind, name, labels, spec: { ...spec, state } })
  await api.put(tenantPath(name), { type: 'application/json', body: document, ifMatch: etag })
  return `tenant ${name}: ${state} is wanted`
}

export async function remove(api: Api, name: string): Promise<string> {
  await api.delete(tenantPath(name))
  return `tenant ${name} is being deleted; its volume is retained. Undo: moor undelete ${name}`
}

export async function act(api: Api, name: string, action: 'undelete' | 'retry', said: string): Promise<string> {
  await api.post(`${tenantPath(name)}/actions/${action}`)
  return `tenant ${name} ${said}`
}
