// One request or upgrade on its way through: what was asked, what was decided, and the line in the log at its end.
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Clock, Instant } from '../specs/clock.ts'
import { Resting } from './breaker.ts'
import { clientOf, framingProblem, isPlain } from './headers.ts'
import { readRequest } from './host.ts'
import { page, type Answer, type Reason } from './pages.ts'
import type { ProxyLog } from './ports.ts'
import { randomPool } from './random.ts'
import { resolve, type Resolution } from './resolve.ts'
import type { Entry } from './table.ts'
import type { Target } from './target.ts'
import { traceIdOf } from './trace.ts'
import type { Wire } from './wire.ts'

export interface RoadOptions {
  readonly clock: Clock
  readonly log: ProxyLog
  readonly lookup: (host: string) => Entry | undefined
  readonly retrySeconds: number
  readonly edge: 'direct' | 'fly'
  readonly loopbackAs: string | undefined
  /** The part of the ordinary requests that are logged. */
  readonly logSample: number
}

export interface Exchange {
  readonly id: string
  readonly since: Instant
  /** The trace that the client belongs to, if it says so. */
  readonly trace: string | undefined
  readonly upgrade: boolean
  /** Whether it may take the fast lane. */
  readonly plain: boolean
  readonly method: string
  readonly httpVersion: string
  readonly accept: string | undefined
  readonly client: { readonly address: string; readonly proto: 'http' | 'https' }
  readonly host: string | undefined
  readonly authority: string
  readonly path: string
  /** Why the request was not understood. */
  readonly refused: string | undefined
  uid: string | undefined
  target: Target | undefined
  /** Leaves what the exchange has a place in: the waiting room, then the tenant's limits. */
  left: (() => void) | undefined
  /** To be told the content type of the tenant's answer when that begins. */
  answered: (type: string | undefined) => void
  /** How many milliseconds it waited for the tenant to wake up. */
  heldMs: number | undefined
  /** Tells a WebSocket's client that we are going away; set once it is open. */
  farewell: (() => void) | undefined
  /** The request to the tenant, once it has a connection. */
  upstream: ClientRequest | undefined
  /** The connection to the tenant, while the request is in the fast lane. */
  lane: Wire | undefined
  /** Whether the connection had carried a request before. */
  reused: boolean
  /** Ends the wait for the answer's head. */
  settle: () => void
  failure: unknown
  /** Whether the answer is ours and not the tenant's. */
  paged: boolean
  /** What the client was told of an upgrade; 0 until then. */
  status: number
}

/** The first segment, if it is a plain word: paths carry secrets too (webhook tokens), queries always may. */
function loggedPath(path: string): string {
  const [, word] = /^\/([A-Za-z._-]{0,24}\d{0,2})(?=[/?]|$)/.exec(path) ?? []
  return word === undefined ? '/…' : `/${word}`
}

const loopback = /^(127\.|::1$)/

function clientFacts(request: IncomingMessage, { edge, loopbackAs }: RoadOptions): Exchange['client'] {
  const client = clientOf(edge, request.headers, request.socket.remoteAddress ?? '')
  return loopbackAs !== undefined && loopback.test(client.address) ? { ...client, address: loopbackAs } : client
}

const nothing = () => undefined

const idBytes = 16

export class Road {
  readonly #options: RoadOptions
  readonly #random: (length: number) => Buffer

  constructor(options: RoadOptions) {
    this.#options = options
    this.#random = randomPool(options.clock)
  }

  newId(): string {
    return this.#random(idBytes).toString('hex')
  }

  enter(request: IncomingMessage, upgrade: boolean): Exchange {
    const { httpVersion, url = '', rawHeaders, headers, method = '' } = request
    const asked = readRequest({ httpVersion, url, rawHeaders })
    const named = asked.kind === 'host' ? asked : undefined
    return {
      id: this.newId(),
      since: this.#options.clock.now(),
      trace: traceIdOf(headers.traceparent),
      upgrade,
      plain: isPlain(request),
      method,
      httpVersion,
      accept: headers.accept,
      client: clientFacts(request, this.#options),
      host: named?.host,
      authority: named?.authority ?? '',
      path: named?.path ?? '',
      refused: asked.kind === 'refused' ? asked.detail : framingProblem(headers, httpVersion, upgrade),
      uid: undefined,
      target: undefined,
      left: undefined,
      answered: () => undefined,
      heldMs: undefined,
      farewell: undefined,
      upstream: undefined,
      lane: undefined,
      reused: false,
      settle: nothing,
      failure: undefined,
      paged: false,
      status: 0,
    }
  }

  /** Where it goes now; asked again after a failure, because the route may have changed meanwhile. */
  resolve(exchange: Exchange): Resolution | undefined {
    if (exchange.host === undefined || exchange.refused !== undefined) return undefined
    return resolve(exchange.host, this.#options.lookup, this.#options.retrySeconds)
  }

  answer(asked: Pick<Exchange, 'id' | 'accept' | 'refused' | 'failure'>, reason: Reason): Answer {
    const { id, accept, refused, failure } = asked
    const retrySeconds = failure instanceof Resting ? Math.ceil(failure.retryMs / 1_000) : this.#options.retrySeconds
    return page({ reason, requestId: id, accept, retrySeconds, detail: refused })
  }

  /**
   * Writes the log line of an exchange that ended: always when something failed, else as often as is set.
   *
   * @returns how many milliseconds it took
   */
  leave(exchange: Exchange, status: number, complete: boolean): number {
    const { clock, log, logSample } = this.#options
    const { id, uid, host, method, upgrade, since, path, trace, heldMs } = exchange
    const ms = clock.now() - since
    const ordinary = complete && status < 500 && logSample < 1
    if (ordinary && clock.random() >= logSample) return ms
    const traced = trace === undefined ? {} : { trace }
    const fields = {
      requestId: id,
      uid,
      host,
      method,
      path: loggedPath(path),
      upgrade,
      status,
      complete,
      ms,
      ...(heldMs === undefined ? {} : { heldMs }),
      ...traced,
    }
    log.info(fields, 'request')
    return ms
  }
}
