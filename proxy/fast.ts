// Carries plain requests on connections of our own instead of through Node's HTTP client and Koa, which cost three times as
// much. Whatever needs a decision (a repeat, an old protocol, a client that waits to be told) goes through
// http-proxy-middleware.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AnswerHead } from './answer-head.ts'
import { BodyTooLarge, cut, HeadTimeout, passable, plainReason, type CarrierOptions } from './carry.ts'
import type { Exchange } from './exchange.ts'
import { requestHead, responseHeaders } from './headers.ts'
import type { Lanes } from './lanes.ts'
import { Patience } from './patience.ts'
import { reset } from './reset.ts'
import type { Listener, Wire } from './wire.ts'

type Shared = Pick<CarrierOptions, 'clock' | 'headTimeoutMs' | 'bodyBytes' | 'used' | 'draining' | 'refuse'>

export interface FastOptions extends Shared {
  readonly lanes: Lanes
  readonly carried: () => void
}

/** Tells when the answer is over, or sets `exchange.failure`; nothing has been sent then unless `headersSent` says so. */
export type FastLane = (exchange: Exchange, request: IncomingMessage, response: ServerResponse) => Promise<void>

/** So small a body is written in one piece with its head. */
const smallBytes = 4_096

/** More than this is not gathered for the client before the tenant has to wait. */
const gatheredBytes = 262_144

/** One request on its way, and its answer. */
class Ride implements Listener {
  readonly #options: FastOptions
  readonly #exchange: Exchange
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #wire: Wire
  readonly #over: () => void
  #keepAlive: string | string[] | undefined
  #seen = 0
  /** Bytes of a body in chunks; undefined where there is none. */
  #chunked: number | undefined
  #done = false

  constructor(
    options: FastOptions,
    wire: Wire,
    exchange: Exchange,
    request: IncomingMessage,
    response: ServerResponse,
    over: () => void,
  ) {
    // prettier-ignore
    this.#options = options
    this.#wire = wire
    this.#exchange = exchange
    this.#request = request
    this.#response = response
    this.#over = over
  }

  start(): void {
    const { method = 'GET', headers } = this.#request
    const chunked = headers['transfer-encoding'] !== undefined
    const whole = !chunked && (headers['content-length'] ?? '0') === '0'
    headers.connection = 'keep-alive'
    // No body is said, not left to be guessed.
    if (whole && method !== 'GET' && method !== 'HEAD') headers['content-length'] = '0'
    this.#exchange.lane = this.#wire
    this.#exchange.reused = this.#wire.reused
    this.#wait()
    this.#wire.ask(method, requestHead(method, this.#exchange.path, headers), whole, this)
    if (!whole) this.#sendBody(chunked)
  }

  head(head: AnswerHead): boolean {
    this.#wire.patience?.settle()
    const { draining, refuse } = this.#options
    const response = this.#response
    if (!passable(head)) {
      refuse(this.#exchange, this.#request, response)
      this.#end()
      return false
    }
    this.#keepAlive = head.headers['keep-alive']
    const headers = responseHeaders(head.headers, this.#exchange.id)
    headers.connection = response.shouldKeepAlive && !draining() ? 'keep-alive' : 'close'
    this.#exchange.answered(head.headers['content-type'])
    response.writeHead(head.statusCode, plainReason(head) || undefined, headers)
    return true
  }

  data(piece: Buffer, last: boolean): void {
    const response = this.#response
    if (last && piece.length <= smallBytes) {
      // Node writes a text together with the head, and bytes apart from it.
      response.end(piece.toString('latin1'), 'latin1')
      return
    }
    this.#gather()
    if (response.write(piece) || response.destroyed) return
    if ((response.socket?.writableLength ?? 0) <= gatheredBytes) return
    const { socket } = this.#wire
    if (socket.isPaused()) return
    socket.pause()
    response.once('drain', () => socket.resume())
  }

  /** What is read from the tenant in one turn is written in one piece: head, body, and the last few bytes that came apart. */
  #gather(): void {
    const { socket } = this.#response
    if (socket === null || socket.writableCorked > 0) return
    socket.cork()
    setImmediate(() => socket.uncork())
  }

  ended(): void {
    this.#wire.patience?.settle()
    const { lanes } = this.#options
    if (!this.#response.writableEnded) this.#response.end()
    this.#wire.socket.resume()
    lanes.give(this.#exchange.target?.key ?? '', this.#wire, this.#keepAlive)
    this.#end()
  }

  failed(error: Error): void {
    this.#wire.patience?.settle()
    // After a page of ours the connection was only ended.
    if (!this.#exchange.paged) {
      this.#exchange.failure ??= error
      if (this.#response.headersSent) cut(this.#exchange, this.#response)
    }
    this.#end()
  }

  #end(): void {
    this.#done = true
    this.#exchange.lane = undefined
    this.#over()
  }

  /** Gives up on the tenant when no answer has begun in time. Bytes that still come from the client are progress. */
  #wait(): void {
    const { clock, headTimeoutMs } = this.#options
    this.#seen = this.#request.socket.bytesRead
    const patience = (this.#wire.patience ??= new Patience(clock, this.#wire.socket))
    patience.wait(headTimeoutMs, () => {
      if (this.#request.socket.bytesRead !== this.#seen) {
        this.#wait()
        return
      }
      this.#exchange.failure ??= new HeadTimeout(headTimeoutMs)
      reset(this.#wire.socket)
    })
  }

  /** The body's length was checked where it was announced; one in chunks is counted. */
  #sendBody(chunked: boolean): void {
    if (chunked) this.#chunked = 0
    const request = this.#request
    const { socket } = this.#wire
    // Head and body in one write, where the body is here already.
    socket.cork()
    process.nextTick(() => socket.uncork())
    request.on('data', (chunk: Buffer) => this.#sendPiece(chunk))
    request.once('end', () => {
      if (this.#done || !request.complete) return
      if (chunked) socket.write('0\r\n\r\n', 'latin1')
      this.#wire.sent()
    })
  }

  #sendPiece(chunk: Buffer): void {
    // An answer that comes before the end of the body: the rest is for nobody.
    if (this.#done) return
    const { used, bodyBytes } = this.#options
    const { socket } = this.#wire
    used(this.#exchange)
    if (this.#chunked !== undefined) {
      this.#chunked += chunk.length
      if (this.#chunked > bodyBytes) {
        this.#exchange.failure ??= new BodyTooLarge(`the body is larger than ${bodyBytes} bytes`)
        reset(socket)
        return
      }
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
      socket.write(chunk)
      if (socket.write('\r\n', 'latin1')) return
    } else if (socket.write(chunk)) return
    this.#request.pause()
    socket.once('drain', () => this.#request.resume())
  }
}

export function createFastLane(options: FastOptions): FastLane {
  const { lanes, carried } = options
  return async (exchange, request, response) => {
    const key = exchange.target?.key ?? ''
    let wire = lanes.take(key)
    if (wire === undefined) {
      try {
        wire = await lanes.open(key)
      } catch (error) {
        exchange.failure = error
        return
      }
      // The client may have left meanwhile.
      if (response.destroyed) {
        lanes.give(key, wire, undefined)
        return
      }
    }
    carried()
    const taken = wire
    await new Promise<void>((over) => new Ride(options, taken, exchange, request, response, over).start())
  }
}
