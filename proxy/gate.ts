// What the proxy does with each request and upgrade that arrives: page or tenant, and what follows when a tenant fails.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type net from 'node:net'
import { abandon, createCarrier, cut, InternalFault, reasonOf, type Carrier } from './carry.ts'
import { Road, type Exchange, type RoadOptions } from './exchange.ts'
import { requestHeaders } from './headers.ts'
import type { Reason } from './pages.ts'
import type { ProxyLog } from './ports.ts'
import { StallGuard } from './stalled.ts'
import { RouteTable } from './table.ts'
import { createUpgrader, writeAnswer, type Upgrader } from './upgrade.ts'
import { Upstreams, type UpstreamOptions } from './upstream.ts'

export interface GateOptions extends Omit<RoadOptions, 'lookup'>, Omit<UpstreamOptions, 'connected'> {
  readonly headTimeoutMs: number
  /** How often it looks for peers that read nothing any more. */
  readonly stallMs: number
}

export interface ProxyStats {
  readonly tenants: number
  /** Since the start. */
  readonly requests: number
  readonly upgrades: number
  /** Requests in progress. */
  readonly inFlight: number
  /** WebSockets open or being opened. */
  readonly openUpgrades: number
  readonly upstreamConnections: number
  /** Connections opened to machines since the start, each with its proof. */
  readonly dials: number
  /** Requests sent again because a kept connection had been closed. */
  readonly repeated: number
  /** Connections cut because the other end had stopped reading. */
  readonly stalled: number
  /** How often something at a tenant's address could not prove to be that tenant. Anything but 0 deserves a look. */
  readonly crossTenantBlocked: number
  /** How often a tenant claimed a host that another one had. */
  readonly hostConflicts: number
  /** The proxy's own answers, by reason. */
  readonly pages: Readonly<Partial<Record<Reason, number>>>
}

