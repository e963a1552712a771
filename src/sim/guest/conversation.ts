// The stand-in gateway's WebSockets: OpenClaw's connect exchange (or a bearer token on the upgrade), then the calls around a
// sleep, and an echo of everything else.
// `/echo` is an echo without a token, for trying out.
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, WebSocketServer, type WebSocket } from 'ws'
import { attributionFault, bearer, type GatewayView, guestHeader, sameToken } from './answers.ts'

const maxPayload = 25 * 1024 * 1024
const exchangeMs = 10_000
const protocol = 4

interface Call {
  readonly id: string
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

interface ConnectRequest {
  readonly type: 'req'
  readonly id: string
  readonly method: 'connect'
  readonly params: {
    readonly minProtocol?: unknown
    readonly maxProtocol?: unknown
    readonly auth?: { readonly token?: unknown }
  }
}

function callIn(text: string): Call | undefined {
  try {
    const value = JSON.parse(text) as (Partial<Call> & { readonly type?: unknown }) | null
    const { id, method, params = {} } = value ?? {}
    return value?.type === 'req' && id !== undefined && method !== undefined ? { id, method, params } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function connectRequest(text: string): ConnectRequest | undefined {
  try {
    const value = JSON.parse(text) as Partial<ConnectRequest> | null
    const fits = value?.type === 'req' && value.method === 'connect' && typeof value.id === 'string'
    return fits ? { type: 'req', id: value.id, method: 'connect', params: value.params ?? {} } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function refuse(socket: WebSocket, id: string | undefined, code: string, message: string): void {
  const error = { code: 'INVALID_REQUEST', message, details: { code } }
  socket.send(JSON.stringify({ type: 'res', id: id ?? null, ok: false, error }))
  socket.close(1008, code)
}

function echo(socket: WebSocket): void {
  socket.on('message', (message: RawData, isBinary: boolean) => socket.send(message, { binary: isBinary }))
}

/** After the exchange. */
function operate(socket: WebSocket, view: GatewayView): void {
  socket.on('message', (message: Buffer, isBinary: boolean) => {
    const call = isBinary ? undefined : callIn(message.toString('utf8'))
    const reply = call && view.sleeping.answer(call.method, call.params)
    if (call === undefined || reply === undefined) socket.send(message, { binary: isBinary })
    else if (reply.ok) socket.send(JSON.stringify({ type: 'res', id: call.id, ...reply }))
    else {
      const { code, message: why } = reply
      socket.send(JSON.stringify({ type: 'res', id: call.id, ok: false, error: { code, message: why } }))
    }
  })
}

const helloOk = (view: GatewayView) => ({
  type: 'hello-ok',
  protocol,
  server: { version: 'stand-in', connId: randomBytes(8).toString('hex') },
  features: {
    methods: ['connect', 'gateway.suspend.prepare', 'gateway.suspend.resume'],
    events: ['connect.challenge', 'tick'],
  },
  snapshot: { uid: view.uid, incarnation: view.incarnation },
  policy: { maxPayload, tickIntervalMs: 30_000 },
})

/** What is wrong with a connect request, as [code, message]. */
function fault(request: ConnectRequest, view: GatewayView): readonly [string, string] | undefined {
  const { minProtocol, maxProtocol, auth } = request.params
  if (Number(minProtocol ?? protocol) > protocol || Number(maxProtocol ?? protocol) < protocol)
    return ['PROTOCOL_MISMATCH', `this gateway speaks protocol ${protocol}`]
  if (typeof auth?.token !== 'string' || auth.token === '') return ['AUTH_TOKEN_MISSING', 'unauthorized: token missing']
  return sameToken(auth.token, view.token) ? undefined : ['AUTH_TOKEN_MISMATCH', 'unauthorized: token mismatch']
}

/** Answers the first request of a conversation. */
function admit(socket: WebSocket, view: GatewayView, request: ConnectRequest | undefined): void {
  const wrong = request === undefined ? undefined : fault(request, view)
  if (request === undefined) refuse(socket, undefined, 'INVALID_HANDSHAKE', 'the first request must be connect')
  else if (wrong !== undefined) refuse(socket, request.id, ...wrong)
  else if (!view.ready()) {
    const error = { code: 'UNAVAILABLE', message: 'starting', retryable: true, details: { reason: 'startup-sidecars' } }
    socket.send(JSON.stringify({ type: 'res', id: request.id, ok: false, error }))
    socket.close(1013, 'gateway starting')
  } else {
    socket.send(JSON.stringify({ type: 'res', id: request.id, ok: true, payload: helloOk(view) }))
    operate(socket, view)
  }
}

/** Challenge, connect, hello-ok; the token is the proof. */
function exchange(socket: WebSocket, view: GatewayView): void {
  const limit = setTimeout(() => socket.close(1008, 'connect expected'), exchangeMs)
  socket.on('close', () => clearTimeout(limit))
  const payload = { nonce: randomBytes(16).toString('hex'), ts: Date.now() }
  socket.send(JSON.stringify({ type: 'event', event: 'connect.challenge', payload }))
  socket.once('message', (message: Buffer) => {
    clearTimeout(limit)
    admit(socket, view, connectRequest(message.toString('utf8')))
  })
}

function converse(socket: WebSocket, request: IncomingMessage, view: GatewayView): void {
  // A broken frame or a reset ends this socket and nothing else; ws closes it by itself.
  socket.on('error', () => socket.terminate())
  const given = bearer(request.headers)
  if ((request.url ?? '/').split('?', 1)[0] === '/echo') echo(socket)
  else if (given === undefined) exchange(socket, view)
  else if (!sameToken(given, view.token))
    refuse(socket, undefined, 'AUTH_TOKEN_MISMATCH', 'unauthorized: token mismatch')
  else echo(socket)
}

function refuseUpgrade(socket: Duplex, view: GatewayView, message: string): void {
  const body = JSON.stringify({ error: { message, type: 'proxy_attribution_required' } })
  const head = [
    'HTTP/1.1 403 Forbidden',
    `${guestHeader}: ${view.uid}/${view.incarnation}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Takes the gateway server's upgrades. */
export function upgrades(view: GatewayView): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const server = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false })
  server.on('headers', (headers) => headers.push(`${guestHeader}: ${view.uid}/${view.incarnation}`))
  return (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const message = attributionFault(request.headers, view.settings())
    if (message !== undefined) refuseUpgrade(socket, view, message)
    else server.handleUpgrade(request, socket, head, (opened) => converse(opened, request, view))
  }
}
