// Ends what takes too long: exchanges in which nothing moves any more, and those over their time. It looks now and then,
// so that no request pays for a timer of its own.
import type net from 'node:net'
import type { Clock, Instant } from '../specs/clock.ts'

const lookEveryMs = 15_000

export interface VigilOptions {
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly idleMs: number
  /** At each look. */
  readonly looked: () => void
}

interface Watched {
  /** Where it is in the list. */
  at: number
  readonly socket: net.Socket
  readonly until: Instant
  readonly end: () => void
  moved: number
  since: Instant
}

export class Vigil {
  readonly #options: VigilOptions
  /** No Set: V8 keeps the tables that a busy one has outgrown, and all that was in them, until the next full collection. */
  readonly #watched: Watched[] = []
  #cancel: () => void

  constructor(options: VigilOptions) {
    this.#options = options
    this.#cancel = this.#later()
  }

  /**
   * Calls `end` when nothing has moved on the socket for the idle time, or `totalMs` are over, up to 15 s late.
   *
   * @returns ends the watch
   */
  watch(socket: net.Socket, totalMs: number, end: () => void): () => void {
    const since = this.#options.clock.now()
    const watched = { at: this.#watched.length, socket, until: since + totalMs, end, moved: -1, since }
    this.#watched.push(watched)
    return () => this.#forget(watched)
  }

  close(): void {
    this.#cancel()
  }

  /** The last one takes its place. Once more does nothing. */
  #forget(watched: Watched): void {
    if (this.#watched[watched.at] !== watched) return
    const last = this.#watched.pop()
    if (last === undefined || last === watched) return
    last.at = watched.at
    this.#watched[last.at] = last
  }

  #later(): () => void {
    return this.#options.clock.after(lookEveryMs, () => {
      this.#look()
      this.#options.looked()
      this.#cancel = this.#later()
    })
  }

  #look(): void {
    const now = this.#options.clock.now()
    for (const watched of [...this.#watched]) {
      // The end of one may have been the end of another.
      if (this.#watched[watched.at] !== watched) continue
      const moved = watched.socket.bytesRead + watched.socket.bytesWritten
      if (moved !== watched.moved) {
        watched.moved = moved
        watched.since = now
      }
      if (now < watched.until && now - watched.since < this.#options.idleMs) continue
      this.#forget(watched)
      watched.end()
    }
  }
}
