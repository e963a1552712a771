// Requests and answers through http-proxy-middleware, set up so that its known traps stay shut: no fallback target, no plugin
// that answers for us, no timeout that cuts a quiet stream, and no hop-by-hop header in either direction.
import { createProxyMiddleware, proxyEventsPlugin } from 'http-proxy-middleware'
import { ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Clock } from '../specs/clock.ts'
import { Resting } from './breaker.ts'
import type { Exchange } from './exchange.ts'
import type { FastLane } from './fast.ts'
import { DialError } from './handshake.ts'
import { responseHeaders } from './headers.ts'
import type { Reason } from './pages.ts'
import { reset } from './reset.ts'
import type { Upstreams } from './upstream.ts'

/** A request that met a stale connection, or none, is sent again; more often than this it is not bad luck. */
const attempts = 3
/** How long a machine that refused a connection gets before the next try; twice as long before the last. */
const reconnectMs = 100

/** Methods that a repeat does not make worse (RFC 9110 9.2.2). */
const idempotent: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

export class HeadTimeout extends Error {
  override readonly name = 'HeadTimeout'
  constructor(ms: number) {
    super(`no answer began within ${ms} ms`)
  }
}

export class Overdue extends Error {
  override readonly name = 'Overdue'
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
}

/** A fault of our own, not of a tenant. */
export class InternalFault extends Error {
  override readonly name = 'InternalFault'
  constructor(cause: unknown) {
    super('the request failed inside the proxy', { cause })
  }
}

export interface CarrierOptions {
  readonly upstreams: Upstreams
  readonly clock: Clock
  /** How long an answer may take to begin, once the request does not move any more. */
  readonly headTimeoutMs: number
  readonly bodyBytes: number
  /** Sets the target again, as the route may have changed; false where there is none any more. */
  readonly again: (exchange: Exchange) => boolean
  readonly draining: () => boolean
  /** Answers in the tenant's place, when what it sent cannot be passed on. */
  readonly refuse: (exchange: Exchange, request: IncomingMessage, response: ServerResponse) => void
  readonly repeated: () => void
  /** The client has sent a piece of the body. */
  readonly used: (exchange: Exchange) => void
  /** Takes the first try of plain requests. */
  readonly fast: FastLane
}

export type Carrier = (exchange: Exchange, request: IncomingMessage, response: ServerResponse) => Promise<void>

/** What a failed exchange is answered with. */
export function reasonOf(failure: unknown): Reason {
  if (failure instanceof InternalFault) return 'internal'
  if (failure instanceof HeadTimeout || failure instanceof Overdue) return 'timeout'
  if (failure instanceof BodyTooLarge) return 'too-large'
  if (failure instanceof Resting) return 'resting'
  if (!(failure instanceof DialError)) return 'unreachable'
  return failure.code === 'mismatch' || failure.code === 'timeout' ? failure.code : 'unreachable'
}

/**
 * Gives up on a request whose answer is not complete, by a reset: an orderly end would only tell the gateway that the client
 * has said all. One that is over may have left its connection to another request, and counts as destroyed for Node.
 */
export function abandon(upstream: ClientRequest): void {
  if (upstream.destroyed) return
  if (upstream.socket !== null) reset(upstream.socket)
  upstream.destroy()
}

/** Gives up on whatever the exchange has under way at the tenant. @returns false when that is nothing */
export function giveUp({ lane, upstream }: Exchange): boolean {
  if (lane !== undefined) reset(lane.socket)
  else if (upstream !== undefined) abandon(upstream)
  return (lane ?? upstream) !== undefined
}

/**
 * Limits the wait for an answer's head. Bytes that still come from the client are progress: an upload may take its time.
 * `unheard`: it ended with neither answer nor error, which is what Node does with a 101 that nobody asked for.
 */
export function awaitHead(
  exchange: Exchange,
  request: IncomingMessage,
  upstream: ClientRequest,
  { clock, headTimeoutMs }: Pick<CarrierOptions, 'clock' | 'headTimeoutMs'>,
  unheard: () => void,
): void {
  let heard = false
  let seen = request.socket.bytesRead
  const wait = () => {
    exchange.settle = clock.after(headTimeoutMs, () => {
      const { bytesRead } = request.socket
      if (bytesRead === seen) {
        exchange.failure ??= new HeadTimeout(headTimeoutMs)
        abandon(upstream)
        return
      }
      seen = bytesRead
      wait()
    })
  }
  exchange.settle()
  exchange.upstream = upstream
  exchange.reused = upstream.reusedSocket
  wait()
  upstream.once('response', () => (heard = true)).once('error', () => (heard = true))
  upstream.once('close', () => {
    if (exchange.upstream === upstream) exchange.settle()
    if (!heard) unheard()
  })
}

/**
 * Whether an answer can be passed on. Node's parser takes status codes that its own writer throws on, and transfer codings
 * that would reach the client without their name.
 */
export function passable({ statusCode = 0, headers }: Pick<IncomingMessage, 'statusCode' | 'headers'>): boolean {
  const coding = headers['transfer-encoding']
  return statusCode >= 200 && statusCode <= 999 && (coding === undefined || coding.toLowerCase() === 'chunked')
}

/** A reason phrase is for people at best, and Node's writer throws on control characters that its parser lets through. */
export function plainReason({ statusMessage = '' }: { readonly statusMessage?: string | undefined }): string {
  return /^[ -~]*$/.test(statusMessage) ? statusMessage : ''
}

