// Ends one wait after another on a connection. A timer for each wait would be made and thrown away with every request; here
// one runs on, and when it fires it looks whether it is time.
import type net from 'node:net'
import type { Clock, Instant } from '../specs/clock.ts'

export class Patience {
  readonly #clock: Pick<Clock, 'now' | 'after'>
  #late: (() => void) | undefined
  #until: Instant = 0
  /** Set while the timer runs. */
  #cancel: (() => void) | undefined

  /** For as long as the connection lasts. */
  constructor(clock: Pick<Clock, 'now' | 'after'>, socket: net.Socket) {
    this.#clock = clock
    socket.once('close', () => {
      this.settle()
      this.#cancel?.()
    })
  }

  /** Calls `late` when so many milliseconds have passed, unless the wait is settled before, or another begins. */
  wait(ms: number, late: () => void): void {
    this.#late = late
    this.#until = this.#clock.now() + ms
    this.#cancel ??= this.#in(ms)
  }

  settle(): void {
    this.#late = undefined
  }

  #in(ms: number): () => void {
    return this.#clock.after(ms, () => {
      this.#cancel = undefined
      const late = this.#late
      const left = this.#until - this.#clock.now()
      if (late === undefined) return
      if (left > 0) {
        this.#cancel = this.#in(left)
        return
      }
      this.#late = undefined
      late()
    })
  }
}
