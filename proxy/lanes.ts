// The fast lane's connections: one undici client on each proved connection, free ones kept by target. Only the transport is
// different from the other lane: who is meant, what passes and what is answered is decided in the same places.
import type net from 'node:net'
import { Client } from 'undici'

export interface Lane {
  readonly client: Client
  readonly socket: net.Socket
  /** Whether it has carried a request before. */
  reused: boolean
}

export interface LanesOptions {
  /** Opens a proved connection to what a target's key stands for. */
  readonly dial: (key: string) => Promise<net.Socket>
  /** How long a free one waits for the next request. undici counts this with timers of its own. */
  readonly idleMs: number
}

/** What undici calls the origin; the Host header is ours, and no name is ever looked up. */
const origin = 'http://tenant.invalid'

export class Lanes {
  readonly #options: LanesOptions
  readonly #free = new Map<string, Lane[]>()

  constructor(options: LanesOptions) {
    this.#options = options
  }

  /** A free lane, the last one used first, so that the others may end; else a new one. */
  async take(key: string): Promise<Lane> {
    const free = this.#free.get(key)
    for (let lane = free?.pop(); lane !== undefined; lane = free?.pop()) if (!lane.socket.destroyed) return lane
    return this.#open(key)
  }

  /** Keeps a lane whose answer is complete for the next request. */
  give(key: string, lane: Lane): void {
    if (lane.socket.destroyed) return
    lane.reused = true
    const free = this.#free.get(key)
    if (free === undefined) this.#free.set(key, [lane])
    else free.push(lane)
  }

  async #open(key: string): Promise<Lane> {
    const { dial, idleMs } = this.#options
    const socket = await dial(key)
    let fresh = true
    const client = new Client(origin, {
      // A client that has lost its connection does not get another: that one would have to be proved, and counted.
      connect: (_, done) => {
        // Not at once: undici waits for ever when it is answered while it still asks.
        if (fresh) process.nextTick(done, null, socket)
        else process.nextTick(done, new Error('the connection is over'), null)
        fresh = false
      },
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
    })
    const lane = { client, socket, reused: false }
    socket.once('close', () => this.#over(key, lane))
    return lane
  }

  #over(key: string, lane: Lane): void {
    const free = this.#free.get(key)?.filter((other) => other !== lane) ?? []
    if (free.length === 0) this.#free.delete(key)
    else this.#free.set(key, free)
    void lane.client.destroy()
  }
}
