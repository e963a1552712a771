// Who may go on to a tenant: within its limits, and after waiting for it to wake up where it sleeps. Keeps count of who is
// used, and wakes a tenant that was put to sleep while it was in use.
import type { IncomingHttpHeaders } from 'node:http'
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'
import type { Exchange, Road } from './exchange.ts'
import { TenantLimiter, type ProxyLimits } from './limits.ts'
import { OpenPages } from './open-pages.ts'
import { wantsHtml, type Reason } from './pages.ts'
import type { Activity } from './ports.ts'
import { closedReason, holds } from './resolve.ts'
import { WaitingRoom, type Outcome } from './waiting.ts'

export interface AdmissionOptions {
  readonly clock: Clock
  readonly road: Road
  readonly limits: ProxyLimits
  readonly activity: Activity
  /** The upgrades that are under way or open. */
  readonly upgrades: () => Iterable<readonly [net.Socket, Exchange]>
  /** A tenant is asked to wake up. */
  readonly woken: () => void
  /** A wait has ended. */
  readonly held: (outcome: Outcome, ms: number) => void
}

/** What becomes of an exchange: it goes on, its client has left, or the page that it is answered with. */
export type Verdict = 'go' | 'gone' | Reason

/** Answers that go on for as long as somebody looks. */
const ticking = /^(text\/event-stream|multipart\/x-mixed-replace)\s*(;|$)/i

function isTicking(type: string | undefined): boolean {
  return type !== undefined && ticking.test(type)
}

export class Admission {
  readonly #options: AdmissionOptions
  readonly #limiter: TenantLimiter
  readonly #waiting: WaitingRoom
  readonly #pages: OpenPages

  constructor(options: AdmissionOptions) {
    const { clock, limits, held: ended } = options
    this.#options = options
    this.#pages = new OpenPages(options.upgrades)
    this.#limiter = new TenantLimiter(limits, clock)
    this.#waiting = new WaitingRoom({ clock, limits, ended, wake: (uid) => this.#wake(uid) })
  }

  /** How many wait. */
  get held(): number {
    return this.#waiting.held
  }

  /** Sets where the exchange goes, or says why it goes nowhere; `hold`: it has to wait. */
  admit(exchange: Exchange, headers: IncomingHttpHeaders): 'go' | 'hold' | Reason {
    const { road, limits, activity } = this.#options
    const resolution = road.resolve(exchange)
    if (resolution === undefined) return 'bad-request'
    exchange.uid = resolution.tenant?.uid
    const closed = resolution.kind === 'page' ? resolution.reason : undefined
    if (closed !== undefined && !holds(closed)) return closed
    if (Number(headers['content-length'] ?? 0) > limits.bodyBytes) return 'too-large'
    if (resolution.kind === 'page') return this.#whileClosed(resolution.reason, exchange, headers.origin)
    const { uid } = resolution.tenant
    const what = exchange.upgrade ? 'socket' : 'request'
    const entered = this.#limiter.enter(uid, what)
    if (entered !== 'entered') return entered
    exchange.left = () => this.#limiter.leave(uid, what)
    if (what === 'request') this.#quietOnceTicking(exchange, uid)
    exchange.target = resolution.target
    activity.used(uid)
    return 'go'
  }

  /** Waiting is for those who are woken. The wish is passed on all the same: it may be heard later. */
  #whileClosed(reason: Reason, exchange: Exchange, origin: string | undefined): 'hold' | Reason {
    if (reason !== 'asleep') return 'hold'
    if (this.#pages.isOwn(exchange, origin)) return 'left-open'
    if (this.#options.activity.canWake?.() !== false) return 'hold'
    const { uid } = exchange
    if (uid !== undefined) this.#wake(uid)
    return 'unwoken'
  }

  /** Has the exchange wait, and tells once what became of it; that may be at once. */
  hold(exchange: Exchange, headers: IncomingHttpHeaders, done: (verdict: Verdict) => void): void {
    const { since, method, accept, upgrade } = exchange
    const decided = (outcome: Outcome) => {
      exchange.heldMs = this.#options.clock.now() - since
      this.#decided(exchange, headers, outcome, done)
    }
    const resolution = this.#options.road.resolve(exchange)
    const asleep = resolution?.kind === 'page' && resolution.reason === 'asleep'
    const browser = !upgrade && method === 'GET' && wantsHtml(accept)
    exchange.left = this.#waiting.enter({ uid: exchange.uid ?? '', since, browser, asleep, decided })
  }

  /** To be told of every change in the table. */
  changed(uid: string, now: TenantRoute | undefined, before: TenantRoute | undefined): void {
    this.#pages.changed(uid, now, before)
    const reason = closedReason(now)
    if (!holds(reason)) this.#waiting.release(uid, reason === undefined ? 'forwarded' : 'closed')
    else if (reason === 'asleep' && closedReason(before) !== 'asleep' && this.#inUse(uid)) this.#wake(uid)
  }

  /** A user sends something to the tenant. */
  used({ uid }: Exchange): void {
    if (uid !== undefined) this.#options.activity.used(uid)
  }

  /** The exchange is over. Its end is a use too, unless it was ended because the road was closed. */
  left(exchange: Exchange): void {
    exchange.left?.()
    if (exchange.upgrade || exchange.target === undefined) return
    if (this.#options.road.resolve(exchange)?.kind === 'forward') this.used(exchange)
  }

  /** To be called now and then: requests under way are a use, and who nobody asks for any more is forgotten. */
  look(): void {
    for (const uid of this.#limiter.busyTenants()) this.#options.activity.used(uid)
    this.#limiter.sweep()
  }

  /** Whether requests are under way that a sleep must not cut. */
  busy(uid: string): boolean {
    return this.#limiter.busy(uid)
  }

  /** Everybody who waits is sent away, and nobody may wait any more. */
  close(): void {
    this.#waiting.close()
  }

  #decided(exchange: Exchange, headers: IncomingHttpHeaders, outcome: Outcome, done: (verdict: Verdict) => void): void {
    switch (outcome) {
      case 'forwarded':
      case 'closed': {
        const verdict = this.admit(exchange, headers)
        // The host belongs to another tenant now, which sleeps too.
        if (verdict === 'hold') this.hold(exchange, headers, done)
        else done(verdict)
        return
      }
      case 'gone':
        done('gone')
        return
      case 'overflow':
        done('crowded')
        return
      case 'page':
      case 'timeout':
      case 'closing':
        done('waking')
    }
  }

  /** Somebody waits for the tenant, has a request there, or has used it since anybody was told. */
  #inUse(uid: string): boolean {
    return this.#waiting.waitsFor(uid) || this.#limiter.busy(uid) || this.#options.activity.unwritten(uid)
  }

  /** A GET that is answered by a stream of events is somebody's open page, and no use by itself (README.md). */
  #quietOnceTicking(exchange: Exchange, uid: string): void {
    if (exchange.method !== 'GET') return
    const { left } = exchange
    exchange.answered = (type) => {
      if (!isTicking(type)) return
      this.#limiter.quiet(uid, 1)
      exchange.left = () => {
        this.#limiter.quiet(uid, -1)
        left?.()
      }
    }
  }

  #wake(uid: string): void {
    this.#options.woken()
    this.#options.activity.wake(uid)
  }
}
