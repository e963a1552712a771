// The HTTP server around the gate: Koa in front, limits against slow clients, and an answer for bytes that are no request.
import Koa from 'koa'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { Gate } from './gate.ts'
import { keepAliveMs } from './handshake.ts'
import { isPlain } from './headers.ts'
import type { ProxyLimits } from './limits.ts'
import type { Reason } from './pages.ts'
import type { ProxyLog } from './ports.ts'
import { isWebSocket } from './upgrade.ts'

/** Longer than load balancers keep theirs (60 s is usual), so that it is not us who close under a request on its way. */
const keepAliveTimeoutMs = 75_000
const checkEveryMs = 5_000

const parserReasons: Readonly<Record<string, Reason>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
}

function koa(gate: Gate, log: ProxyLog) {
  const app = new Koa()
  app.on('error', (error: Error) => log.warn({ reason: error.message }, 'a request ended with an error'))
  app.use(async (context) => {
    // The answer is written by the gate, not by Koa.
    context.respond = false
    await gate.request(context.req, context.res)
  })
  return app.callback()
}

/** An unlistening server whose traffic goes through the gate. */
export function listener(gate: Gate, log: ProxyLog, { headersMs }: Pick<ProxyLimits, 'headersMs'>): http.Server {
  // Lists, not sets: see vigil.ts.
  const inProgress = new WeakMap<Duplex, ServerResponse[]>()
  const server = http.createServer({
    // Two Hosts, no Host and doubtful framing are the gate's to refuse, with a page that carries an id.
    requireHostHeader: false,
    shouldUpgradeCallback: isWebSocket,
    headersTimeout: headersMs,
    // Uploads take as long as they take; what does not move is caught further in.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: checkEveryMs,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
    noDelay: true,
    // A request without a body has no stream that would have to be read to its end.
    optimizeEmptyRequests: true,
  })
  const answer = koa(gate, log)
  const take = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    let open = inProgress.get(socket)
    if (open === undefined) inProgress.set(socket, (open = []))
    open.push(response)
    response.on('close', () => open.splice(open.indexOf(response), 1))
    // Ahead of Koa: it has nothing to say about a plain request.
    if (isPlain(request)) void gate.request(request, response)
    else void answer(request, response)
  }
  server.on('connection', (socket) => gate.connected(socket))
  server.on('request', take)
  server.on('checkContinue', take)
  server.on('upgrade', (request, socket, head) => {
    if (socket instanceof net.Socket) gate.upgrade(request, socket, head)
    else socket.destroy()
  })
  server.on('connect', (_request, socket) => {
    if (socket instanceof net.Socket) gate.unreadable(socket, 'bad-request')
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // An answer that has begun must not be followed by ours, and one still to come belongs to another request.
    const mute = inProgress.get(socket)?.some(({ headersSent, req }) => headersSent || req.complete)
    if (mute === true || error.code === 'ECONNRESET' || !socket.writable || !(socket instanceof net.Socket))
      socket.destroy()
    else gate.unreadable(socket, parserReasons[error.code ?? ''] ?? 'bad-request')
  })
  return server
}
