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
  readonly socket: net.Socket
  readonly until: Instant
  readonly end: () => void
  moved: number
  since: Instant
}

export class Vigil {
  readonly #options: VigilOptions
  readonly #watched = new Set<Watched>()
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
    const watched = { socket, until: since + totalMs, end, moved: -1, since }
    this.#watched.add(watched)
    return () => void this.#watched.delete(watched)
  }

  close(): void {
    this.#cancel()
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
    for (const watched of this.#watched) {
      const moved = watched.socket.bytesRead + watched.socket.bytesWritten
      if (moved !== watched.moved) {
        watched.moved = moved
        watched.since = now
      }
      if (now < watched.until && now - watched.since < this.#options.idleMs) continue
      this.#watched.delete(watched)
      watched.end()
    }
  }
}
