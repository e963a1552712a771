// WebSocket upgrades: resolved and admitted like requests, on a proved connection of their own, and tied so that neither side
// outlives the other. The library's own way costs three times the memory for each open socket.
import { STATUS_CODES, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type net from 'node:net'
import type { AnswerHead } from './answer-head.ts'
import { HeadTimeout, passable, plainReason, type CarrierOptions } from './carry.ts'
import type { Exchange } from './exchange.ts'
import { answerHead, requestHead, responseHeaders } from './headers.ts'
import type { Answer } from './pages.ts'
import { reset } from './reset.ts'
import { Tunnel } from './tunnel.ts'
import { Wire, type Listener } from './wire.ts'

export interface UpgraderOptions extends Pick<CarrierOptions, 'upstreams' | 'clock' | 'headTimeoutMs'> {
  /** Answers on a socket that got no answer from the tenant. */
  readonly refuse: (exchange: Exchange, socket: net.Socket) => void
  /** The client has sent a piece of a message. */
  readonly used: (exchange: Exchange) => void
}

export type Upgrader = (exchange: Exchange, request: IncomingMessage, socket: net.Socket, head: Buffer) => void

/** Writes a whole answer on a bare socket, and ends it. */
export function writeAnswer(socket: net.Socket, { status, headers, body }: Answer): void {
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`)
  socket.destroySoon()
}

/** Whether a request asks for a WebSocket; any other Upgrade (h2c) is ignored, as RFC 9110 7.8 allows. */
export function isWebSocket({ method, httpVersion, headers }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && headers.upgrade?.toLowerCase() === 'websocket'
}

/**
 * Notices that a client has gone, although nobody reads from it yet. What it sends early stays in the socket.
 *
 * @returns stops watching
 */
export function watchForEnd(socket: net.Socket, gone: () => void): () => void {
  // Node reports the end of a stream only to who reads it; an empty read does, without taking anything.
  const look = () => {
    if (socket.readableLength === 0) socket.read(0)
  }
  const stop = () => void socket.off('readable', look).off('end', gone).off('close', gone)
  socket.on('readable', look).on('end', gone).on('close', gone)
  return stop
}

/** One upgrade on its way: the tenant takes it, refuses it, or does not answer. */
class Opening implements Listener {
  readonly #options: UpgraderOptions
  readonly #exchange: Exchange
  readonly #client: net.Socket
  readonly #stop: () => void
  #wire: Wire | undefined
  #settle: () => void = () => undefined
  #chunked = false

  constructor(options: UpgraderOptions, exchange: Exchange, client: net.Socket) {
    this.#options = options
    this.#exchange = exchange
    this.#client = client
    this.#stop = watchForEnd(client, () => {
      client.destroy()
      if (this.#wire !== undefined) reset(this.#wire.socket)
    })
  }

  async start(headers: IncomingHttpHeaders): Promise<void> {
    const { upstreams, clock, headTimeoutMs } = this.#options
    const exchange = this.#exchange
    let socket
    try {
      socket = await upstreams.dial(exchange.target?.key ?? '')
    } catch (error) {
      this.failed(error)
      return
    }
    // The client may have left meanwhile.
    if (this.#client.destroyed) {
      socket.destroy()
      return
    }
    const wire = new Wire(socket)
    this.#wire = exchange.lane = wire
    this.#settle = clock.after(headTimeoutMs, () => {
      exchange.failure ??= new HeadTimeout(headTimeoutMs)
      reset(socket)
    })
    wire.ask('GET', requestHead('GET', exchange.path, headers), true, this)
  }

  switched(head: AnswerHead, rest: Buffer): void {
    const { clock, used } = this.#options
    const exchange = this.#exchange
    const client = this.#client
    const upstream = this.#wire?.socket
    this.#settled()
    if (upstream === undefined) return
    exchange.status = 101
    const headers = responseHeaders(head.headers, exchange.id)
    headers.connection = 'Upgrade'
    headers.upgrade = 'websocket'
    client.write(answerHead(101, 'Switching Protocols', headers), 'latin1')
    // What came with the head is read first.
    if (rest.length > 0) upstream.unshift(rest)
    const tunnel = new Tunnel(client, upstream, { clock, said: () => used(exchange) })
    exchange.farewell = () => tunnel.leave()
    upstream.resume()
  }

  /** The tenant says no: its answer is passed on, cleaned. */
  head(head: AnswerHead): boolean {
    this.#settled()
    if (!passable(head)) {
      this.#options.refuse(this.#exchange, this.#client)
      return false
    }
    this.#exchange.status = head.statusCode
    const headers = responseHeaders(head.headers, this.#exchange.id)
    headers.connection = 'close'
    this.#chunked = head.framing.kind === 'chunked'
    if (this.#chunked) headers['transfer-encoding'] = 'chunked'
    this.#client.write(answerHead(head.statusCode, plainReason(head), headers), 'latin1')
    this.#client.on('drain', () => this.#wire?.socket.resume())
    return true
  }

  data(piece: Buffer): void {
    const client = this.#client
    const parts = this.#chunked ? [`${piece.length.toString(16)}\r\n`, piece, '\r\n'] : [piece]
    if (!parts.map((part) => client.write(part)).every(Boolean)) this.#wire?.socket.pause()
  }

  ended(): void {
    if (this.#chunked) this.#client.write('0\r\n\r\n')
    this.#client.destroySoon()
  }

  failed(error: unknown): void {
    this.#settled()
    const exchange = this.#exchange
    exchange.failure ??= error
    // Once the tenant's answer has begun, nothing of ours may follow it.
    if (exchange.paged || this.#client.destroyed) return
    if (exchange.status === 0) this.#options.refuse(exchange, this.#client)
    else if (this.#wire?.socket.readableEnded === true) this.#client.destroy()
    else reset(this.#client)
  }

  #settled(): void {
    this.#settle()
    this.#stop()
    this.#exchange.lane = undefined
  }
}

export function createUpgrader(options: UpgraderOptions): Upgrader {
  return (exchange, request, socket, head) => {
    if (head.length > 0) socket.unshift(head)
    void new Opening(options, exchange, socket).start(request.headers)
  }
}
