// Fly's rate limits, kept on our side: a token bucket for each action and identifier, in which callers wait their turn.
import type { Clock, Instant } from '../../specs/clock.ts'
import { Fault } from '../../specs/faults.ts'
import type { CallOptions } from './requests.ts'

export interface LimitSettings {
  /** How many times Fly's rate: 1 on Fly, 1/n where n processes share it, 10 on a simulator that runs ten times as fast. */
  readonly rate?: number | undefined
  /** A call that would wait longer is refused at once; 20 s unless set. */
  readonly maxWaitMs?: number | undefined
}

interface Rate {
  readonly perSecond: number
  readonly burst: number
}

// Fly allows 1/s with a burst of 3 for each action and identifier, and 5/s with a burst of 10 for Get Machine (docs:
// machines/api/working-with-machines-api). A tenth less, so that two clocks may differ.
const usual: Rate = { perSecond: 0.9, burst: 3 }
const special: Readonly<Record<string, Rate | undefined>> = { machineGet: { perSecond: 4.5, burst: 10 } }

/** After a 429 a bucket refills at half its rate, down to an eighth, and gains a tenth of the full rate per 10 s. */
const brake = { cut: 0.5, floor: 0.125, gain: 0.1, everyMs: 10_000, onceInMs: 1_000 }
const sweepEveryMs = 10_000

interface Waiter {
  readonly priority: number
  readonly deadline: Instant
  readonly serve: () => void
  readonly refuse: (waitMs: number) => void
}

interface Bucket {
  readonly action: string
  readonly rate: Rate
  tokens: number
  /** When `tokens` was right. */
  at: Instant
  /** The share of the rate that the last 429 left. */
  factor: number
  cutAt: Instant
  pausedUntil: Instant
  /** By priority, then in order of arrival. */
  readonly waiters: Waiter[]
  cancelTimer: (() => void) | undefined
}

const lateness = (action: string, waitMs: number, maxWaitMs: number): Fault =>
  new Fault(
    'throttled',
    `${action} was held back: its turn within Fly's rate limit comes in ${Math.ceil(waitMs / 1000)} s, and at most ${maxWaitMs / 1000} s are waited`,
    { call: action, retryAfterMs: Math.ceil(waitMs) },
  )

/** Hands out turns. It refuses early rather than late, never spins, and forgets every bucket that is full again. */
export class Limiter {
  readonly #clock: Clock
  readonly #scale: number
  readonly #maxWaitMs: number
  readonly #buckets = new Map<string, Bucket>()
  #sweptAt: Instant

  constructor(clock: Clock, { rate = 1, maxWaitMs = 20_000 }: LimitSettings = {}) {
    if (!(rate > 0) || !Number.isFinite(rate)) throw new TypeError('the rate of the Fly limits must be above 0')
    this.#clock = clock
    this.#scale = rate
    this.#maxWaitMs = maxWaitMs
    this.#sweptAt = clock.now()
  }

  /** How many buckets are remembered. */
  get size(): number {
    return this.#buckets.size
  }

