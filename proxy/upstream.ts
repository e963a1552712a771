// The connections to the tenants' machines. Each one is proved to end at the right machine before it carries anything, is
// known by its target and never by an address alone, and ends with its target.
import type { KeyObject } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'
import { ProvedAgent } from './agent.ts'
import { Breaker } from './breaker.ts'
import { DialError, dialKey, dialProved } from './handshake.ts'
import { Lanes } from './lanes.ts'
import type { ProxyLimits } from './limits.ts'
import type { BridgeKeys, ProxyLog } from './ports.ts'
import { randomPool } from './random.ts'
import { reset } from './reset.ts'
import type { Target } from './target.ts'

export interface UpstreamOptions {
  readonly keys: BridgeKeys
  readonly clock: Clock
  readonly log: ProxyLog
  /** For one connection and its proof. */
  readonly dialTimeoutMs: number
  /** How long a free connection waits for the next request. */
  readonly idleMs: number
  /** When a machine that cannot be connected to is left alone, and for how long. */
  readonly limits: Pick<ProxyLimits, 'failures' | 'restMs'>
  /** Sees each proved connection. */
  readonly connected: (socket: net.Socket) => void
}

interface Upstream {
  readonly target: Target
  readonly sockets: Set<net.Socket>
  readonly breaker: Breaker
  /** Made at the first dial. */
  key: KeyObject | undefined
}

export class Upstreams {
  readonly #options: UpstreamOptions
  readonly #live = new Map<string, Upstream>()
  /** For requests: connections wait here for the next one. */
  readonly pooled: ProvedAgent
  /** For plain requests. */
  readonly lanes: Lanes
  readonly #dialClock: Pick<Clock, 'now' | 'bytes'>
  #dials = 0
  #blocked = 0

  constructor(options: UpstreamOptions) {
    this.#options = options
    this.#dialClock = { now: () => options.clock.now(), bytes: randomPool(options.clock) }
    const dial = (name: string) => this.dial(name)
    this.pooled = new ProvedAgent({ clock: options.clock, idleMs: options.idleMs, dial })
    this.lanes = new Lanes({ clock: options.clock, dial, idleMs: options.idleMs })
  }

  open(target: Target): void {
    const { clock, limits } = this.#options
    const breaker = new Breaker({ ...limits, clock })
    this.#live.set(target.key, { target, sockets: new Set(), breaker, key: undefined })
  }

  /** Ends every connection to a target, those in use too, and opens no more. */
  retire(target: Target): void {
    this.#cut(target)
    this.#live.delete(target.key)
  }

  close(): void {
    for (const { target } of [...this.#live.values()]) this.retire(target)
    this.lanes.close()
    this.pooled.destroy()
  }

  /** What the proxy library is told to connect to: a name that only `dial` understands, so that no DNS is ever asked. */
  addressOf(target: Target): { protocol: string; host: string; hostname: string; port: number } {
    return { protocol: 'http:', host: target.key, hostname: target.key, port: 80 }
  }

  /** Remembers how long the upstream says it keeps this connection. */
  heard(answer: IncomingMessage): void {
    const header = answer.headers['keep-alive']
    this.pooled.hint(answer.socket, Array.isArray(header) ? header[0] : header)
  }

  get stats(): { connections: number; dials: number; crossTenantBlocked: number } {
    const connections = [...this.#live.values()].reduce((sum, { sockets }) => sum + sockets.size, 0)
    return { connections, dials: this.#dials, crossTenantBlocked: this.#blocked }
  }

  #cut({ key }: Target): void {
    for (const socket of this.#live.get(key)?.sockets ?? []) reset(socket)
  }

  /**
   * Opens a proved connection to what a target's key stands for.
   *
   * @throws {DialError} and {Resting}
   */
  async dial(name: string): Promise<net.Socket> {
    const upstream = this.#live.get(name)
    if (upstream === undefined) throw new DialError('unreachable', 'the route is closed')
    upstream.breaker.enter()
    this.#dials += 1
    const socket = await this.#connect(upstream)
    // A reset between two requests must not end the process: whoever uses the socket hears of it by 'close'.
    socket.on('error', () => socket.destroy())
    if (this.#live.get(name) !== upstream) {
      socket.destroy()
      throw new DialError('unreachable', 'the route changed while the machine was dialled')
    }
    upstream.sockets.add(socket)
    this.#options.connected(socket)
    socket.once('close', () => upstream.sockets.delete(socket))
    return socket
  }

  async #connect(upstream: Upstream): Promise<net.Socket> {
    const { target, breaker } = upstream
    try {
      const socket = await this.#prove(upstream)
      breaker.succeeded()
      return socket
    } catch (error) {
      // Who proves to be somebody else does answer; each such try is to be seen.
      if (error instanceof DialError && error.code === 'mismatch') breaker.succeeded()
      else if (breaker.failed()) {
        const { uid, machine } = target
        this.#options.log.warn({ uid, machine }, 'the machine cannot be connected to and is left alone for a moment')
      }
      throw error
    }
  }

  async #prove(upstream: Upstream): Promise<net.Socket> {
    const { target } = upstream
    const { keys, dialTimeoutMs: timeoutMs } = this.#options
    const clock = this.#dialClock
    try {
      upstream.key ??= dialKey(keys.bridgeKey(target.uid, target.incarnation))
      const proved = await dialProved(target, upstream.key, { clock, timeoutMs })
      return proved.socket
    } catch (error) {
      if (error instanceof DialError && error.code === 'mismatch') this.#mismatched(target, error)
      throw error
    }
  }

  /** Something else sits at the tenant's address. Connections proved before may not be what they were either. */
  #mismatched(target: Target, error: DialError): void {
    this.#blocked += 1
    const { uid, machine, incarnation } = target
    this.#options.log.error({ uid, machine, incarnation, reason: error.message }, 'blocked: not the tenant’s machine')
    this.#cut(target)
  }
}
