// Cuts connections whose peer has stopped reading: what is written for it would wait in memory for as long as the peer likes.
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'
import { reset } from './reset.ts'

export interface StallOptions {
  readonly clock: Pick<Clock, 'after'>
  /** How often it looks, in milliseconds. A peer is cut when it took nothing from one look to the next: after 1 to 2 times this. */
  readonly everyMs: number
  readonly cut: () => void
}

/** What the peer's side of the kernel has taken of all that was written; undefined while nothing waits. */
function accepted(socket: net.Socket): number | undefined {
  return socket.writableLength === 0 ? undefined : socket.bytesWritten - socket.writableLength
}

export class StallGuard {
  readonly #options: StallOptions
  readonly #seen = new Map<net.Socket, number | undefined>()
  #cancel: () => void

  constructor(options: StallOptions) {
    this.#options = options
    this.#cancel = this.#later()
  }

  /** Watches a socket until it is closed. */
  watch(socket: net.Socket): void {
    this.#seen.set(socket, undefined)
    socket.once('close', () => this.#seen.delete(socket))
  }

  close(): void {
    this.#cancel()
  }

  #later(): () => void {
    return this.#options.clock.after(this.#options.everyMs, () => {
      this.#look()
      this.#cancel = this.#later()
    })
  }

  #look(): void {
    for (const [socket, before] of this.#seen) {
      const now = accepted(socket)
      this.#seen.set(socket, now)
      if (now === undefined || now !== before) continue
      this.#options.cut()
      reset(socket)
    }
  }
}
