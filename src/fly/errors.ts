// A refused or lost call -> Fault. The table below is the only place that reads Fly's statuses and sentences.
import type { Instant } from '../../specs/clock.ts'
import { Fault, type FaultKind } from '../../specs/faults.ts'

/** An answer that is not a success. */
export interface Reply {
  readonly status: number
  readonly body: string
  /** Of the answer; names in lower case. */
  header(name: string): string | undefined
  /** The status to judge it by, where Fly says 200 to a failure. */
  readonly judgedAs?: number
}

export interface Judged {
  readonly call: string
  readonly now: () => Instant
  /** Takes secrets out of a text. */
  readonly scrub: (text: string) => string
}

interface Row {
  readonly kind: FaultKind
  /** The first and the last status that the row is about. */
  readonly status: readonly [number, number]
  /** The `status` word in the body. */
  readonly marker?: string
  /** Found in Fly's sentence, or in the whole body where there is none. */
  readonly says?: RegExp
}

const refused = [400, 499] as const
const only = (status: number) => [status, status] as const

/**
 * In this order; the first row that fits decides. Sources: fly-api.md part 8, which gathers fly-go's own error tests,
 * Fly's documents and measurements on the live API. A status word outranks the sentence, because Fly's staff classified
 * it; the sentences are no contract and match only where there is no such word. A 5xx is never read for its words: what
 * broke inside Fly may quote any of them.
 */
export const faultRows: readonly Row[] = [
  // One dead host is not an outage of the API.
  { kind: 'hostDown', status: only(503), says: /host\b.{0,40}\bunreachable/i },
  { kind: 'unavailable', status: [500, 599] },
  { kind: 'throttled', status: only(429) },
  // A page of HTML comes from something in between (a captive portal, a proxy), which knows nothing of our machines.
  { kind: 'unavailable', status: refused, says: /^\s*<(?:!doctype|html)/i },
  { kind: 'unauthorized', status: only(401) },
  { kind: 'quota', status: only(403), says: /quota/i },
  { kind: 'unauthorized', status: only(403) },
  { kind: 'notFound', status: only(404) },
  { kind: 'notFound', status: only(410) },
  { kind: 'timeout', status: only(408) },
  { kind: 'regionFull', status: refused, marker: 'insufficient_capacity' },
  { kind: 'hostFull', status: refused, marker: 'volume_placement_capacity' },
  { kind: 'nameTaken', status: refused, marker: 'name_taken' },
  { kind: 'nameTaken', status: refused, says: /unique machine name violation/i },
  { kind: 'nameTaken', status: only(422), says: /name has already been taken/i },
  { kind: 'leased', status: refused, says: /lease currently held/i },
  {
    kind: 'hostFull',
    status: refused,
    says: /insufficient (?:cpus|memory|ips|resources) available to fulfill request/i,
  },
  { kind: 'hostFull', status: refused, says: /insufficient resources to create new machine with existing volume/i },
  { kind: 'regionFull', status: refused, says: /no capacity|could not find a candidate host/i },
  { kind: 'bound', status: refused, says: /volume is currently bound|volume already claimed/i },
  { kind: 'raced', status: refused, says: /concurrent update/i },
  { kind: 'raced', status: only(412), says: /version/i },
  // A name that was taken between Fly's check and its insert; the sentence does not say which name.
  { kind: 'raced', status: only(422), says: /uniqueness constraint violated/i },
  { kind: 'notFound', status: only(400), says: /volume not found/i },
  // Said of a machine that exists, in the middle of an operation (gitcoinco/grants-stack-indexer#295).
  { kind: 'transient', status: refused, says: /invalid machine id/i },
  {
    kind: 'quota',
    status: refused,
    says: /quota|(?:reached|exceed\w*|over|maximum)\b.{0,60}\b(?:limit|machines|volumes|apps)\b|limit\b.{0,60}\b(?:reached|exceeded)/i,
  },
  // getting replaced / still active / from current state: 'created' / snapshot is already scheduled, and their kin.
  { kind: 'transient', status: only(412) },
  { kind: 'raced', status: only(409) },
  { kind: 'invalid', status: refused },
  // A redirect or an unknown number is nothing that this API says.
  { kind: 'unavailable', status: [0, 999] },
]

const words = { shown: 200, kept: 500 }

