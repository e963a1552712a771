// How much one tenant may have at a time, so that none starves the others: requests, WebSockets, a rate, and a body's size.
import type { Clock, Instant } from '../specs/clock.ts'

export interface ProxyLimits {
  /** Requests in progress per tenant; more get 503. */
  readonly concurrency: number
  /** WebSockets per tenant; more get 503. */
  readonly sockets: number
  /** Requests and upgrades per tenant and second, on average; more get 429. */
  readonly ratePerSecond: number
  /** How many may come at once after a quiet time. */
  readonly burst: number
  /** The largest request body, in bytes; a larger one gets 413. */
  readonly bodyBytes: number
  /** For a request's headers to arrive. */
  readonly headersMs: number
  /** A request or WebSocket in which no byte moves for this long is cut. Quiet streams are common: keep it long. */
  readonly idleMs: number
  /** For a request from its first byte to the last of its answer. WebSockets have no such limit. */
  readonly totalMs: number
  /** Consecutive failed connects to one machine after which it is left alone for a while. */
  readonly failures: number
  /** How long it is left alone before one request may try again. */
  readonly restMs: number
  /** How long a request waits for a tenant that wakes up; then 503. */
  readonly holdMs: number
  /** A browser gets the waiting page after this long instead. */
  readonly pageMs: number
  /** How many may wait for one tenant; more get 503. */
  readonly heldPerTenant: number
  /** How many may wait in total; more get 503. */
  readonly held: number
}

export const defaultLimits: ProxyLimits = {
  concurrency: 256,
  sockets: 512,
  ratePerSecond: 200,
  burst: 400,
  bodyBytes: 256 * 1024 * 1024,
  headersMs: 15_000,
  idleMs: 3_600_000,
  totalMs: 86_400_000,
  failures: 5,
  restMs: 5_000,
  holdMs: 30_000,
  pageMs: 2_000,
  heldPerTenant: 100,
  held: 5_000,
}

type What = 'request' | 'socket'

interface Use {
  request: number
  socket: number
  /** How many of the requests are no use while they are open. */
  quiet: number
  /** What is left of the rate, as of `at`. */
  tokens: number
  at: Instant
}

/** Counts what each tenant has in use. */
export class TenantLimiter {
  readonly #limits: ProxyLimits
  readonly #clock: Pick<Clock, 'now'>
  readonly #uses = new Map<string, Use>()

  constructor(limits: ProxyLimits, clock: Pick<Clock, 'now'>) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Takes a place for a request or a WebSocket, or says which limit is in the way. What was taken has to be left again. */
  enter(uid: string, what: What): 'entered' | 'busy' | 'too-many-requests' {
    const { concurrency, sockets } = this.#limits
    const use = this.#refilled(uid)
    if (use[what] >= (what === 'request' ? concurrency : sockets)) return 'busy'
    if (use.tokens < 1) return 'too-many-requests'
    use.tokens -= 1
    use[what] += 1
    return 'entered'
  }

  leave(uid: string, what: What): void {
    const use = this.#uses.get(uid)
    if (use !== undefined) use[what] -= 1
  }

  /** One of the tenant's requests is no use any more while it is open, or (-1) has ended. */
  quiet(uid: string, by: 1 | -1): void {
    const use = this.#uses.get(uid)
    if (use !== undefined) use.quiet += by
  }

  /** Whether the tenant has requests in progress that are a use of it. */
  busy(uid: string): boolean {
    const use = this.#uses.get(uid)
    return use !== undefined && use.request > use.quiet
  }

  /** Who has such requests. */
  *busyTenants(): Generator<string> {
    for (const [uid, { request, quiet }] of this.#uses) if (request > quiet) yield uid
  }

  /** Forgets the tenants that have nothing in use and their whole rate left. */
  sweep(): void {
    for (const uid of this.#uses.keys()) {
      const { request, socket, tokens } = this.#refilled(uid)
      if (request + socket === 0 && tokens >= this.#limits.burst) this.#uses.delete(uid)
    }
  }

  get tenants(): number {
    return this.#uses.size
  }

  #refilled(uid: string): Use {
    const { ratePerSecond, burst } = this.#limits
    const at = this.#clock.now()
    const use = this.#uses.get(uid)
    if (use === undefined) {
      const fresh = { request: 0, socket: 0, quiet: 0, tokens: burst, at }
      this.#uses.set(uid, fresh)
      return fresh
    }
    // A clock that goes back gives nothing.
    use.tokens = Math.min(burst, use.tokens + (Math.max(0, at - use.at) * ratePerSecond) / 1_000)
    use.at = at
    return use
  }
}
