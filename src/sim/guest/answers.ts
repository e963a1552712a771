// The stand-in gateway's HTTP answers: those of OpenClaw that the platform relies on, and three paths for trying out
// (/echo, /sse, /headers) that only the stand-in has.
import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import net from 'node:net'
import { pipeline } from 'node:stream'
import { controlPage } from './control-page.ts'
import { setting, type Settings } from './settings.ts'
import type { Sleeping } from './sleeping.ts'

/** What the answers depend on. */
export interface GatewayView {
  readonly uid: string
  readonly incarnation: string
  readonly token: string
  readonly settings: () => Settings
  readonly ready: () => boolean
  readonly sleeping: Pick<Sleeping, 'answer' | 'held'>
  /** Since the start, in milliseconds. */
  readonly uptime: () => number
}

/** Every answer says whose it is, so that a crossing between tenants is seen. */
export const guestHeader = 'x-moorage-guest'

/** Compares without telling by its time how much was right. */
export function sameToken(given: string, token: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(token)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** The token of `Authorization: Bearer`, which is the only way to say it. */
export function bearer(headers: IncomingHttpHeaders): string | undefined {
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
}

function trustsLoopback(settings: Settings): boolean {
  const proxies: unknown = setting(settings, 'gateway', 'trustedProxies')
  const loopback = ['127.0.0.1', '127.0.0.1/32', '127.0.0.0/8']
  return (
    Array.isArray(proxies) && proxies.some((proxy: unknown) => typeof proxy === 'string' && loopback.includes(proxy))
  )
}

const isLoopback = (address: string) => address === '::1' || (net.isIPv4(address) && address.startsWith('127.'))

/**
 * Why the forwarded headers of a request cannot be accepted, undefined when they can. OpenClaw turns any of them away unless
 * loopback is a trusted proxy, and even then wants a client address that is not loopback.
 */
export function attributionFault(headers: IncomingHttpHeaders, settings: Settings): string | undefined {
  const names = Object.keys(headers)
  if (!names.some((name) => name === 'forwarded' || name === 'x-real-ip' || name.startsWith('x-forwarded-')))
    return undefined
  if (!trustsLoopback(settings)) return 'forwarded headers came from a proxy that gateway.trustedProxies does not name'
  const chain = headers['x-forwarded-for']
  const client = String(chain ?? '')
    .split(',')[0]
    ?.trim()
  if (client === undefined || client === '') return 'forwarded headers came without X-Forwarded-For'
  return isLoopback(client) ? 'X-Forwarded-For names a loopback address' : undefined
}

function json(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

function page(response: ServerResponse, view: GatewayView): void {
  const text = controlPage(view)
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

/** `count` events, one every `every` milliseconds. */
function events(request: IncomingMessage, response: ServerResponse): void {
  const query = new URL(request.url ?? '/', 'http://gateway').searchParams
  const count = Math.min(Number(query.get('count') ?? 5) || 5, 1_000)
  const every = Math.min(Number(query.get('every') ?? 100) || 100, 60_000)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  let sent = 0
  const next = () => {
    sent += 1
    response.write(`id: ${sent}\nevent: tick\ndata: {"tick":${sent}}\n\n`)
    if (sent >= count) response.end()
  }
  const timer = setInterval(next, every)
  response.on('close', () => clearInterval(timer))
  response.on('finish', () => clearInterval(timer))
  next()
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' })
  pipeline(request, response, (error) => {
    if (error) response.destroy()
  })
}

function readiness(response: ServerResponse, view: GatewayView, path: string, known: boolean): void {
  const held = view.sleeping.held()
  const ready = view.ready() && !held
  const more = known ? { version: 'stand-in', uptimeMs: Math.round(view.uptime()) } : {}
  const body = path === '/startupz' ? { status: ready ? 'started' : held ? 'draining' : 'starting' } : { ready }
  json(response, ready ? 200 : 503, { ...body, ...more })
}

/** What only a holder of the token may read. */
function locked(response: ServerResponse, view: GatewayView, path: string, known: boolean): void {
  const enabled = setting(view.settings(), 'gateway', 'http', 'endpoints', 'chatCompletions', 'enabled') === true
  if (path === '/v1/models' && !enabled) json(response, 404, { error: { message: 'Not Found', type: 'not_found' } })
  else if (!known) json(response, 401, { error: { message: 'Unauthorized', type: 'unauthorized' } })
  else if (!view.ready()) json(response, 503, { error: { message: 'The gateway is starting', type: 'unavailable' } })
  else if (path === '/v1/models') json(response, 200, { object: 'list', data: [{ id: 'openclaw', object: 'model' }] })
  else json(response, 200, { uid: view.uid, incarnation: view.incarnation, basePath: '' })
}

function opened(request: IncomingMessage, response: ServerResponse, view: GatewayView, path: string): void {
  const { method = 'GET', url, headers, rawHeaders } = request
  if (path === '/echo' && method === 'POST') echo(request, response)
  else if (path === '/sse' && method === 'GET') events(request, response)
  else if (path === '/headers' && method === 'GET') json(response, 200, { method, url, headers, rawHeaders })
  else if (method === 'GET' || method === 'HEAD') page(response, view)
  else json(response, 404, { error: { message: 'Not Found', type: 'not_found' } })
}

/** Answers one request. */
export function answer(request: IncomingMessage, response: ServerResponse, view: GatewayView): void {
  response.setHeader(guestHeader, `${view.uid}/${view.incarnation}`)
  request.on('error', () => response.destroy())
  response.on('error', () => request.destroy())
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
  const known = sameToken(bearer(request.headers) ?? '', view.token)
  const fault = attributionFault(request.headers, view.settings())
  if (path === '/health' || path === '/healthz') json(response, 200, { ok: true, status: 'live' })
  else if (fault !== undefined) json(response, 403, { error: { message: fault, type: 'proxy_attribution_required' } })
  else if (path === '/startupz' || path === '/ready' || path === '/readyz') readiness(response, view, path, known)
  else if (path === '/control-ui-config.json' || path === '/v1/models') locked(response, view, path, known)
  else opened(request, response, view, path)
}
