// What a person reads and says of tenants.
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

function stepText(step: unknown): string {
  const [does, target, why] = ['does', 'target', 'why'].map((key) => textAt(step, key))
  const harm = textAt(step, 'destructive') === 'true' ? ' (cannot be taken back)' : ''
  return `${does ?? ''} ${target ?? ''}${harm}: ${why ?? ''}`
}

function endText(body: unknown): string {
  const message = textAt(body, 'waitsFor', 'message') || textAt(body, 'decision', 'message')
  switch (textAt(body, 'ends')) {
    case 'settled':
      return 'Then the tenant is as wanted.'
    case 'stalled':
      return `Then only a person helps: ${message}`
    default:
      return `Then it waits: ${message}`
  }
}

function planText(body: unknown): string {
  const { steps } = body as { steps?: unknown }
  const list: readonly unknown[] = Array.isArray(steps) ? steps : []
  if (list.length === 0 && textAt(body, 'ends') === 'settled') return 'Nothing to do: the tenant is as wanted.'
  const seconds = textAt(body, 'typicalSeconds')
  const rows = list.map((step, at) => `${at + 1}. ${stepText(step)}`)
  return [...rows, endText(body), ...(list.length === 0 ? [] : [`Usually ${seconds} s.`])].join('\n')
}

/** What the controller would do, step by step. */
export async function plan(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get(`${tenantPath(name)}/plan`)
  return shown(format, body, () => planText(body))
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
