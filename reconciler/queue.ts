// A keyed queue: a key is worked on by one worker at a time, is queued once however often it is added, may be delayed,
// and goes before others by priority. A key added while it is worked on is looked at again afterwards.
import type { Clock, Instant } from '../specs/clock.ts'

interface Waiting {
  readonly due: Instant
  readonly priority: number
}

export interface QueueOptions {
  readonly clock: Clock
  readonly workers: number
  /** Works on one key; it must not reject. */
  readonly work: (key: string) => Promise<void>
}

/** One level of priority is worth this much waiting, so that nobody starves. */
const agingMs = 200

export class Queue {
  readonly #options: QueueOptions
  readonly #waiting = new Map<string, Waiting>()
  readonly #running = new Map<string, Promise<void>>()
  #wakeAt = Infinity
  #cancelTimer = () => {}
  #closed = false

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** Keys that wait, due or not. */
  get depth(): number {
    return this.#waiting.size
  }

  /** Adds a key, due in `delayMs`. Of two additions the sooner time and the higher priority stay. */
  add(key: string, priority = 0, delayMs = 0): void {
    if (this.#closed) return
    const known = this.#waiting.get(key)
    const due = this.#options.clock.now() + delayMs
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
    await Promise.all(this.#running.values())
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
    this.#waiting.delete(key)
    const work = this.#options.work(key).finally(() => {
      this.#running.delete(key)
      if (!this.#closed) this.#startDue()
    })
    this.#running.set(key, work)
  }
}
