// A clock that a test moves by hand: timers run in order of time, and randomness comes from a seed.
import type { Clock, Instant } from '../../specs/clock.ts'

interface Timer {
  readonly at: Instant
  readonly order: number
  readonly action: () => void
}

const start = Date.UTC(2026, 0, 1)

/** A turn of the event loop, so that what a timer set off can set its own timers. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Time stands still until `advance` moves it. */
export class VirtualClock implements Clock {
  #now: Instant
  #order = 0
  #seed: number
  readonly #timers = new Set<Timer>()

  constructor(seed = 1, now: Instant = start) {
    this.#seed = seed >>> 0
    this.#now = now
  }

  now(): Instant {
    return this.#now
  }

  after(ms: number, action: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, action }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Mulberry32: small, fast, and the same for the same seed. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0
    let mixed = this.#seed
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.random() * 256))
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size
  }

  /** When the next timer is due. */
  get next(): Instant | undefined {
    return this.#earliest()?.at
  }

  /** Moves time on by `ms`, running each timer on its way at its own time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.idle()
    for (let timer = this.#earliest(); timer !== undefined && timer.at <= end; timer = this.#earliest()) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.at)
      timer.action()
      await this.idle()
    }
    this.#now = end
  }

  /** Goes to the next timer that is due by `end` and runs it; without one, to `end`. False when there was none. */
  step(end: Instant): boolean {
    const timer = this.#earliest()
    const isDue = timer !== undefined && timer.at <= end
    this.#now = Math.max(this.#now, isDue ? timer.at : end)
    if (!isDue) return false
    this.#timers.delete(timer)
    timer.action()
    return true
  }

  /** Moves time on by `ms` while nothing runs, as a machine sleeps: what was due on the way is due now. */
  leap(ms: number): void {
    this.#now += ms
  }

  /** Moves time on in steps until `promise` settles; for code that waits on the clock behind a socket. */
  async until<Value>(promise: Promise<Value>, stepMs = 50, limitMs = 3_600_000): Promise<Value> {
    const settled = new Set<Promise<Value>>()
    const mark = (): unknown => settled.add(promise)
    promise.then(mark, mark)
    const end = this.#now + limitMs
    while (!settled.has(promise) && this.#now < end) await this.advance(stepMs)
    if (!settled.has(promise)) throw new Error(`nothing settled within ${limitMs} ms of virtual time`)
    return promise
  }

  /** Lets the event loop turn a few times, without moving time. */
  async idle(turns = 3): Promise<void> {
    for (let count = 0; count < turns; count++) await turn()
  }

  #earliest(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer
    }
    return first
  }
}
