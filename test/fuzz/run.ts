// Sends generated requests and holds each answer against the description: no 5xx of ours, no hang, and a refused request
// changes nothing in the whole database.
import fc from 'fast-check'
import type { Db } from 'mongodb'
import { ask, type Answer } from '../helpers/client.ts'
import { undescribed } from '../helpers/described.ts'
import { fuzzRequest, type FuzzRequest } from './requests.ts'

export interface Target {
  readonly url: string
  readonly token: string
  readonly db: Db
}

export interface FuzzReport {
  readonly requests: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly defects: readonly string[]
}

/** Kept answers are no change of anything that a caller could see; refusals are in the audit. */
const aside = new Set(['replays', 'events', 'audit', 'heads'])

async function everything(db: Db): Promise<string> {
  const found: unknown[] = []
  for (const { name } of await db.listCollections().toArray())
    if (!aside.has(name)) found.push([name, await db.collection(name).find().sort({ _id: 1 }).toArray()])
  return JSON.stringify(found.sort())
}

function faultOf({ method, path }: FuzzRequest, answer: Answer): string | undefined {
  // 503: a part that this process does not have.
  if (answer.status >= 500 && answer.status !== 503) return `${answer.status}: ${answer.text}`
  return undescribed(method, path, answer)
}

async function tryOne({ url, token, db }: Target, request: FuzzRequest, before: string) {
  const { method, path, body } = request
  const headers = { authorization: `Bearer ${token}`, ...request.headers }
  const answer = await ask(`${url}${path}`, { method, headers, body, timeoutMs: 30_000 }).catch(
    (error: unknown) => error,
  )
  if (answer instanceof Error) return { status: 'none', after: before, fault: answer.message }
  const { status } = answer as Answer
  const after = method === 'GET' && status < 400 ? before : await everything(db)
  const changed = status >= 400 && after !== before ? 'a refused request changed the database' : undefined
  return { status: String(status), after, fault: faultOf(request, answer as Answer) ?? changed }
}

/** Sends `count` requests that follow from `seed`, one after the other. */
export async function fuzz(target: Target, count: number, seed: number): Promise<FuzzReport> {
  const requests = fc.sample(fuzzRequest, { numRuns: count, seed })
  const byStatus = new Map<string, number>()
  const defects: string[] = []
  let before = await everything(target.db)
  for (const [index, request] of requests.entries()) {
    const { status, after, fault } = await tryOne(target, request, before)
    before = after
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    if (fault !== undefined) defects.push(`seed ${seed}, request ${index}: ${JSON.stringify(request)}\n  ${fault}`)
  }
  return { requests: requests.length, byStatus: Object.fromEntries([...byStatus].sort()), defects }
}
