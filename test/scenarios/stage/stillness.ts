// Tells when nothing in this process moves by itself any more, so that only the virtual clock can bring it on. That makes
// real sockets, a real database driver and virtual time one world with one order of events, without a sleep.
import diagnostics from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'

interface Started {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** So many turns of the event loop without work, one after the other, are stillness. */
const calmTurns = 3
const giveUpMs = 30_000

const bodiless = new Set([101, 204, 205, 304])

/** Files at work: the simulator's folders, the guests' files. */
const fileWork = /^(?:FSReq|CloseReq)/

/**
 * Counts what is under way. Requests to the ports in `held` may wait on the virtual clock inside their server; every other
 * request, and whatever `busy` was given, is real work that ends by itself.
 */
export class Stillness {
  readonly #held = new Set<number>()
  readonly #inside = new Set<IncomingMessage>()
  readonly #fetch = globalThis.fetch
  #fetches = 0
  #work = 0
  #events = 0
  /** Requests that have not set out yet, and the one that is on its way. */
  #queue: readonly (() => void)[] = []
  #road: (() => void) | undefined
  #changed = (): void => undefined

  /** From now on `fetch` is watched; the answer ends that. */
  install(): () => void {
    const started = (message: unknown): void => this.#began(message as Started)
    diagnostics.subscribe('http.server.request.start', started)
    globalThis.fetch = (input, init) => this.#carry(input, init)
    return () => {
      diagnostics.unsubscribe('http.server.request.start', started)
      globalThis.fetch = this.#fetch
    }
  }

  /** Requests to this server may wait on the virtual clock. */
  hold(url: string): void {
    this.#held.add(Number(new URL(url).port))
  }

  /** Counts a piece of real work until it is done. */
  async busy<T>(work: Promise<T>): Promise<T> {
    this.#work += 1
    try {
      return await work
    } finally {
      this.#work -= 1
      this.#changed()
    }
  }

  /** So many events are still to be delivered (negative: have been). */
  events(more: number): void {
    this.#events = Math.max(0, this.#events + more)
    this.#changed()
  }

  /** Requests that wait in their server for time to pass. */
  get waiting(): number {
    return this.#inside.size
  }

  /** Nobody listens any more. */
  noEvents(): void {
    this.#events = 0
    this.#changed()
  }

  /** Resolves when nothing moves but by the virtual clock. */
  async still(): Promise<void> {
    for (let calm = 0; calm < calmTurns || this.#next();) {
      if (calm === calmTurns) calm = 0
      if (this.#isUnderWay()) {
        calm = 0
        await this.#change()
      } else {
        await turn()
        calm = this.#isUnderWay() || this.#hasFileWork() ? 0 : calm + 1
      }
    }
  }

  #isUnderWay(): boolean {
    return this.#work > 0 || this.#events > 0 || this.#fetches !== this.#inside.size
  }

  #hasFileWork(): boolean {
    for (const request of this.#inside) if (!request.complete) return true
    return process.getActiveResourcesInfo().some((resource) => fileWork.test(resource))
  }

  /** The next time that something begins or ends. */
  #change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`nothing comes to rest: ${this.#account()}`)), giveUpMs)
      this.#changed = () => {
        clearTimeout(late)
        resolve()
      }
    })
  }

  #account(): string {
    const inside = [...this.#inside].map(({ method = '', url = '' }) => `${method} ${url}`)
    return `${this.#fetches} requests, of them at the simulator [${inside.join(', ')}], ${this.#work} calls of the store, ${this.#events} events`
  }

  #began({ request, response }: Started): void {
    if (!this.#held.has(request.socket.localPort ?? 0)) return
    this.#inside.add(request)
    this.#changed()
    response.once('close', () => {
      this.#inside.delete(request)
      this.#changed()
    })
  }

  /** The next request sets out; false when none waits. */
  #next(): boolean {
    const [first, ...rest] = this.#queue
    this.#queue = rest
    this.#road = first
    first?.()
    return first !== undefined
  }

  /** One request after the other, each as far as it gets without the virtual clock: so there is one order of events. */
  async #carry(input: Parameters<typeof fetch>[0], init: RequestInit | undefined): Promise<Response> {
    const { promise, resolve: set } = Promise.withResolvers<undefined>()
    const go = (): void => set(undefined)
    this.#queue = [...this.#queue, go]
    if (this.#road === undefined) this.#next()
    await promise
    this.#fetches += 1
    this.#changed()
    try {
      const response = await this.#fetch(input, init)
      const { status, headers } = response
      const body = await response.arrayBuffer()
      return new Response(bodiless.has(status) ? null : body, { status, headers })
    } finally {
      this.#fetches -= 1
      if (this.#road === go) this.#next()
      this.#changed()
    }
  }
}