const clipped = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`

interface Refusal {
  readonly said: string | undefined
  readonly marker: string | undefined
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined // A plain text or a page: read as it is.
  }
}

/** `message` comes first where a lease answers with both, as in fly-go (flaps.go, handleAPIError). */
function refusalOf(body: string): Refusal {
  const json = parsed(body)
  if (typeof json !== 'object' || json === null) return { said: text(body.trim()), marker: undefined }
  const fields = json as Record<string, unknown>
  return { said: text(fields['message']) ?? text(fields['error']), marker: text(fields['status']) }
}

/** Seconds or an HTTP date, in milliseconds from now. */
function retryAfter(value: string | undefined, now: Instant): number | undefined {
  if (value === undefined || value.trim() === '') return undefined
  const seconds = Number(value)
  const ms = Number.isNaN(seconds) ? Date.parse(value) - now : seconds * 1000
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms)) : undefined
}

/** How long the holder of a lease still has it, from Fly's sentence. */
function leaseRest(said: string | undefined, now: Instant): number | undefined {
  const expires = /expires at (\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))/.exec(said ?? '')?.[1]
  return expires === undefined ? undefined : Math.max(0, Date.parse(expires) - now)
}

function rowFor(status: number, { said, marker }: Refusal, body: string): FaultKind {
  const row = faultRows.find(
    ({ status: [first, last], marker: wanted, says }) =>
      status >= first &&
      status <= last &&
      (wanted === undefined || wanted === marker) &&
      (says === undefined || says.test(said ?? body)),
  )
  return row?.kind ?? 'unavailable'
}

/** Fly's sentence for people: without its gRPC prefix, on one line, a page of HTML left out. */
function spoken(said: string | undefined): string {
  if (said === undefined) return ' without a reason'
  if (said.startsWith('<')) return ' with a page of HTML, which Fly does not write: something in between answered'
  const plain = said.replace(/^(?:[a-z_]+: )?/, '').replace(/\s+/g, ' ')
  return `: ${clipped(plain, words.shown)}`
}

/** The Fault for an answer that is not a success. */
export function faultOf(reply: Reply, { call, now: clock, scrub }: Judged): Fault {
  const now = clock()
  const refusal = refusalOf(reply.body)
  const kind = rowFor(reply.judgedAs ?? reply.status, refusal, reply.body)
  const said = refusal.said === undefined ? undefined : scrub(refusal.said)
  const rest = kind === 'leased' ? leaseRest(said, now) : undefined
  return new Fault(kind, `Fly answered ${reply.status} to ${call}${spoken(said)}`, {
    call,
    status: reply.status,
    said: said === undefined ? undefined : clipped(said, words.kept),
    retryAfterMs: retryAfter(reply.header('retry-after'), now) ?? rest,
    existingId: kind === 'nameTaken' ? /machine ID ([0-9a-f]{14})\b/.exec(said ?? '')?.[1] : undefined,
    requestId: reply.header('fly-request-id'),
  })
}

const troubles: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection broke off',
  EPIPE: 'the connection broke off',
  UND_ERR_SOCKET: 'the connection broke off',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name could not be looked up',
  ETIMEDOUT: 'no connection came about in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about in time',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its network',
}

interface Trouble {
  readonly code: string | undefined
  readonly message: string
}

/** The innermost cause that has a code: `fetch failed` says nothing by itself. */
function troubleOf(error: unknown): Trouble {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) }
  if (error instanceof AggregateError && error.errors.length > 0) return troubleOf(error.errors[0])
  if (error.cause instanceof Error) return troubleOf(error.cause)
  return { code: 'code' in error && typeof error.code === 'string' ? error.code : undefined, message: error.message }
}

/** The Fault for a call that got no answer. The cause is rebuilt from scrubbed words: nothing of the request is in it. */
export function networkFault(error: unknown, { call, scrub }: Judged): Fault {
  const { code, message } = troubleOf(error)
  const cause = new Error(scrub(code === undefined ? message : `${code}: ${message}`))
  const why = (code === undefined ? undefined : troubles[code]) ?? scrub(message)
  return new Fault('unavailable', `Fly could not be reached for ${call}: ${why}`, { call, cause })
}

/** The Fault for a call whose time ran out. */
export function timeoutFault(call: string, timeoutMs: number): Fault {
  return new Fault('timeout', `Fly did not answer ${call} within ${timeoutMs / 1000} s`, { call })
}

/** The Fault for a success that cannot be read: the call had its effect, and nobody knows which. */
export function unreadableFault(reply: Reply, { call }: Judged, why: string): Fault {
  return new Fault('unavailable', `Fly answered ${reply.status} to ${call}, but the answer cannot be read: ${why}`, {
    call,
    status: reply.status,
    requestId: reply.header('fly-request-id'),
  })
}
