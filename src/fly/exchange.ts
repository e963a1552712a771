// Request out, answer back, over HTTP and within a time limit. It does not judge the answer.
import type { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import { pathOf, type FlyCall, type TimeLimit } from './call.ts'
import { networkFault, timeoutFault, type Judged, type Reply } from './errors.ts'

export interface Line {
  /** Without `/v1`, such as https://api.machines.dev. */
  readonly baseUrl: string
  readonly authorization: string
  readonly clock: Clock
  readonly timeoutMs: number
}

/** What Fly takes longer than it was asked to, and the way there and back. */
const marginMs = 5_000

function limitMs(limit: TimeLimit, usualMs: number): number {
  if (limit === 'usual') return usualMs
  return limit === 'create' ? 2 * usualMs : limit.flySeconds * 1000 + marginMs
}

/** Everything before the `/v1` of each URL. Throws a TypeError for what cannot be a base URL. */
export function originOf(baseUrl: string): string {
  const url = URL.parse(baseUrl)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new TypeError('the Fly base URL must begin with http:// or https://')
  const origin = url.origin + url.pathname.replace(/\/+$/, '')
  if (origin.endsWith('/v1')) throw new TypeError('the Fly base URL must not end in /v1: the client adds it')
  return origin
}

function urlOf(origin: string, { path, query = {} }: FlyCall<z.ZodType>): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value))
  return `${origin}/v1${pathOf(path)}${search.size === 0 ? '' : `?${search.toString()}`}`
}

function requestOf({ method, body, nonce }: FlyCall<z.ZodType>, authorization: string): RequestInit {
  const headers: Record<string, string> = { authorization, accept: 'application/json', 'user-agent': 'moorage' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (nonce !== undefined) headers['fly-machine-lease-nonce'] = nonce
  // A redirect would carry the request elsewhere; Fly sends none.
  const request: RequestInit = { method, headers, redirect: 'manual' }
  return body === undefined ? request : { ...request, body: JSON.stringify(body) }
}

export type Exchange = (call: FlyCall<z.ZodType>, judged: Judged, given?: AbortSignal) => Promise<Reply>

/**
 * Performs exchanges; connections are kept for the next one. Throws a Fault when no whole answer came in time, and the
 * signal's reason when the caller gave up.
 */
export function exchanger({ baseUrl, authorization, clock, timeoutMs }: Line): Exchange {
  const origin = originOf(baseUrl)
  return async (call, judged, given) => {
    const allowedMs = limitMs(call.timeLimit ?? 'usual', timeoutMs)
    const late = new AbortController()
    const cancel = clock.after(allowedMs, () => late.abort())
    try {
      const signal = given === undefined ? late.signal : AbortSignal.any([late.signal, given])
      const response = await fetch(urlOf(origin, call), { ...requestOf(call, authorization), signal })
      const body = await response.text()
      return { status: response.status, body, header: (name) => response.headers.get(name) ?? undefined }
    } catch (error) {
      given?.throwIfAborted()
      throw late.signal.aborted ? timeoutFault(call.call, allowedMs) : networkFault(error, judged)
    } finally {
      cancel()
    }
  }
}
