// Leaves a machine alone that cannot be connected to: each further request would only wait for the same failure.
import type { Clock, Instant } from '../specs/clock.ts'

/** The machine is being left alone. */
export class Resting extends Error {
  override readonly name = 'Resting'
  readonly retryMs: number
  constructor(retryMs: number) {
    super('the machine could not be connected to several times in a row, and is left alone for a moment')
    this.retryMs = retryMs
  }
}

export interface BreakerOptions {
  readonly clock: Pick<Clock, 'now'>
  readonly failures: number
  readonly restMs: number
}

/** One machine's. Closed, until as many connects have failed in a row; then open; then one is let through to see. */
export class Breaker {
  readonly #options: BreakerOptions
  #failures = 0
  #openUntil: Instant | undefined
  #probing = false

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  /** @throws {Resting} when no connect may be tried now */
  enter(): void {
    if (this.#openUntil === undefined) return
    const left = this.#openUntil - this.#options.clock.now()
    if (left > 0 || this.#probing) throw new Resting(Math.max(left, 1_000))
    this.#probing = true
  }

  succeeded(): void {
    this.#failures = 0
    this.#openUntil = undefined
    this.#probing = false
  }

  /** Counts a failed connect. @returns whether the machine is left alone from now on */
  failed(): boolean {
    const { clock, failures, restMs } = this.#options
    this.#failures += 1
    // Those that had begun before it opened do not make it longer.
    const opens = this.#probing || (this.#openUntil === undefined && this.#failures >= failures)
    this.#probing = false
    if (opens) this.#openUntil = clock.now() + restMs
    return opens
  }
}
