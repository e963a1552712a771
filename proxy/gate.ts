// What the proxy does with each request and upgrade that arrives: page or tenant, and what follows when a tenant fails.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type net from 'node:net'
import type { Registry } from 'prom-client'
import { Admission, type Verdict } from './admission.ts'
import {
  createCarrier,
  cut,
  giveUp,
  InternalFault,
  Overdue,
  reasonOf,
  type Carrier,
  type CarrierOptions,
} from './carry.ts'
import { Road, type Exchange, type RoadOptions } from './exchange.ts'
import { createFastLane } from './fast.ts'
import { expectsBody, requestHeaders } from './headers.ts'
import type { ProxyLimits } from './limits.ts'
import { Linger } from './linger.ts'
import type { Reason } from './pages.ts'
import { proxyMetrics, type Recorder } from './metrics.ts'
import type { Activity, ProxyLog } from './ports.ts'
import { StallGuard } from './stalled.ts'
import { RouteTable } from './table.ts'
import { Tally, type ProxyStats } from './tally.ts'
import { createUpgrader, watchForEnd, writeAnswer, type Upgrader } from './upgrade.ts'
import { Upstreams, type UpstreamOptions } from './upstream.ts'
import { Vigil } from './vigil.ts'

export interface GateOptions extends Omit<RoadOptions, 'lookup'>, Omit<UpstreamOptions, 'connected'> {
  readonly headTimeoutMs: number
  /** How often it looks for peers that read nothing any more. */
  readonly stallMs: number
  readonly limits: ProxyLimits
  readonly activity: Activity
  readonly metrics: Registry | undefined
}

export class Gate {
  readonly table: RouteTable
  readonly #log: ProxyLog
  readonly #road: Road
  readonly #upstreams: Upstreams
  readonly #carry: Carrier
  readonly #upgrade: Upgrader
  readonly #stalls: StallGuard
  readonly #limits: ProxyLimits
  readonly #admission: Admission
  readonly #vigil: Vigil
  readonly #linger: Linger
  /** The sockets of upgrades. */
  readonly #clients = new Map<net.Socket, Exchange>()
  readonly #tally = new Tally()
  readonly #recorder: Recorder | undefined
  #drained: (() => void) | undefined

