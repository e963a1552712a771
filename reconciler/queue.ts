// A keyed queue: a key is worked on by one worker at a time, is queued once however often it is added, may be delayed,
// and goes before others by priority. A key added while it is worked on is looked at again afterwards.
import type { Clock, Instant } from '../specs/clock.ts'
import { deafMeter, type QueueMeter, type QueueState } from './meter.ts'

interface Waiting {
  readonly due: Instant
  readonly priority: number
}

export interface QueueOptions {
  readonly clock: Clock
  readonly workers: number
  /** Works on one key; it must not reject. */
  readonly work: (key: string) => Promise<void>
  readonly meter?: QueueMeter
}

interface Running {
  readonly work: Promise<void>
  readonly since: Instant
}

/** One level of priority is worth this much waiting, so that nobody starves. */
const agingMs = 200

export class Queue {
  readonly #options: QueueOptions
  readonly #meter: QueueMeter
  readonly #waiting = new Map<string, Waiting>()
  readonly #running = new Map<string, Running>()
  #wakeAt = Infinity
  #cancelTimer = () => {}
  #closed = false

  constructor(options: QueueOptions) {
    this.#options = options
    this.#meter = options.meter ?? deafMeter
  }

  /** Keys that wait, due or not. */
  get depth(): number {
    return this.#waiting.size
  }

  /** What waits and what is worked on now. */
  state(): QueueState {
    const now = this.#options.clock.now()
    const ages = [...this.#running.values()].map(({ since }) => now - since)
    const due = [...this.#waiting].filter(([key, waiting]) => waiting.due <= now && !this.#running.has(key))
    return {
      depth: due.length,
      active: ages.length,
      unfinishedMs: ages.reduce((sum, age) => sum + age, 0),
      longestMs: Math.max(0, ...ages),
    }
  }

  /** Adds a key, due in `delayMs`. Of two additions the sooner time and the higher priority stay. */
  add(key: string, priority = 0, delayMs = 0): void {
    if (this.#closed) return
    const known = this.#waiting.get(key)
    const due = this.#options.clock.now() + delayMs
    if (known === undefined) this.#meter.added()
    this.#waiting.set(key, {
      due: Math.min(due, known?.due ?? Infinity),
      priority: Math.max(priority, known?.priority ?? -Infinity),
    })
    if (due < this.#wakeAt) this.#wake(due)
  }

  /** Takes no more keys and waits for those in work. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer()
    this.#waiting.clear()
    await Promise.all([...this.#running.values()].map(({ work }) => work))
  }

  #wake(at: Instant): void {
    this.#cancelTimer()
    this.#wakeAt = at
    this.#cancelTimer = this.#options.clock.after(Math.max(0, at - this.#options.clock.now()), () => {
      this.#wakeAt = Infinity
      this.#startDue()
    })
  }

  #startDue(): void {
    while (this.#running.size < this.#options.workers) {
      const key = this.#nextDue()
      if (key === undefined) break
      this.#start(key)
    }
    this.#wakeForEarliest()
  }

  /** Of the due keys that nobody works on, the most urgent, with waiting time counted in. */
  #nextDue(): string | undefined {
    const now = this.#options.clock.now()
    let best: { key: string; rank: number } | undefined
    for (const [key, { due, priority }] of this.#waiting) {
      if (due > now || this.#running.has(key)) continue
      const rank = priority + (now - due) / agingMs
      if (best === undefined || rank > best.rank) best = { key, rank }
    }
    return best?.key
  }

  #wakeForEarliest(): void {
    if (this.#closed || this.#running.size >= this.#options.workers) return
    let earliest = Infinity
    for (const [key, { due }] of this.#waiting) if (!this.#running.has(key)) earliest = Math.min(earliest, due)
    if (earliest < this.#wakeAt) this.#wake(earliest)
  }

  #start(key: string): void {
    const { clock } = this.#options
    const since = clock.now()
    this.#meter.taken(Math.max(0, since - (this.#waiting.get(key)?.due ?? since)))
    this.#waiting.delete(key)
    const work = this.#options.work(key).finally(() => {
      this.#running.delete(key)
      this.#meter.worked(clock.now() - since)
      if (!this.#closed) this.#startDue()
    })
    this.#running.set(key, { work, since })
  }
}