  /**
   * Resolves when it is this call's turn. Throws a Fault of kind throttled, with the time to come back, when the turn
   * would come too late, and the signal's reason when the caller gives up.
   */
  async take(action: string, identifier: string, { priority = 0, signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#sweep()
    const bucket = this.#bucket(action, identifier)
    this.#refill(bucket)
    const ahead = bucket.waiters.filter((other) => other.priority >= priority).length
    const waitMs = this.#waitMs(bucket, ahead + 1)
    if (waitMs <= 0) {
      bucket.tokens -= 1
      return
    }
    if (waitMs > this.#maxWaitMs) throw lateness(action, waitMs, this.#maxWaitMs)
    await this.#queue(bucket, priority, signal)
  }

  /** Fly said 429: this bucket is emptied, waits as long as Fly asks, and refills more slowly for a while. */
  penalise(action: string, identifier: string, retryAfterMs = 0): void {
    const bucket = this.#bucket(action, identifier)
    const now = this.#refill(bucket)
    bucket.tokens = Math.min(bucket.tokens, 0)
    bucket.pausedUntil = Math.max(bucket.pausedUntil, now + retryAfterMs)
    // Several 429s to one burst are one reason to slow down.
    if (now - bucket.cutAt >= brake.onceInMs / this.#scale) {
      bucket.factor = Math.max(brake.floor, this.#factor(bucket, now) * brake.cut)
      bucket.cutAt = now
    }
    this.#pump(bucket)
  }

  #bucket(action: string, identifier: string): Bucket {
    const key = `${action} ${identifier}`
    const known = this.#buckets.get(key)
    if (known !== undefined) return known
    const rate = special[action] ?? usual
    const at = this.#clock.now()
    const unhindered = { factor: 1, cutAt: -Infinity, pausedUntil: at }
    const bucket: Bucket = { action, rate, tokens: rate.burst, at, ...unhindered, waiters: [], cancelTimer: undefined }
    this.#buckets.set(key, bucket)
    return bucket
  }

  #factor(bucket: Bucket, now: Instant): number {
    if (bucket.factor === 1) return 1
    const gains = Math.floor((now - bucket.cutAt) / (brake.everyMs / this.#scale))
    return Math.min(1, bucket.factor + brake.gain * gains)
  }

  #perMs(bucket: Bucket, now: Instant): number {
    return (bucket.rate.perSecond * this.#scale * this.#factor(bucket, now)) / 1000
  }

  #refill(bucket: Bucket): Instant {
    const now = this.#clock.now()
    const elapsed = Math.max(0, now - Math.max(bucket.at, bucket.pausedUntil))
    bucket.tokens = Math.min(bucket.rate.burst, bucket.tokens + elapsed * this.#perMs(bucket, now))
    bucket.at = now
    return now
  }

  /** Until the bucket will have given `count` tokens, at the present rate. */
  #waitMs(bucket: Bucket, count: number): number {
    const pause = Math.max(0, bucket.pausedUntil - bucket.at)
    const lacking = count - bucket.tokens
    // A rounding error is not worth a timer.
    return pause + (lacking < 1e-6 ? 0 : lacking / this.#perMs(bucket, bucket.at))
  }

  #queue(bucket: Bucket, priority: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const place = bucket.waiters.indexOf(waiter)
        if (place !== -1) bucket.waiters.splice(place, 1)
        signal?.removeEventListener('abort', giveUp)
      }
      const giveUp = (): void => {
        leave()
        this.#pump(bucket)
        reject(
          signal?.reason instanceof Error
            ? signal.reason
            : new Error('the call was given up', { cause: signal?.reason }),
        )
      }
      const waiter: Waiter = {
        priority,
        deadline: this.#clock.now() + this.#maxWaitMs,
        serve: () => {
          leave()
          resolve()
        },
        refuse: (waitMs) => {
          leave()
          reject(lateness(bucket.action, waitMs, this.#maxWaitMs))
        },
      }
      signal?.addEventListener('abort', giveUp, { once: true })
      const after = bucket.waiters.findIndex((other) => other.priority < priority)
      bucket.waiters.splice(after === -1 ? bucket.waiters.length : after, 0, waiter)
      this.#pump(bucket)
    })
  }

  /** Serves whose turn it is, refuses whom others have pushed past their time, and sets one timer for the next. */
  #pump(bucket: Bucket): void {
    bucket.cancelTimer?.()
    bucket.cancelTimer = undefined
    const now = this.#refill(bucket)
    while (bucket.waiters.length > 0 && this.#waitMs(bucket, 1) <= 0) {
      bucket.tokens -= 1
      bucket.waiters[0]?.serve()
    }
    for (const waiter of bucket.waiters.filter(({ deadline }) => deadline <= now))
      waiter.refuse(this.#waitMs(bucket, bucket.waiters.indexOf(waiter) + 1))
    if (bucket.waiters.length === 0) return
    const deadline = Math.min(...bucket.waiters.map((waiter) => waiter.deadline))
    const wait = Math.max(1, Math.ceil(Math.min(this.#waitMs(bucket, 1), deadline - now)))
    bucket.cancelTimer = this.#clock.after(wait, () => this.#pump(bucket))
  }

  /** A full bucket in which nobody waits, and which no 429 slows down, is the same as none. */
  #sweep(): void {
    const now = this.#clock.now()
    if (now - this.#sweptAt < sweepEveryMs / this.#scale) return
    this.#sweptAt = now
    for (const [key, bucket] of this.#buckets) {
      this.#refill(bucket)
      const full = bucket.tokens >= bucket.rate.burst && bucket.waiters.length === 0
      if (full && this.#factor(bucket, now) === 1) this.#buckets.delete(key)
    }
  }
}
