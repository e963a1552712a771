// The proxy's own answers: a page for browsers, problem+json (RFC 9457) for everything else. Pure. An answer never says
// where a tenant lives: no address, no machine, no query, and nothing of another tenant.
import { createHash } from 'node:crypto'
import type { ClosedReason } from '../specs/route.ts'
import { htmlPage, refreshScript } from './page-html.ts'

export type Reason =
  | ClosedReason
  | 'unknown'
  | 'unwoken'
  | 'left-open'
  | 'bad-request'
  | 'request-timeout'
  | 'headers-too-large'
  | 'unreachable'
  | 'timeout'
  | 'mismatch'
  | 'resting'
  | 'busy'
  | 'too-many-requests'
  | 'crowded'
  | 'too-large'
  | 'internal'

interface Wording {
  readonly status: number
  readonly title: string
  readonly detail: string
}

const wordings: Record<Reason, Wording> = {
  unknown: { status: 404, title: 'Nothing lives here', detail: 'No assistant is known under this name.' },
  provisioning: {
    status: 503,
    title: 'Getting ready',
    detail: 'This assistant is being started. It usually takes less than a minute.',
  },
  asleep: { status: 503, title: 'Asleep', detail: 'This assistant is asleep and is being woken.' },
  unwoken: {
    status: 503,
    title: 'Asleep',
    detail: 'This assistant is asleep, and the part of the platform that wakes it cannot be reached now.',
  },
  'left-open': {
    status: 503,
    title: 'Asleep',
    detail: 'This assistant has fallen asleep. A page that was left open does not wake it: load the page again.',
  },
  waking: { status: 503, title: 'Waking up', detail: 'This assistant is waking up. It usually takes a few seconds.' },
  suspended: { status: 503, title: 'Paused', detail: 'This assistant is paused. Its owner can start it again.' },
  billing: {
    status: 402,
    title: 'Paused for billing',
    detail: 'This assistant is paused until its subscription is active again. Its data is kept.',
  },
  deleting: { status: 410, title: 'Gone', detail: 'This assistant has been deleted.' },
  failed: {
    status: 503,
    title: 'Not available',
    detail: 'This assistant could not be started. The operators can see why, and it is tried again.',
  },
  unreachable: { status: 502, title: 'No answer', detail: 'This assistant did not answer. Please try again shortly.' },
  timeout: { status: 504, title: 'No answer in time', detail: 'This assistant took too long to answer.' },
  mismatch: {
    status: 502,
    title: 'Not verified',
    detail: 'What answered could not prove that it is this assistant, so the request was not passed on.',
  },
  resting: {
    status: 503,
    title: 'No answer',
    detail: 'This assistant did not answer several times in a row. It is tried again in a few seconds.',
  },
  busy: { status: 503, title: 'Busy', detail: 'This assistant has too many requests in progress. Please try again.' },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    detail: 'This assistant gets more requests than it may. Please try again in a moment.',
  },
  crowded: {
    status: 503,
    title: 'Waking up',
    detail: 'This assistant is waking up, and many requests wait for it already.',
  },
  'too-large': { status: 413, title: 'Too large', detail: 'The request’s body is larger than this assistant may get.' },
  'bad-request': { status: 400, title: 'Bad request', detail: 'The request cannot be understood.' },
  'request-timeout': { status: 408, title: 'Too slow', detail: 'The request did not arrive in time.' },
  'headers-too-large': { status: 431, title: 'Headers too large', detail: 'The headers of the request are too large.' },
  internal: { status: 500, title: 'Something broke', detail: 'The request failed inside the proxy.' },
}

/** The tenant is on its way: a page looks again by itself. */
const comesUp: readonly Reason[] = ['provisioning', 'asleep', 'unwoken', 'waking', 'crowded']

/** What is broken is not mended within seconds, so asking again sooner helps nobody. */
const slow: readonly Reason[] = ['failed', 'unwoken', 'left-open']
const slowRetrySeconds = 30

export interface PageRequest {
  readonly reason: Reason
  readonly requestId: string
  readonly accept: string | undefined
  /** In seconds. */
  readonly retrySeconds: number
  /** Replaces the reason's own sentence. */
  readonly detail?: string | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export function statusOf(reason: Reason): number {
  return wordings[reason].status
}

/** In how many seconds it is worth asking again; undefined where nothing is promised. */
export function retryAfter(reason: Reason, retrySeconds: number): number | undefined {
  if (slow.includes(reason)) return Math.max(slowRetrySeconds, retrySeconds)
  if (comesUp.includes(reason) || reason === 'resting') return retrySeconds
  if (reason === 'busy' || reason === 'too-many-requests') return 1
  return undefined
}

/** Whether the client takes HTML; a `q=0` refuses it. */
export function wantsHtml(accept: string | undefined): boolean {
  const range = (accept ?? '').toLowerCase().split(',').map((part) => part.trim()).find((part) => /^text\/html\s*(;|$)/.test(part)) // prettier-ignore
  return range !== undefined && !/;\s*q=0(\.0*)?\s*(;|$)/.test(range)
}

/** The whole answer for a reason. */
export function page({ reason, requestId, accept, retrySeconds, detail }: PageRequest): Answer {
  const words = { ...wordings[reason], ...(detail === undefined ? {} : { detail }) }
  const seconds = retryAfter(reason, retrySeconds)
  const html = wantsHtml(accept)
  const problem = {
    type: `urn:moorage:problem:${reason}`,
    title: words.title,
    status: words.status,
    detail: words.detail,
    code: reason,
    requestId,
  }
  const refresh = comesUp.includes(reason) ? seconds : undefined
  const body = html ? htmlPage({ ...words, requestId, refresh }) : `${JSON.stringify(problem)}\n`
  return {
    status: words.status,
    headers: {
      'content-type': html ? 'text/html; charset=utf-8' : 'application/problem+json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      vary: 'accept',
      'x-content-type-options': 'nosniff',
      'x-request-id': requestId,
      ...(html ? { 'content-security-policy': contentPolicy, 'referrer-policy': 'no-referrer' } : {}),
      ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
    },
    body,
  }
}

const scriptHash = createHash('sha256').update(refreshScript).digest('base64')

const contentPolicy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
