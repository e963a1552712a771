// What the proxy's tests stand on: tenants made of a real bridge before a small gateway, routes put by hand, and a client
// that writes raw bytes.
import type { ExecutionContext } from 'ava'
import { createHash } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import type { BridgeKeys, RouteSink, RouteSource } from '../../proxy/ports.ts'
import { startProxy, type Proxy, type ProxyOptions } from '../../proxy/server.ts'
import type { Route, TenantRoute } from '../../specs/route.ts'
import { realClock } from '../../src/clock.ts'
import { listening, openBridge } from './bridge.ts'

export const keys: BridgeKeys = {
  bridgeKey: (uid, incarnation) => createHash('sha256').update(`${uid}/${incarnation}`).digest(),
}

/** Polls until a condition holds; fails the test after `ms`. */
export async function eventually(t: ExecutionContext, holds: () => boolean, what: string, ms = 5_000): Promise<void> {
  const end = Date.now() + ms
  while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  t.true(holds(), what)
}

export interface Tenant {
  readonly uid: string
  readonly host: string
  readonly gateway: http.Server
  /** Connections that the gateway has open. */
  readonly sockets: Set<net.Socket>
  /** Connections that the gateway ever saw. */
  readonly reached: () => number
  route(more?: Partial<TenantRoute>, target?: Partial<Extract<Route, { kind: 'forward' }>>): TenantRoute
  close(): Promise<void>
}

/** A tenant's machine: the real bridge before a gateway that `handle` is, or that a raw server is. */
export async function startTenant(
  t: ExecutionContext,
  name: string,
  handle: http.RequestListener | ((socket: net.Socket) => void),
  { raw = false, incarnation = 1 } = {},
): Promise<Tenant> {
  const uid = `uid${name}`
  const gateway = http.createServer(raw ? undefined : (handle as http.RequestListener))
  const server = raw ? net.createServer({ allowHalfOpen: true }, handle as (socket: net.Socket) => void) : gateway
  const sockets = new Set<net.Socket>()
  let reached = 0
  server.on('connection', (socket: net.Socket) => {
    reached += 1
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  const targetPort = await listening(server)
  const { bridge, port } = await openBridge({ targetPort, uid, incarnation, key: keys.bridgeKey(uid, incarnation) })
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await bridge.close()
  }
  t.teardown(close)
  const host = `${name}.localhost`
  const route: Route = { kind: 'forward', machine: `m-${name}`, incarnation, address: '127.0.0.1', port }
  return {
    uid,
    host,
    gateway,
    sockets,
    reached: () => reached,
    route: (more, target) => ({ uid, name, hosts: [host], revision: 1, route: { ...route, ...target }, ...more }),
    close,
  }
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
}

export interface Stage {
  readonly proxy: Proxy
  readonly sink: RouteSink
  readonly lines: LogLine[]
}

/** A proxy that knows these routes; more can be put into its sink. */
export async function startStage(
  t: ExecutionContext,
  routes: readonly TenantRoute[],
  more: Partial<ProxyOptions> = {},
): Promise<Stage> {
  const known = Promise.withResolvers<RouteSink>()
  const source: RouteSource = {
    follow: async (sink) => {
      sink.reset(routes)
      known.resolve(sink)
      return { close: async () => undefined }
    },
  }
  const lines: LogLine[] = []
  const write = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, fields, message })
  }
  const log = { info: write('info'), warn: write('warn'), error: write('error') }
  const options = { port: 0, host: '127.0.0.1', routes: source, keys, clock: realClock, log, graceMs: 500 }
  const proxy = await startProxy({ ...options, ...more })
  t.teardown(() => proxy.close())
  return { proxy, sink: await known.promise, lines }
}

export interface Reply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export interface Ask {
  readonly method?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: string | Buffer
  readonly agent?: http.Agent
}

/** Sends a request to the proxy and gives the answer's head back, the body unread. */
export function open(proxy: Proxy, host: string, path: string, ask: Ask = {}): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, agent, body } = ask
    const to = {
      host: '127.0.0.1',
      port: proxy.port,
      path,
      method,
      headers: { host, ...headers },
      agent: agent ?? false,
    }
    http.request(to).on('response', resolve).on('error', reject).end(body)
  })
}

export async function text(answer: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

export async function ask(proxy: Proxy, host: string, path = '/', more: Ask = {}): Promise<Reply> {
  const answer = await open(proxy, host, path, more)
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) }
}

export interface RawReply {
  readonly text: string
  /** How the connection ended: in order, by a reset, or not within the time. */
  readonly end: 'closed' | 'reset' | 'open'
}

/**
 * Writes bytes as they are, and gives back everything that came until the connection ended, `ms` of silence passed, or what
 * came is `enough`.
 */
export function raw(proxy: Proxy, bytes: string | Buffer, ms = 15_000, enough?: RegExp): Promise<RawReply> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = net.connect({ host: '127.0.0.1', port: proxy.port })
    const done = (end: RawReply['end']) => {
      socket.destroy()
      resolve({ text: Buffer.concat(chunks).toString('latin1'), end })
    }
    socket.setTimeout(ms, () => done('open'))
    socket.on('connect', () => socket.write(bytes))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (enough?.test(Buffer.concat(chunks).toString('latin1')) === true) done('open')
    })
    socket.on('end', () => done('closed'))
    socket.on('error', () => done('reset'))
  })
}
