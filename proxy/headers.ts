// What of a request's and an answer's headers passes the proxy. Pure. Hop-by-hop headers end here (RFC 9110 7.6.1), and what
// says who the client is, is said by us alone.
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { traceIdOf, traceparentFor } from './trace.ts'

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Never removed because Connection names it: without its length a body would become the next request. */
const framing: ReadonlySet<string> = new Set(['content-length', 'host', 'transfer-encoding'])

/** Names by which a client could say who it is, or pose as Fly's proxy or as us. Servers exist that read `_` as `-`. */
const identity =
  /^(forwarded|x-forwarded(-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip(v6)?|fly-.*|x-moorage-.*|x-request-id)$/

const nobody: ReadonlySet<string> = new Set()

function nominated(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || /^(close|keep-alive|upgrade)$/i.test(connection)) return nobody
  const names = connection.split(',').map((name) => name.trim().toLowerCase())
  return new Set(names.filter((name) => !framing.has(name)))
}

/** A plain loop: this runs twice for each request. */
function kept(headers: IncomingHttpHeaders, drop: (name: string) => boolean): IncomingHttpHeaders {
  const named = nominated(headers.connection)
  const passed: IncomingHttpHeaders = {}
  for (const name of Object.keys(headers))
    if (!hopByHop.has(name) && !named.has(name) && !drop(name)) passed[name] = headers[name]
  return passed
}

const saysWho = (name: string) =>
  name === 'expect' || identity.test(name.includes('_') ? name.replaceAll('_', '-') : name)

/** What we know of the client ourselves. */
export interface ClientFacts {
  readonly address: string
  readonly proto: 'http' | 'https'
  /** The tenant's public host, with the port if the client gave one. */
  readonly authority: string
  readonly requestId: string
}

/**
 * The headers that the tenant's gateway gets. OpenClaw counts a request with X-Forwarded-For from a trusted proxy as remote,
 * and refuses X-Forwarded-Proto alone: the three go together, each exactly once.
 */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  client: ClientFacts,
  upgrade: boolean,
): IncomingHttpHeaders {
  const passed = kept(headers, saysWho)
  if (headers['transfer-encoding'] !== undefined) passed['transfer-encoding'] = 'chunked'
  if (upgrade) {
    passed.connection = 'Upgrade'
    passed.upgrade = 'websocket'
  }
  passed.host = client.authority
  passed['x-forwarded-for'] = client.address
  passed['x-forwarded-proto'] = client.proto
  passed['x-forwarded-host'] = client.authority
  passed['x-request-id'] = client.requestId
  if (traceIdOf(passed.traceparent) === undefined) {
    passed.traceparent = traceparentFor(client.requestId)
    // The state of a trace that we do not know is nobody's (W3C Trace Context 4.3).
    delete passed.tracestate
  }
  return passed
}

/** Of these Node keeps the first, because a list of them would mean nothing. */
const single: ReadonlySet<string> = new Set(
  (
    'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since ' +
    'last-modified location max-forwards proxy-authorization referer retry-after server user-agent'
  ).split(' '),
)

/** Header lines, names and values in turn, as Node's own client would give them: lower case, repeated ones joined. */
export function joinHeaders(raw: readonly string[]): IncomingHttpHeaders {
  const joined: IncomingHttpHeaders = {}
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase()
    const value = raw[index + 1] ?? ''
    const before = joined[name]
    if (name === 'set-cookie') joined[name] = [...(joined[name] ?? []), value]
    else if (typeof before !== 'string') joined[name] = value
    else if (!single.has(name)) joined[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return joined
}

/** The two ways in which an answer tells Fly's own proxy to carry the request elsewhere (Fly, "Dynamic Request Routing"). */
const replayHeader = (name: string) => name.startsWith('fly-')
const replayType = /vnd\.fly\./i

/**
 * The headers that the client gets. What Fly's proxy would obey stays here: with Fly-Replay, or an answer of the replay type,
 * a tenant could send the request on to any app of the organization.
 */
export function responseHeaders(headers: IncomingHttpHeaders, requestId: string): IncomingHttpHeaders {
  const passed = kept(headers, replayHeader)
  const type = passed['content-type']
  if (type !== undefined && replayType.test(type)) passed['content-type'] = 'application/json'
  passed['x-request-id'] = requestId
  return passed
}

/** A head on the wire. Every value has come through a parser that lets no line end through. */
function headText(first: string, headers: IncomingHttpHeaders): string {
  let head = `${first}\r\n`
  for (const name of Object.keys(headers)) {
    const value = headers[name]
    if (typeof value === 'string') head += `${name}: ${value}\r\n`
    else for (const one of value ?? []) head += `${name}: ${one}\r\n`
  }
  return `${head}\r\n`
}

/** The head of a request; one whose path is not plain (`isPlain`) must not get here. */
export function requestHead(method: string, path: string, headers: IncomingHttpHeaders): string {
  return headText(`${method} ${path} HTTP/1.1`, headers)
}

/** The head of an answer. `reason`: printable (`plainReason`). */
export function answerHead(status: number, reason: string, headers: IncomingHttpHeaders): string {
  return headText(`HTTP/1.1 ${status} ${reason}`, headers)
}

const plainMethods: ReadonlySet<string | undefined> = new Set('GET HEAD POST PUT PATCH DELETE OPTIONS'.split(' '))

/** Whether a request may take the fast lane: nothing about it needs a decision, and its path can be written as it is. */
export function isPlain({ method, httpVersion, headers, url = '' }: IncomingMessage): boolean {
  const known = plainMethods.has(method) && httpVersion === '1.1'
  return known && headers.expect === undefined && /^[!-~\x80-\xff]+$/.test(url)
}

/** Why the length of a body is in doubt; Node's parser has refused the plain contradictions before. */
export function framingProblem(
  headers: IncomingHttpHeaders,
  httpVersion: string,
  upgrade: boolean,
): string | undefined {
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return 'The transfer coding is not supported.'
  if (coding !== undefined && httpVersion === '1.0') return 'HTTP/1.0 has no transfer codings.'
  if (coding !== undefined && headers['content-length'] !== undefined) return 'The length of the body is ambiguous.'
  const body = coding !== undefined || (headers['content-length'] ?? '0') !== '0'
  return upgrade && body ? 'An upgrade request has no body.' : undefined
}

/** An address as X-Forwarded-For has it: IPv4 plain, no zone. */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '')
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare) ?? []
  return mapped ?? bare
}

/**
 * Who the client is. `direct`: the other end of the socket. `fly`: Fly's proxy is the other end, and overwrites these two
 * headers on every request (Fly documentation, "Request headers").
 */
export function clientOf(
  edge: 'direct' | 'fly',
  headers: IncomingHttpHeaders,
  remoteAddress: string,
): Pick<ClientFacts, 'address' | 'proto'> {
  const address = plainAddress(remoteAddress)
  if (edge === 'direct') return { address, proto: 'http' }
  const told = headers['fly-client-ip']
  const known = typeof told === 'string' && isIP(told) !== 0 ? plainAddress(told) : address
  return { address: known, proto: headers['x-forwarded-proto'] === 'http' ? 'http' : 'https' }
}

/** Whether a body is announced and not yet here. */
export function expectsBody({ headers, complete }: Pick<IncomingMessage, 'headers' | 'complete'>): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0')
}
