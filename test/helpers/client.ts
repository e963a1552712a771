// What a user does in an end-to-end test: the REST API, the proxy with a Host header, and a look at the simulator.
import http from 'node:http'
import { checkDescribed } from './described.ts'
import type { Moorage } from './processes.ts'
import { until } from './processes.ts'

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
  json(): Record<string, unknown>
}

export interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | undefined
  readonly timeoutMs?: number
}

/** One request without any client's own ideas: the Host header is ours to set. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, body, timeoutMs = 10_000 }: Asked = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false, timeout: timeoutMs }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(parts).toString()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        })
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)))
    request.on('error', reject)
    request.end(body)
  })
}

export interface TenantAnswer {
  readonly uid: string
  readonly name: string
  readonly spec: { readonly state: string }
  readonly generation: number
  readonly revision: number
  readonly status: {
    readonly observedGeneration: number
    readonly effective: string
    readonly conditions: readonly {
      type: string
      status: string
      reason: string
      message: string
      nextTryAt?: string
    }[]
    readonly machine?: { readonly id: string; readonly state: string; readonly incarnation: number }
    readonly volume?: { readonly id: string }
    readonly hosts: readonly string[]
  }
}

/** One request to the API; the answer is held against its description. */
export async function api(moorage: Pick<Moorage, 'api' | 'token'>, path: string, asked: Asked = {}): Promise<Answer> {
  const headers = { authorization: `Bearer ${moorage.token}`, ...asked.headers }
  return checkDescribed(asked.method ?? 'GET', path, await ask(`${moorage.api}${path}`, { ...asked, headers }))
}

/** Applies a tenant as JSON. */
export function put(
  moorage: Moorage,
  name: string,
  spec: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = JSON.stringify({ kind: 'Tenant', name, labels: {}, spec })
  return api(moorage, `/v1/tenants/${name}`, {
    method: 'PUT',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

export async function tenant(moorage: Moorage, name: string): Promise<TenantAnswer> {
  const answer = await api(moorage, `/v1/tenants/${name}`)
  if (answer.status !== 200) throw new Error(`GET ${name}: ${answer.status} ${answer.text}`)
  return answer.json() as unknown as TenantAnswer
}

/** A page of the tenant's, through the proxy. */
export function visit(moorage: Moorage, name: string, path = '/', asked: Asked = {}): Promise<Answer> {
  const host = `${name}.localhost:${moorage.proxyPort}`
  return ask(`http://127.0.0.1:${moorage.proxyPort}${path}`, { ...asked, headers: { host, ...asked.headers } })
}

export function condition(answer: TenantAnswer, type: string) {
  return answer.status.conditions.find((one) => one.type === type)
}

/** Waits until the newest wish has been acted on and holds. */
export function converged(moorage: Moorage, name: string, limitMs = 40_000): Promise<TenantAnswer> {
  return until(`${name} has converged`, limitMs, async () => {
    const answer = await tenant(moorage, name)
    const quiet = condition(answer, 'Reconciling') === undefined && condition(answer, 'Stalled') === undefined
    const acted = answer.status.observedGeneration === answer.generation
    return acted && quiet && condition(answer, 'Synced')?.status === 'True' ? answer : undefined
  })
}

export interface FlyState {
  readonly machines: readonly {
    id: string
    name: string
    state: string
    private_ip: string
    config: { env: Record<string, string>; mounts: { volume: string }[]; metadata: Record<string, string> }
  }[]
  readonly volumes: readonly { id: string; name: string; state: string; attached_machine_id?: string | null }[]
  readonly certificates: readonly { hostname: string }[]
  readonly calls: Readonly<Record<string, number>>
}

/** Everything that the simulated Fly holds. */
export async function flyState(url: string): Promise<FlyState> {
  return (await ask(`${url}/_sim/state`)).json() as unknown as FlyState
}
