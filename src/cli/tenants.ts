// What a person reads and says of tenants.
import { parse } from 'yaml'
import type { PlanView } from '../api/insight-view.ts'
import { type Api, asJson, RequestError } from './client.ts'
import { type Format, shown } from './output.ts'

/** A plan as a person reads it: the steps ahead with their usual seconds, and where they end. */
function planText({ steps, destructive, waitsFor }: PlanView): string {
  const lines = steps.map(
    ({ verb, target, typicalSeconds, why: because }) =>
      `  ${verb}  ${target}  (usually ${typicalSeconds} s)  ${because}`,
  )
  return [
    steps.length === 0 ? 'Nothing is to be done.' : `${steps.length} step${steps.length === 1 ? '' : 's'}:`,
    ...lines,
    ...(waitsFor === null ? [] : [`Then: ${waitsFor.message} (${waitsFor.reason})`]),
    ...(destructive ? ['Something is destroyed on the way.'] : []),
  ].join('\n')
}

/** What the controller would do next. */
export async function plan(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get('/v1/tenants/{name}/plan', { params: { name } })
  return shown(format, body, () => planText(body))
}

/** The sentence why the tenant is not as wanted. */
export async function why(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get('/v1/tenants/{name}/why', { params: { name } })
  return shown(format, body, () => body.text)
}

/** How the machine differs from what is wanted. */
export async function diff(api: Api, name: string, format: Format): Promise<string> {
  const { body } = await api.get('/v1/tenants/{name}/diff', { params: { name } })
  return shown(format, body, () => shown('yaml', body, () => ''))
}

/** Changes fields of the spec and leaves everything else; whoever wrote in between is not overwritten. */
async function change(api: Api, name: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const { body, etag } = await api.get('/v1/tenants/{name}', { params: { name } })
  const { kind, labels, spec } = body
  const document = asJson({ kind, name, labels, spec: { ...spec, ...fields } }, etag)
  await api.put('/v1/tenants/{name}', { params: { name } }, document)
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
  const word = asJson(reason === undefined ? { state } : { state, reason })
  const { body } = await api.put('/v1/tenants/{name}/entitlement', { params: { name } }, word)
  return body.parked === undefined
    ? `tenant ${name}: entitlement ${state}`
    : `tenant ${name}: ${state} waits for approval, as one of many such changes; moor approve ${name}`
}

export async function remove(api: Api, name: string): Promise<string> {
  await api.delete('/v1/tenants/{name}', { params: { name } })
  return `tenant ${name} is being deleted; its volume is retained. Undo: moor undelete ${name}`
}

export async function act(api: Api, name: string, action: string, said: string, body?: object): Promise<string> {
  const sent = body === undefined ? undefined : asJson(body)
  await api.post('/v1/tenants/{name}/actions/{action}', { params: { name, action } }, sent)
  return `tenant ${name} ${said}`
}