/** A body that is announced and not yet here. */
function expectsBody({ headers, complete }: IncomingMessage): boolean {
  return !complete && (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0')
}

export class Gate {
  readonly table: RouteTable
  readonly #log: ProxyLog
  readonly #road: Road
  readonly #upstreams: Upstreams
  readonly #carry: Carrier
  readonly #upgrade: Upgrader
  readonly #stalls: StallGuard
  readonly #clients = new Set<net.Socket>()
  readonly #pages = new Map<Reason, number>()
  readonly #counts = { requests: 0, upgrades: 0, inFlight: 0, repeated: 0, stalled: 0, hostConflicts: 0 }
  #drained: (() => void) | undefined

  constructor(options: GateOptions) {
    const { clock, log, headTimeoutMs, stallMs } = options
    const stalls = new StallGuard({ clock, everyMs: stallMs, cut: () => (this.#counts.stalled += 1) })
    const upstreams = new Upstreams({ ...options, connected: (socket) => stalls.watch(socket) })
    this.#stalls = stalls
    this.#upstreams = upstreams
    this.#log = log
    this.table = new RouteTable({
      opened: (target) => upstreams.open(target),
      retired: (target) => upstreams.retire(target),
      contested: (host, holder, claimant) => {
        this.#counts.hostConflicts += 1
        log.warn({ host, holder, claimant }, 'two tenants claim one host; the first keeps it')
      },
    })
    this.#road = new Road({ ...options, lookup: (host) => this.table.lookup(host) })
    this.#carry = createCarrier({
      upstreams,
      clock,
      headTimeoutMs,
      draining: () => this.#drained !== undefined,
      refuse: (exchange, request, response) => this.#send(exchange, 'unreachable', request, response),
      repeated: () => (this.#counts.repeated += 1),
    })
    this.#upgrade = createUpgrader({
      upstreams,
      clock,
      headTimeoutMs,
      refuse: (exchange, socket) => this.#refuse(exchange, this.#reasonOf(exchange), socket),
    })
  }

  /** A client has connected. */
  connected(socket: net.Socket): void {
    this.#stalls.watch(socket)
  }

  /** One request. What goes wrong is a page, or a cut answer; nothing is thrown. */
  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = this.#road.enter(request, false)
    this.#counts.requests += 1
    this.#counts.inFlight += 1
    response.once('close', () => {
      this.#counts.inFlight -= 1
      if (!response.writableFinished && exchange.upstream !== undefined) abandon(exchange.upstream)
      this.#road.leave(exchange, response.statusCode, response.writableFinished)
      this.#drained?.()
    })
    try {
      await this.#pass(exchange, request, response)
    } catch (error) {
      this.#failed(exchange, error)
    }
    if (exchange.failure === undefined || response.destroyed) return
    if (response.headersSent) cut(exchange, response)
    else this.#send(exchange, this.#reasonOf(exchange), request, response)
  }

  async #pass(exchange: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closed = this.#admit(exchange)
    if (closed !== undefined) {
      this.#send(exchange, closed, request, response)
      return
    }
    // The client asks before it sends the body: only a tenant that is there gets it.
    const asks = request.headers.expect !== undefined && exchange.httpVersion !== '1.0'
    this.#prepare(exchange, request)
    if (asks) response.writeContinue()
    await this.#carry(exchange, request, response)
  }

  #failed(exchange: Exchange, error: unknown): void {
    exchange.failure = new InternalFault(error)
    const reason = error instanceof Error ? error.message : String(error)
    this.#log.error({ requestId: exchange.id, reason }, 'a request failed inside the proxy')
  }

  /** One request for a WebSocket. */
  upgrade(request: IncomingMessage, socket: net.Socket, head: Buffer): void {
    const exchange = this.#road.enter(request, true)
    this.#counts.upgrades += 1
    this.#clients.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#clients.delete(socket)
      this.#road.leave(exchange, exchange.status, !socket.errored)
    })
    try {
      const closed = this.#admit(exchange)
      if (closed === undefined) {
        this.#prepare(exchange, request)
        this.#upgrade(exchange, request, socket, head)
      } else this.#refuse(exchange, closed, socket)
    } catch (error) {
      this.#failed(exchange, error)
      this.#refuse(exchange, this.#reasonOf(exchange), socket)
    }
  }

  /** A connection whose bytes are no request, or none that we take. */
  unreadable(socket: net.Socket, reason: Reason): void {
    this.#count(reason)
    writeAnswer(socket, this.#road.answer({ id: this.#road.newId(), accept: undefined, refused: undefined }, reason))
  }

  /** From now on every answer ends its connection, `ended` is told of each, and WebSockets are over. */
  drain(ended: () => void): void {
    this.#drained = ended
    for (const socket of this.#clients) socket.destroy()
  }

  close(): void {
    this.#stalls.close()
    this.#upstreams.close()
  }

  stats(): ProxyStats {
    const { connections, dials, crossTenantBlocked } = this.#upstreams.stats
    return {
      tenants: this.table.size,
      ...this.#counts,
      openUpgrades: this.#clients.size,
      upstreamConnections: connections,
      dials,
      crossTenantBlocked,
      pages: Object.fromEntries(this.#pages),
    }
  }

  /** Sets where the exchange goes; otherwise says why it goes nowhere. */
  #admit(exchange: Exchange): Reason | undefined {
    const resolution = this.#road.resolve(exchange)
    if (resolution === undefined) return 'bad-request'
    exchange.uid = resolution.tenant?.uid
    if (resolution.kind === 'page') return resolution.reason
    exchange.target = resolution.target
    return undefined
  }

  /** The request becomes what the tenant is to see. */
  #prepare({ client, authority, id, path, upgrade }: Exchange, request: IncomingMessage): void {
    request.url = path
    request.headers = requestHeaders(request.headers, { ...client, authority, requestId: id }, upgrade)
  }

  /** A route that closed meanwhile explains a failure better than the failure itself. */
  #reasonOf(exchange: Exchange): Reason {
    const now = this.#road.resolve(exchange)
    return now?.kind === 'page' ? now.reason : reasonOf(exchange.failure)
  }

  #count(reason: Reason): void {
    this.#pages.set(reason, (this.#pages.get(reason) ?? 0) + 1)
  }

  #send(exchange: Exchange, reason: Reason, request: IncomingMessage, response: ServerResponse): void {
    const { status, headers, body } = this.#road.answer(exchange, reason)
    this.#count(reason)
    // What is left of a body cannot be told from a next request that we would answer for somebody else.
    const ends = reason === 'bad-request' || expectsBody(request) || this.#drained !== undefined
    response.writeHead(status, { ...headers, ...(ends ? { connection: 'close' } : {}) })
    response.end(request.method === 'HEAD' ? undefined : body)
    request.resume()
  }

  #refuse(exchange: Exchange, reason: Reason, socket: net.Socket): void {
    const answer = this.#road.answer(exchange, reason)
    this.#count(reason)
    exchange.status = answer.status
    writeAnswer(socket, answer)
  }
}
