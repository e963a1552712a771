// Sends generated requests and holds each answer against the description: no 5xx of ours, no hang, and a refused request
// changes nothing in the whole database.
import fc from 'fast-check'
import type { Db } from 'mongodb'
import { Webhook } from 'standardwebhooks'
import { ask, type Answer } from '../helpers/client.ts'
import { undescribed } from '../helpers/described.ts'
import { everything } from '../helpers/everything.ts'
import { fuzzRequest, knownId, type FuzzRequest, type Sender } from './requests.ts'

export interface Target {
  readonly url: string
  readonly tokens: Readonly<Record<Sender, string>>
  readonly billingSecret: string
  /** Ids that are there already, by what they are of. */
  readonly ids: Readonly<Record<string, string>>
  readonly db: Db
}

export interface FuzzReport {
  readonly requests: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly defects: readonly string[]
}

/** The only parts that this process does not have answer with 404, so nothing is unavailable. */
function faultOf({ method, path }: FuzzRequest, answer: Answer): string | undefined {
  if (answer.status >= 500) return `${answer.status}: ${answer.text}`
  return undescribed(method, path, answer)
}

/** Billing's messages are signed, or nothing of them would be read. */
function signed({ billingSecret }: Target, { path, body = '' }: FuzzRequest, index: number): Record<string, string> {
  if (!path.startsWith('/v1/hooks/billing')) return {}
  const [id, at] = [`msg_${index}`, new Date()]
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(billingSecret).sign(id, at, body),
  }
}

interface Named {
  readonly id?: unknown
  readonly token?: { readonly id?: unknown }
  readonly delivery?: unknown
}

/** The ids that answers have told, by what they are of: no description says which there will be. */
class Ids {
  readonly #known: Map<string, string>

  constructor(first: Readonly<Record<string, string>>) {
    this.#known = new Map(Object.entries(first))
  }

  /** An address with an id that is there, where one is known. */
  filled(path: string): string {
    const [, collection = ''] = /^\/v1\/([\w-]+)/.exec(path) ?? []
    return path.replace(knownId, encodeURIComponent(this.#known.get(collection) ?? 'none'))
  }

  learn(path: string, { status, headers, text }: Answer): void {
    const [, collection] = /^\/v1\/([\w-]+)/.exec(path) ?? []
    if (collection === undefined || status >= 300 || headers['content-type']?.startsWith('application/json') !== true)
      return
    const told = JSON.parse(text) as Named & { readonly items?: readonly Named[] }
    if (typeof told.delivery === 'string') this.#known.set('webhook-deliveries', told.delivery)
    // The senders' own tokens are in that list, and would be revoked.
    const listed = collection === 'tokens' ? [] : (told.items ?? [])
    for (const id of [...listed, told].map((one) => one.id ?? one.token?.id))
      if (typeof id === 'string') this.#known.set(collection, id)
  }
}

interface Turn {
  readonly request: FuzzRequest
  readonly ids: Ids
  readonly index: number
}

async function tryOne(target: Target, { request, ids, index }: Turn, before: string) {
  const { method, body } = request
  const path = ids.filled(request.path)
  const authorization = `Bearer ${target.tokens[request.as]}`
  const headers = { authorization, ...signed(target, request, index), ...request.headers }
  const answer = await ask(`${target.url}${path}`, { method, headers, body, timeoutMs: 30_000 }).catch(
    (error: unknown) => error,
  )
  if (answer instanceof Error) return { status: 'none', after: before, fault: answer.message }
  const { status } = answer as Answer
  ids.learn(path, answer as Answer)
  const mayChange = method !== 'GET' && status < 400
  const after = await everything(target.db)
  const changed = !mayChange && after !== before ? `${method} with ${status} changed the database` : undefined
  return { status: String(status), after, fault: faultOf({ ...request, path }, answer as Answer) ?? changed }
}

/** Sends `count` requests that follow from `seed`, one after the other. */
export async function fuzz(target: Target, count: number, seed: number): Promise<FuzzReport> {
  const requests = fc.sample(fuzzRequest, { numRuns: count, seed })
  const byStatus = new Map<string, number>()
  const defects: string[] = []
  const ids = new Ids(target.ids)
  let before = await everything(target.db)
  for (const [index, request] of requests.entries()) {
    const { status, after, fault } = await tryOne(target, { request, ids, index }, before)
    before = after
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    if (fault !== undefined) defects.push(`seed ${seed}, request ${index}: ${JSON.stringify(request)}\n  ${fault}`)
  }
  return { requests: requests.length, byStatus: Object.fromEntries([...byStatus].sort()), defects }
}