  constructor(options: GateOptions) {
    const { clock, log, headTimeoutMs, stallMs, limits, metrics, activity } = options
    this.#limits = limits
    this.#recorder = metrics && proxyMetrics(metrics, () => this.stats())
    this.#vigil = new Vigil({ clock, idleMs: limits.idleMs, looked: () => this.#admission.look() })
    this.#stalls = new StallGuard({ clock, everyMs: stallMs, cut: () => (this.#tally.stalled += 1) })
    const upstreams = new Upstreams({ ...options, connected: (socket) => this.#stalls.watch(socket) })
    this.#upstreams = upstreams
    this.#log = log
    this.#linger = new Linger({ clock, ms: limits.holdMs, upstreams, busy: (uid) => this.#admission.busy(uid) })
    this.table = new RouteTable({
      opened: (target) => this.#linger.opened(target),
      retired: (target, now) => this.#linger.retired(target, now),
      contested: (host, holder, claimant) => {
        this.#tally.hostConflicts += 1
        log.warn({ host, holder, claimant }, 'two tenants claim one host; the first keeps it')
      },
      changed: (uid, now, before) => {
        this.#linger.changed(uid, now)
        this.#admission.changed(uid, now, before)
      },
    })
    this.#road = new Road({ ...options, lookup: (host) => this.table.lookup(host) })
    this.#admission = new Admission({
      ...{ clock, limits, activity, road: this.#road, upgrades: () => this.#clients },
      woken: () => (this.#tally.wakes += 1),
      held: (outcome, ms) => {
        this.#tally.held(outcome)
        this.#recorder?.held(outcome, ms)
      },
    })
    const used = (exchange: Exchange) => this.#admission.used(exchange)
    const both: Pick<CarrierOptions, 'clock' | 'headTimeoutMs' | 'bodyBytes' | 'used' | 'draining' | 'refuse'> = {
      clock,
      headTimeoutMs,
      bodyBytes: limits.bodyBytes,
      used,
      draining: () => this.#drained !== undefined,
      refuse: (exchange, request, response) => this.#send(exchange, 'unreachable', request, response),
    }
    this.#carry = createCarrier({
      ...both,
      upstreams,
      again: (exchange) => this.#again(exchange),
      fast: createFastLane({ ...both, lanes: upstreams.lanes, carried: () => (this.#tally.fast += 1) }),
      repeated: () => (this.#tally.repeated += 1),
    })
    this.#upgrade = createUpgrader({
      upstreams,
      clock,
      headTimeoutMs,
      used,
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
    this.#tally.requests += 1
    this.#tally.inFlight += 1
    const unwatch = this.#vigil.watch(request.socket, this.#limits.totalMs, () => this.#overdue(exchange, response))
    response.on('close', () => {
      this.#tally.inFlight -= 1
      unwatch()
      this.#admission.left(exchange)
      if (!response.writableFinished) giveUp(exchange)
      this.#linger.left(exchange.uid)
      this.#leave(exchange, response.headersSent ? response.statusCode : 0, response.writableFinished)
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
    const { headers } = request
    const first = this.#admission.admit(exchange, headers)
    const verdict =
      first === 'hold' ? await new Promise<Verdict>((done) => this.#admission.hold(exchange, headers, done)) : first
    if (verdict === 'gone') return
    if (verdict !== 'go') {
      this.#send(exchange, verdict, request, response)
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
    this.#enlist(exchange, socket)
    const open = (verdict: Verdict) => this.#open(exchange, verdict, request, socket, head)
    const first = this.#admission.admit(exchange, request.headers)
    if (first !== 'hold') {
      open(first)
      return
    }
    const stop = watchForEnd(socket, () => socket.destroy())
    this.#admission.hold(exchange, request.headers, (verdict) => {
      stop()
      open(verdict)
    })
  }

  /** Apart from where the request is at hand: a listener would keep it for as long as the WebSocket is open. */
  #enlist(exchange: Exchange, socket: net.Socket): void {
    this.#tally.upgrades += 1
    this.#clients.set(socket, exchange)
    socket.on('error', () => socket.destroy())
    const unwatch = this.#vigil.watch(socket, Infinity, () => socket.destroy())
    socket.once('close', () => {
      unwatch()
      this.#admission.left(exchange)
      this.#clients.delete(socket)
      this.#leave(exchange, exchange.status, !socket.errored)
    })
  }

  #open(exchange: Exchange, verdict: Verdict, request: IncomingMessage, socket: net.Socket, head: Buffer): void {
    if (verdict === 'gone') return
    try {
      if (verdict === 'go') {
        this.#prepare(exchange, request)
        this.#upgrade(exchange, request, socket, head)
      } else this.#refuse(exchange, verdict, socket)
    } catch (error) {
      this.#failed(exchange, error)
      this.#refuse(exchange, this.#reasonOf(exchange), socket)
    }
  }

  /** A connection whose bytes are no request, or none that we take. */
  unreadable(socket: net.Socket, reason: Reason): void {
    this.#tally.page(reason)
    const asked = { id: this.#road.newId(), accept: undefined, refused: undefined, failure: undefined }
    writeAnswer(socket, this.#road.answer(asked, reason))
  }

  /** From now on every answer ends its connection, `ended` is told of each, and WebSockets are told that we are going. */
  drain(ended: () => void): void {
    this.#drained = ended
    this.#admission.close()
    for (const [socket, { farewell, paged }] of this.#clients) {
      if (farewell !== undefined) farewell()
      else if (!paged) socket.destroy()
    }
  }

  /** Ends the WebSockets that have not gone by themselves. */
  cutUpgrades(): void {
    for (const socket of this.#clients.keys()) socket.destroy()
  }

  /** Ends what is left. */
  close(): void {
    this.#vigil.close()
    this.#stalls.close()
    this.#linger.close()
    this.#upstreams.close()
  }

  stats(): ProxyStats {
    const { connections: upstreamConnections, dials, crossTenantBlocked } = this.#upstreams.stats
    const known = { tenants: this.table.size, doubted: this.table.doubted, held: this.#admission.held }
    const open = { openUpgrades: this.#clients.size, upstreamConnections }
    return { ...known, ...open, ...this.#tally.now, dials, crossTenantBlocked }
  }

  /** Where the same tenant's route leads now. */
  #again(exchange: Exchange): boolean {
    const now = this.#road.resolve(exchange)
    if (now?.kind !== 'forward' || now.tenant.uid !== exchange.uid) return false
    exchange.target = now.target
    return true
  }

  /** Without a connection to the tenant yet there is nothing to end: connecting has a limit of its own. */
  #overdue(exchange: Exchange, response: ServerResponse): void {
    if (exchange.upstream === undefined && exchange.lane === undefined) return
    exchange.failure ??= new Overdue('nothing moved for too long, or the request took too long altogether')
    if (response.headersSent) cut(exchange, response)
    else giveUp(exchange)
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

  #leave(exchange: Exchange, status: number, complete: boolean): void {
    const ms = this.#road.leave(exchange, status, complete)
    this.#recorder?.ended({ upgrade: exchange.upgrade, status, by: exchange.paged ? 'proxy' : 'tenant', ms })
  }

  #send(exchange: Exchange, reason: Reason, request: IncomingMessage, response: ServerResponse): void {
    const { status, headers, body } = this.#road.answer(exchange, reason)
    this.#tally.page(reason)
    exchange.paged = true
    // What is left of a body cannot be told from a next request that we would answer for somebody else.
    const ends = reason === 'bad-request' || expectsBody(request) || this.#drained !== undefined
    response.writeHead(status, { ...headers, ...(ends ? { connection: 'close' } : {}) })
    response.end(request.method === 'HEAD' ? undefined : body)
    request.resume()
  }

  #refuse(exchange: Exchange, reason: Reason, socket: net.Socket): void {
    const answer = this.#road.answer(exchange, reason)
    this.#tally.page(reason)
    exchange.paged = true
    exchange.status = answer.status
    writeAnswer(socket, answer)
  }
}
