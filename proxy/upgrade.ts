// WebSocket upgrades through http-proxy-middleware: resolved like requests, on a connection of their own, and tied so that
// neither side outlives the other.
import { createProxyMiddleware, proxyEventsPlugin } from 'http-proxy-middleware'
import { STATUS_CODES, type ClientRequest, type IncomingMessage } from 'node:http'
import net from 'node:net'
import { abandon, awaitHead, passable, plainReason, type CarrierOptions } from './carry.ts'
import type { Exchange } from './exchange.ts'
import { responseHeaders } from './headers.ts'
import type { Answer } from './pages.ts'
import { tie } from './tunnel.ts'

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

export function createUpgrader(options: UpgraderOptions): Upgrader {
  const { upstreams, clock, refuse, used } = options
  const exchanges = new WeakMap<IncomingMessage, Exchange>()

  /** The tenant says no: its answer is passed on, cleaned. These listeners come before the library's own. */
  const refusedByTenant = (exchange: Exchange, answer: IncomingMessage, socket: net.Socket) => {
    exchange.settle()
    if (!passable(answer)) {
      answer.destroy()
      refuse(exchange, socket)
      return
    }
    exchange.status = answer.statusCode ?? 0
    answer.statusMessage = plainReason(answer)
    const chunked = answer.headers['transfer-encoding'] !== undefined
    const framing = chunked ? { 'transfer-encoding': 'chunked' } : {}
    answer.headers = { ...responseHeaders(answer.headers, exchange.id), ...framing }
  }

  const accepted = (exchange: Exchange, answer: IncomingMessage, client: net.Socket, upstream: net.Socket) => {
    exchange.settle()
    exchange.status = 101
    answer.headers = { ...responseHeaders(answer.headers, exchange.id), connection: 'Upgrade', upgrade: 'websocket' }
    exchange.farewell = tie(client, upstream, clock, () => used(exchange))
  }

  const started = (upstream: ClientRequest, request: IncomingMessage, client: net.Socket) => {
    const exchange = exchanges.get(request)
    if (exchange === undefined) {
      upstream.destroy()
      return
    }
    awaitHead(exchange, request, upstream, options, () => {
      if (exchange.status === 0 && !client.destroyed) refuse(exchange, client)
    })
    upstream.on('response', (answer) => refusedByTenant(exchange, answer, client))
    upstream.on('upgrade', (answer, socket) => accepted(exchange, answer, client, socket))
    const stop = watchForEnd(client, () => {
      client.destroy()
      abandon(upstream)
    })
    upstream.once('close', stop)
  }

  const proxy = createProxyMiddleware({
    router: (request) => {
      const target = exchanges.get(request)?.target
      if (target === undefined) throw new Error('an upgrade without a target is not carried')
      return upstreams.addressOf(target)
    },
    agent: upstreams.single,
    ejectPlugins: true,
    plugins: [proxyEventsPlugin],
    on: {
      proxyReqWs: started,
      error: (error, request, socket) => {
        const exchange = exchanges.get(request)
        // Once the tenant's answer has begun, nothing of ours may follow it.
        if (exchange === undefined || exchange.status !== 0 || !(socket instanceof net.Socket)) {
          socket.destroy()
          return
        }
        exchange.failure ??= error
        refuse(exchange, socket)
      },
    },
  })
  return (exchange, request, socket, head) => {
    exchanges.set(request, exchange)
    proxy.upgrade(request, socket, head)
  }
}
