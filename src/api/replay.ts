// Idempotency-Key on POST: the same request again gets the answer that it got, and is not carried out twice.
import { createHash } from 'node:crypto'
import type { Context } from 'koa'
import type { Clock } from '../../specs/clock.ts'
import type { KeptAnswer, Replays } from '../store/replays.ts'
import { bytesOf } from './body.ts'
import { callerOf } from './caller.ts'
import { asProblem } from './failure.ts'
import { Problem, problemBody } from './problem.ts'

export interface ReplayContext {
  readonly replays: Replays
  readonly clock: Clock
}

const keyShape = /^[\x21-\x7e]{1,255}$/
/** What an answer says beside its body and what every answer has. */
const keptHeaders = ['content-type', 'etag', 'location', 'retry-after']

const digest = (...parts: (string | Buffer)[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('base64url')
}

function refusal(kind: 'running' | 'other-request'): Problem {
  if (kind === 'other-request')
    return new Problem(422, 'key-reused', 'This Idempotency-Key came with another request before: take a new one.')
  const headers = { 'Retry-After': '1' }
  return new Problem(409, 'in-progress', 'The first request with this Idempotency-Key is still at work.', { headers })
}

/** The headers that the operation set. */
function headersOf(context: Context): Record<string, string> {
  const set = keptHeaders.map((name) => [name, context.response.get(name)] as const)
  return Object.fromEntries(set.filter(([, value]) => value !== ''))
}

function answerOf(context: Context): KeptAnswer {
  const body: unknown = context.body
  const text = typeof body === 'string' ? body : body === undefined || body === null ? '' : JSON.stringify(body)
  return { status: context.status, headers: headersOf(context), body: text }
}

function replay(context: Context, { status, headers, body }: KeptAnswer): void {
  context.status = status
  if (body !== '') context.body = body
  context.set({ ...headers, 'Idempotent-Replayed': 'true' })
}

/** A problem is as good an answer as any, unless it is ours or passes by itself. */
function keptProblem(context: Context, error: unknown): KeptAnswer | undefined {
  const problem = asProblem(error)
  if (problem.status >= 500 || problem.status === 429 || problem.code === 'conflict') return undefined
  const headers = { ...problem.details.headers, 'content-type': 'application/problem+json' }
  const body = JSON.stringify(problemBody(problem, context.response.get('x-request-id')))
  return { status: problem.status, headers, body }
}

/** Serves the request, once for a key. Throws 400, 409 or 422 where the key does not allow it. */
export async function onceForKey(
  { replays, clock }: ReplayContext,
  context: Context,
  serve: () => Promise<void>,
): Promise<void> {
  const key = context.get('idempotency-key')
  if (key === '') return serve()
  if (!keyShape.test(key))
    throw new Problem(400, 'bad-request', 'An Idempotency-Key has 1 to 255 visible ASCII characters.')
  const { method, path, querystring } = context
  const id = digest(callerOf(context).id, method, path, key)
  const fingerprint = digest(querystring, context.get('content-type'), await bytesOf(context))
  const begun = await replays.begin(id, fingerprint, clock.now())
  if (begun.kind === 'answered') {
    replay(context, begun.answer)
    return
  }
  if (begun.kind !== 'mine') throw refusal(begun.kind)
  try {
    await serve()
  } catch (error) {
    const kept = keptProblem(context, error)
    await (kept === undefined ? replays.forget(id) : replays.finish(id, kept))
    throw error
  }
  await replays.finish(id, answerOf(context))
}
