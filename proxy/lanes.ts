// The fast lane's connections, free ones kept by target. Who is meant, what passes and what is answered is decided in the
// same places as for the other lane.
import type net from 'node:net'
import type { Clock, Instant } from '../specs/clock.ts'
import { Wire } from './wire.ts'

export interface LanesOptions {
  readonly clock: Pick<Clock, 'now' | 'after'>
  /** Opens a proved connection to what a target's key stands for. */
  readonly dial: (key: string) => Promise<net.Socket>
  /** How long a free one waits for the next request. */
  readonly idleMs: number
}

interface Free {
  readonly wire: Wire
  readonly until: Instant
}

/** A server that announces its own idle limit closes at that moment: we leave a second earlier, so as not to race it. */
const hintMarginMs = 1_000

/** How long the tenant says that it keeps the connection. */
function hinted(keepAlive: string | string[] | undefined): number {
  if (keepAlive === undefined) return Infinity
  const [, seconds] = /\btimeout=(\d{1,6})\b/.exec(String(keepAlive)) ?? []
  return seconds === undefined ? Infinity : Number(seconds) * 1_000 - hintMarginMs
}

export class Lanes {
  readonly #options: LanesOptions
  readonly #free = new Map<string, Free[]>()
  #cancel: (() => void) | undefined
  #closed = false

  constructor(options: LanesOptions) {
    this.#options = options
  }

  /** A free connection, the last one used first, so that the others may end. */
  take(key: string): Wire | undefined {
    const free = this.#free.get(key)
    for (let last = free?.pop(); last !== undefined; last = free?.pop()) {
      if (last.wire.free && last.until > this.#options.clock.now()) return last.wire
      last.wire.socket.destroy()
    }
    return undefined
  }

  /** A new connection. */
  async open(key: string): Promise<Wire> {
    return new Wire(await this.#options.dial(key))
  }

  /** Keeps a connection for the next request, if it can take one. @param keepAlive the answer's header of that name */
  give(key: string, wire: Wire, keepAlive: string | string[] | undefined): void {
    if (!wire.free) return
    const { clock, idleMs } = this.#options
    const ms = Math.min(idleMs, hinted(keepAlive))
    if (ms <= 0 || this.#closed) {
      wire.socket.destroy()
      return
    }
    const entry = { wire, until: clock.now() + ms }
    const free = this.#free.get(key)
    if (free === undefined) this.#free.set(key, [entry])
    else free.push(entry)
    this.#cancel ??= this.#later()
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
    for (const free of this.#free.values()) for (const { wire } of free) wire.socket.destroy()
    this.#free.clear()
  }

  /** One timer for all: a request pays for none. */
  #later(): () => void {
    const { clock, idleMs } = this.#options
    return clock.after(Math.min(idleMs, 1_000), () => {
      this.#sweep()
      this.#cancel = this.#free.size === 0 ? undefined : this.#later()
    })
  }

  #sweep(): void {
    const now = this.#options.clock.now()
    for (const [key, free] of this.#free) {
      const kept = free.filter(({ wire, until }) => wire.free && until > now)
      for (const { wire } of free.filter((entry) => !kept.includes(entry))) wire.socket.destroy()
      if (kept.length === 0) this.#free.delete(key)
      else if (kept.length < free.length) this.#free.set(key, kept)
    }
  }
}
