// The road in: Host to tenant to machine, for requests, streams and WebSockets, or a clear page where it ends.
import type http from 'node:http'
import type { AddressInfo, ListenOptions } from 'node:net'
import type { Registry } from 'prom-client'
import type { Clock } from '../specs/clock.ts'
import { Gate } from './gate.ts'
import { defaultLimits, type ProxyLimits } from './limits.ts'
import { listener } from './listener.ts'
import type { Activity, BridgeKeys, ProxyLog, RouteSource } from './ports.ts'
import type { ProxyStats } from './tally.ts'

export interface ProxyOptions {
  readonly port: number
  readonly host: string
  /** Whether other proxies of this user may listen on the same port, where the platform can do that; false by default. */
  readonly shared?: boolean
  readonly routes: RouteSource
  readonly keys: BridgeKeys
  readonly clock: Clock
  readonly log: ProxyLog
  /** Hears who is used and who is to wake up; nobody by default. */
  readonly activity?: Activity
  /** When a client may ask again while a tenant is being set up; 5 by default. */
  readonly retryAfterSeconds?: number
  /** Who connects: clients themselves (default), or Fly's proxy, whose word on the client's address is then taken. */
  readonly edge?: 'direct' | 'fly'
  /** What tenants are told instead of a loopback client's address: OpenClaw answers 403 to X-Forwarded-For: 127.0.0.1. */
  readonly loopbackAs?: string
  /** For a connection to a machine and its proof; 5 s by default. */
  readonly dialTimeoutMs?: number
  /** How long an answer may take to begin; 5 min by default, as a model may think for long. */
  readonly headTimeoutMs?: number
  /** How long an unused connection to a machine is kept; 30 s by default. */
  readonly idleMs?: number
  /** A peer that accepts no bytes for one to two times this is cut; 2 min by default. */
  readonly stallMs?: number
  /** The part of the ordinary requests that are logged, from 0 to 1 (default). Failures always are. */
  readonly logSample?: number
  /** Where the proxy's metrics are registered, for whoever serves them. */
  readonly metrics?: Registry
  /** What differs from the default limits. */
  readonly limits?: Partial<ProxyLimits>
  /** How long `close` lets requests finish and WebSockets say goodbye; 5 s by default. */
  readonly graceMs?: number
}

export interface Proxy {
  readonly url: string
  readonly port: number
  /** Stops listening, lets requests finish for a while and tells WebSockets (1001), then ends what is left. */
  close(): Promise<void>
  stats(): ProxyStats
}

/** Where nobody hears who is used, nobody is woken either. */
const nobody: Activity = {
  used: () => undefined,
  wake: () => undefined,
  unwritten: () => false,
  canWake: () => false,
}

function listening(server: http.Server, where: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** The kernel deals new connections to all who share the port; who took it without sharing keeps it. */
async function bind(server: http.Server, { port, host, shared = false }: ProxyOptions): Promise<number> {
  if (!shared) return listening(server, { port, host })
  try {
    return await listening(server, { port, host, reusePort: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTSUP') throw error
    return listening(server, { port, host })
  }
}

/**
 * Starts the proxy. It listens once it knows the routes, so that no tenant is unknown for a moment.
 *
 * @throws when the routes cannot be followed, or the port cannot be bound
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const { clock, log, routes, host } = options
  const limits = { ...defaultLimits, ...options.limits }
  const gate = new Gate({
    keys: options.keys,
    clock,
    log,
    retrySeconds: options.retryAfterSeconds ?? 5,
    edge: options.edge ?? 'direct',
    loopbackAs: options.loopbackAs,
    dialTimeoutMs: options.dialTimeoutMs ?? 5_000,
    headTimeoutMs: options.headTimeoutMs ?? 300_000,
    idleMs: options.idleMs ?? 30_000,
    stallMs: options.stallMs ?? 120_000,
    limits,
    activity: options.activity ?? nobody,
    logSample: options.logSample ?? 1,
    metrics: options.metrics,
  })
  const following = await routes.follow(gate.table).catch((error: unknown) => {
    gate.close()
    throw error
  })
  const server = listener(gate, log, limits)
  const port = await bind(server, options).catch(async (error: unknown) => {
    await following.close()
    gate.close()
    throw error
  })
  log.info({ host, port, tenants: gate.table.size }, 'the proxy listens')
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    stats: () => gate.stats(),
    close: async () => {
      // What the kernel has for us by now is taken first: it resets what nobody has accepted when the listening ends.
      await new Promise((resolve) => setImmediate(resolve))
      const closed = new Promise((resolve) => server.close(resolve))
      gate.drain(() => server.closeIdleConnections())
      const cancel = clock.after(options.graceMs ?? 5_000, () => {
        gate.cutUpgrades()
        server.closeAllConnections()
      })
      await closed
      cancel()
      await following.close()
      gate.close()
    },
  }
}
