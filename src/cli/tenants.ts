// What a person reads and says of tenants.
import { type Api, RequestError } from './client.ts'
import { parse } from 'yaml'
import { table, type Column } from '../table.ts'
import { type Format, shown, textAt } from './output.ts'

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

/** A plan as a person reads it: the steps ahead with their usual seconds, and where they end. */
function planText(body: unknown): string {
  const { steps = [], destructive } = body as { readonly steps?: readonly unknown[]; readonly destructive?: boolean }
  const lines = steps.map((step) => {
    const seconds = textAt(step, 'typicalSeconds')
    return `  ${textAt(step, 'verb')}  ${textAt(step, 'target')}  (usually ${seconds} s)  ${textAt(step, 'why')}`
  })
  const waits = textAt(body, 'waitsFor', 'message')
  return [
    steps.length === 0 ? 'Nothing is to be done.' : `${steps.length} step${steps.length === 1 ? '' : 's'}:`,
    ...lines,
    ...(waits === '' ? [] : [`Then: ${waits} (${textAt(body, 'waitsFor', 'reason')})`]),
    ...(destructive === true ? ['Something is destroyed on the way.'] : []),
  ].join('\n')
}

/** What the controller would do next. */
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

/** How the machine differs from what is wanted. */
export async function diff(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get(`${tenantPath(name)}/diff`)
  return shown(format, body, () => shown('yaml', body, () => ''))
}

/** Changes fields of the spec and leaves everything else; whoever wrote in between is not overwritten. */
async function change(api: Api, name: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const { body, etag } = await api.get(tenantPath(name))
  const { kind, labels, spec } = body as { kind: string; labels: object; spec: object }
  const document = JSON.stringify({ kind, name, labels, spec: { ...spec, ...fields } })
  await api.put(tenantPath(name), { type: 'application/json', body: document, ifMatch: etag })
}

export async function setState(api: Api, name: string, state: 'running' | 'suspended'): Promise<string> {
  await change(api, name, { state })
  return `tenant ${name}: ${state} is wanted`
}

/** `field=value` as it stands in YAML: `paused=false`, `volume={sizeGb: 3}`. */
function assignment(text: string): readonly [string, unknown] {
  const [field, value] = [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]
  if (!text.includes('=') || field === '') throw new RequestError(`"${text}" is not of the form field=value.`)
  return [field, parse(value)]
}

export async function setFields(api: Api, name: string, assignments: readonly string[]): Promise<string> {
  await change(api, name, Object.fromEntries(assignments.map(assignment)))
  return `tenant ${name}: ${assignments.join(' ')} is wanted`
}

/** Billing's word. */
export async function entitle(api: Api, name: string, state: string, reason: string | undefined): Promise<string> {
  const body = JSON.stringify(reason === undefined ? { state } : { state, reason })
  const answer = await api.put(`${tenantPath(name)}/entitlement`, { type: 'application/json', body })
  return textAt(answer.body, 'parked', 'entitlement', 'state') === ''
    ? `tenant ${name}: entitlement ${state}`
    : `tenant ${name}: ${state} waits for approval, as one of many such changes; moor approve ${name}`
}

export async function remove(api: Api, name: string): Promise<string> {
  await api.delete(tenantPath(name))
  return `tenant ${name} is being deleted; its volume is retained. Undo: moor undelete ${name}`
}

export async function act(api: Api, name: string, action: string, said: string, body?: object): Promise<string> {
  await api.post(`${tenantPath(name)}/actions/${action}`, body)
  return `tenant ${name} ${said}`
}
