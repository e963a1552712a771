// The REST API as a server of its own.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ClassBook } from '../../reconciler/rollout/book.ts'
import type { Clock } from '../../specs/clock.ts'
import type { CertificatePolicy } from '../../specs/names.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Claim } from '../audit/noted.ts'
import type { FleetStore } from '../store/fleet.ts'
import type { Pairings } from '../gateway/pairings.ts'
import type { Insight } from '../insight.ts'
import type { PoolService } from '../pools.ts'
import type { Money } from '../money.ts'
import type { Events } from '../store/events.ts'
import type { ClassStore } from '../store/classes.ts'
import type { Rollouts } from '../store/rollouts.ts'
import type { Tenants } from '../store/tenants.ts'
import type { Readiness } from '../readiness.ts'
import type { AdoptRoutes } from './adopt.ts'
import type { LlmRoutes } from './llm.ts'
import type { AuditRoutes } from './audit.ts'
import type { OrphanRoutes } from './orphans.ts'
import { apiApp } from './app.ts'
import type { Authenticator } from './auth.ts'
import { Problem, problemBody } from './problem.ts'
import type { RateSettings } from './rates.ts'
import type { RuleContext } from './rules.ts'
import type { TokenRoutes } from './tokens.ts'
import type { ApiWatch } from './watch.ts'
import type { Replays } from '../store/replays.ts'

export interface ApiLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface ApiOptions extends AdoptRoutes, AuditRoutes, LlmRoutes, OrphanRoutes, TokenRoutes {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly classes: ClassBook
  readonly classStore: ClassStore
  readonly rollouts: Rollouts
  readonly policy: CertificatePolicy
  readonly admits?: RuleContext['admits']
  readonly adminToken: string
  /** Other ways to tell whose a token is, asked in this order. */
  readonly authenticators?: readonly Authenticator[]
  readonly clock: Clock
  readonly log: ApiLog
  /** Left out: nobody is held back. */
  readonly rates?: RateSettings | undefined
  readonly replays: Replays
  readonly jwks: () => Promise<object> | object
  readonly ready: () => Promise<Readiness>
  /** What operators see of the API; nothing where left out. */
  readonly watch?: ApiWatch
  readonly wake: (uid: string) => void
  readonly pools: PoolService
  /** Left out, no tenant gets a machine that stands ready. */
  readonly claim?: Claim | undefined
  /** Hears of every tenant that was created. */
  readonly arrived?: (tenant: Tenant) => void
  readonly events: Events
  readonly money: Money
  /** Undefined in a process without the reconciler. */
  readonly insight: Insight | undefined
  /** Left out where nobody reaches the machines from here. */
  readonly pairings?: Pairings
}

export interface RunningApi {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const drainMs = 5_000

/** A whole request may take `requestTimeout`, so a slow sender cannot hold a connection for ever. */
const limits = {
  requestTimeout: 30_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
}
const mostConnections = 1_000

/** What the HTTP parser refuses never becomes a request: it is answered on the bare socket. */
function refuseBare(error: Error & { code?: string }, socket: Duplex, requestId: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, line, detail] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([431, 'Request Header Fields Too Large', 'The headers are too large.'] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ([408, 'Request Timeout', 'The request did not arrive in time.'] as const)
        : ([400, 'Bad Request', 'The request is not HTTP.'] as const)
  const body = JSON.stringify(problemBody(new Problem(status, 'bad-request', detail), requestId))
  const head = [
    `HTTP/1.1 ${status} ${line}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Lets the requests that came finish for `drainMs`, then ends what is left. */
function drain(server: Server, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(drainMs, () => server.closeAllConnections())
    server.close(() => {
      cancel()
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** Starts listening. Rejects when the port is taken. */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { host, port, clock } = options
  const app = apiApp(options)
  app.setMaxListeners(0)
  const callback = app.callback()
  const server = createServer(limits, (request, response) => {
    // While draining, a connection goes with its last answer; it counts as idle only a turn later.
    response.once('close', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections())
    })
    void callback(request, response)
  })
  server.maxConnections = mostConnections
  server.on('clientError', (error, socket) => refuseBare(error, socket, Buffer.from(clock.bytes(12)).toString('hex')))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    port: address.port,
    close: () => {
      // Streams have no end of their own.
      app.emit('closing')
      return drain(server, clock)
    },
  }
}
