// Fly's rate limits: a token bucket per action and identifier. They scale with the latencies.
import type { Clock } from '../../specs/clock.ts'

interface Rate {
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  readonly tokens: number
  readonly at: number
}

// Fly's documentation: one request a second per action and identifier with a burst of three; five and ten for
// Get Machine; a hundred app deletions a minute.
const usual: Rate = { perSecond: 1, burst: 3 }
const special: Readonly<Record<string, Rate | undefined>> = {
  machineGet: { perSecond: 5, burst: 10 },
  appDelete: { perSecond: 100 / 60, burst: 100 },
}
const most = 10_000

/** Counts calls against the limits. */
export class Limits {
  readonly #clock: Clock
  readonly #scale: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, scale: number) {
    this.#clock = clock
    this.#scale = scale
  }

  /** Takes one token; false when there is none. With scale 0 there is always one. */
  take(action: string, identifier: string): boolean {
    if (this.#scale === 0) return true
    const rate = special[action] ?? usual
    const key = `${action} ${action === 'appDelete' ? '' : identifier}`
    const now = this.#clock.now()
    const before = this.#buckets.get(key) ?? { tokens: rate.burst, at: now }
    const refilled = before.tokens + ((now - before.at) / 1000) * (rate.perSecond / this.#scale)
    const tokens = Math.min(rate.burst, refilled)
    const granted = tokens >= 1
    this.#buckets.set(key, { tokens: granted ? tokens - 1 : tokens, at: now })
    if (this.#buckets.size > most) this.#forgetFull(now)
    return granted
  }

  /** A bucket that has stood for ten seconds of Fly's time is full again and need not be remembered. */
  #forgetFull(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (now - bucket.at > 10_000 * this.#scale) this.#buckets.delete(key)
    }
  }
}
