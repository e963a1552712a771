// Carries plain requests through undici's dispatcher instead of Node's HTTP client, which costs half as much. Whatever needs
// a decision (a body, an upgrade, an old protocol, a repeat) goes through http-proxy-middleware.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Clock } from '../specs/clock.ts'
import { cut, HeadTimeout, passable, plainReason, type CarrierOptions } from './carry.ts'
import type { Exchange } from './exchange.ts'
import { joinHeaders, responseHeaders } from './headers.ts'
import type { Lane, Lanes } from './lanes.ts'
import { reset } from './reset.ts'

export interface FastOptions extends Pick<CarrierOptions, 'clock' | 'headTimeoutMs' | 'draining' | 'refuse'> {
  readonly lanes: Lanes
  readonly carried: () => void
}

/** Tells when the answer is over, or sets `exchange.failure`; nothing has been sent then unless `headersSent` says so. */
export type FastLane = (exchange: Exchange, request: IncomingMessage, response: ServerResponse) => Promise<void>

/** With any of these a request is not plain. (undici takes a 304 that tells a length, which it may, for a cut answer.) */
const decisive = ['transfer-encoding', 'content-length', 'expect', 'if-none-match', 'if-modified-since'] as const

/** undici gives a connection up after each HEAD, and bodies have rules of their own. */
export function isPlain({ method, httpVersion, headers }: IncomingMessage): boolean {
  return method === 'GET' && httpVersion === '1.1' && decisive.every((name) => headers[name] === undefined)
}

/** The head that the tenant sent, as Node would have given it; undefined where it cannot be passed on. */
function headOf(statusCode: number, raw: unknown, statusMessage: string | undefined) {
  const headers = joinHeaders(raw as readonly Buffer[])
  if (!passable({ statusCode, headers })) return undefined
  return { statusCode, headers, statusMessage: plainReason({ statusMessage }) }
}

function writeHead(
  { id, answered }: Exchange,
  head: { statusCode: number; headers: IncomingHttpHeaders; statusMessage: string },
  response: ServerResponse,
  draining: boolean,
): void {
  const connection = response.shouldKeepAlive && !draining ? 'keep-alive' : 'close'
  answered(head.headers['content-type'])
  response.writeHead(head.statusCode, head.statusMessage || undefined, {
    ...responseHeaders(head.headers, id),
    connection,
  })
}

/** Gives up on the tenant when no answer has begun in time. @returns ends the wait */
function awaitHead(exchange: Exchange, lane: Lane, clock: Clock, headTimeoutMs: number): () => void {
  return clock.after(headTimeoutMs, () => {
    exchange.failure ??= new HeadTimeout(headTimeoutMs)
    reset(lane.socket)
  })
}

export function createFastLane(options: FastOptions): FastLane {
  const { lanes, clock, headTimeoutMs, draining, refuse, carried } = options

  const run = (lane: Lane, key: string, exchange: Exchange, request: IncomingMessage, response: ServerResponse) =>
    new Promise<void>((resolve) => {
      const settle = awaitHead(exchange, lane, clock, headTimeoutMs)
      const over = () => {
        settle()
        exchange.lane = undefined
        resolve()
      }
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => undefined,
        onResponseStart: (controller, statusCode, _headers, statusMessage) => {
          // An interim answer concerns the connection between the tenant and us.
          if (statusCode < 200 && statusCode >= 100) return
          settle()
          const head = headOf(statusCode, controller.rawHeaders, statusMessage)
          if (head === undefined) {
            refuse(exchange, request, response)
            reset(lane.socket)
          } else writeHead(exchange, head, response, draining())
        },
        onResponseData: (controller, chunk) => {
          if (response.write(chunk) || response.destroyed) return
          controller.pause()
          response.once('drain', () => controller.resume())
        },
        onResponseEnd: () => {
          lanes.give(key, lane)
          response.end()
          over()
        },
        onResponseError: (_controller, error) => {
          // After a page of ours the connection was only ended.
          if (!exchange.paged) {
            exchange.failure ??= error
            if (response.headersSent) cut(exchange, response)
          }
          over()
        },
      }
      exchange.lane = lane
      const { method = 'GET', headers } = request
      lane.client.dispatch({ path: exchange.path, method, headers }, handler)
    })

  return async (exchange, request, response) => {
    const key = exchange.target?.key ?? ''
    let lane
    try {
      lane = await lanes.take(key)
    } catch (error) {
      exchange.failure = error
      return
    }
    // The client may have left meanwhile.
    if (response.destroyed) {
      lanes.give(key, lane)
      return
    }
    exchange.reused = lane.reused
    carried()
    await run(lane, key, exchange, request, response)
  }
}