/** Follows a body. It was announced with a length that was checked, or comes in chunks and is counted. */
function followBody(
  exchange: Exchange,
  request: IncomingMessage,
  upstream: ClientRequest,
  { bodyBytes: most, used }: Pick<CarrierOptions, 'bodyBytes' | 'used'>,
): void {
  const chunked = request.headers['transfer-encoding'] !== undefined
  if (!chunked && request.headers['content-length'] === undefined) return
  let seen = 0
  // The library starts to pipe in this same turn, so this listener loses it nothing.
  request.on('data', (chunk: Buffer) => {
    used(exchange)
    seen += chunk.length
    if (!chunked || seen <= most) return
    exchange.failure ??= new BodyTooLarge(`the body is larger than ${most} bytes`)
    abandon(upstream)
  })
}

/** No connection came about, so the body has not been touched. */
function unconnected({ failure }: Exchange): boolean {
  return failure instanceof DialError && (failure.code === 'refused' || failure.code === 'unreachable')
}

/** A request without a body, sent on a kept connection that turned out to be closed: no tenant has seen it (RFC 9110 9.2.2). */
function metStale({ failure, reused }: Exchange, request: IncomingMessage): boolean {
  const reset = failure instanceof Error && 'code' in failure && ['ECONNRESET', 'EPIPE'].includes(String(failure.code))
  const bodiless = request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined
  const safe = (request.method === 'GET' || request.method === 'HEAD') && bodiless
  return reset && safe && reused
}

const pause = (clock: Clock, ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve))

/**
 * Ends an answer that cannot be completed, so that it does not look complete: by a reset, unless the tenant itself ended in
 * order. An HTTP/1.0 client knows the end of a body only by the end of the connection: there it is always a reset.
 */
export function cut({ httpVersion, upstream, lane }: Exchange, response: ServerResponse): void {
  const orderly = (lane ?? upstream)?.socket?.readableEnded === true && httpVersion !== '1.0'
  // What was passed on in this same turn waits in the socket, and a reset would forget it.
  response.socket?.uncork()
  if (!orderly && response.socket !== null) reset(response.socket)
  response.destroy()
}

/** Passes an answer's head on, cleaned. */
function head(exchange: Exchange, answer: IncomingMessage, response: ServerResponse, draining: boolean): void {
  answer.statusMessage = plainReason(answer)
  // Node hides `shouldKeepAlive` behind an explicit header, so the header says the same.
  const stays = response.shouldKeepAlive && exchange.httpVersion !== '1.0' && !draining
  exchange.answered(answer.headers['content-type'])
  answer.headers = { ...responseHeaders(answer.headers, exchange.id), connection: stays ? 'keep-alive' : 'close' }
  // Before the library's listeners, which end the connection in order.
  const broken = () => {
    if (!answer.complete) cut(exchange, response)
  }
  answer.once('error', broken).once('close', broken)
}

/**
 * Carries requests. The promise settles when the answer is over, or with `exchange.failure` set when there is none; then
 * nothing has been sent to the client unless `headersSent` says so.
 */
export function createCarrier(options: CarrierOptions): Carrier {
  const { upstreams, refuse, fast } = options
  const exchanges = new WeakMap<IncomingMessage, Exchange>()
  const proxy = createProxyMiddleware({
    router: (request) => {
      const target = exchanges.get(request)?.target
      if (target === undefined) throw new Error('a request without a target is not carried')
      return upstreams.addressOf(target)
    },
    agent: upstreams.pooled,
    ejectPlugins: true,
    plugins: [proxyEventsPlugin],
    on: {
      proxyReq: (upstream, request, response) => {
        const exchange = exchanges.get(request)
        if (exchange === undefined) {
          upstream.destroy()
          return
        }
        // The library gives a chunked request up for keep-alive, against a Connection header that names Transfer-Encoding.
        // No such header gets this far.
        upstream.setHeader('connection', 'keep-alive')
        followBody(exchange, request, upstream, options)
        awaitHead(exchange, request, upstream, options, () => {
          if (!response.headersSent && !response.destroyed) refuse(exchange, request, response)
        })
      },
      proxyRes: (answer, request, response) => {
        const exchange = exchanges.get(request)
        exchange?.settle()
        upstreams.heard(answer)
        if (exchange !== undefined && passable(answer)) {
          head(exchange, answer, response, options.draining())
          return
        }
        answer.destroy()
        if (exchange === undefined) response.destroy()
        else refuse(exchange, request, response)
      },
      error: (error, request, response) => {
        const exchange = exchanges.get(request)
        if (exchange !== undefined) exchange.failure ??= error
        if (exchange === undefined || !(response instanceof ServerResponse)) response.destroy()
        else if (response.headersSent) cut(exchange, response)
      },
    },
  })
  return async (exchange, request, response) => {
    for (let attempt = 1; ; attempt += 1) {
      exchange.failure = undefined
      const uncarried = (error?: unknown) => {
        exchange.failure ??= error ?? new Error('the request was not carried')
      }
      if (attempt === 1 && exchange.plain) await fast(exchange, request, response)
      else {
        exchanges.set(request, exchange)
        await proxy(request, response, uncarried)
      }
      if (attempt === attempts || response.headersSent || response.destroyed) return
      if (unconnected(exchange) && idempotent.has(request.method)) {
        await pause(options.clock, attempt * reconnectMs)
        if (response.closed || !options.again(exchange)) return
      } else if (!metStale(exchange, request)) return
      options.repeated()
    }
  }
}
