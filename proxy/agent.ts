// Node's HTTP agent, with two differences: a connection is whatever `dial` proves for a name, and the clock decides how long
// an idle one is kept.
import http, { type ClientRequestArgs } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../specs/clock.ts'

/** A server that announces its own idle limit closes at that moment: we leave a second earlier, so as not to race it. */
const hintMarginMs = 1_000

export interface AgentOptions {
  readonly clock: Clock
  /** How long a free connection is kept. */
  readonly idleMs: number
  /** Opens a connection to what a made-up host name stands for. */
  readonly dial: (name: string) => Promise<net.Socket>
}

export class ProvedAgent extends http.Agent {
  readonly #options: AgentOptions
  readonly #hints = new WeakMap<Duplex, number>()
  readonly #expiries = new WeakMap<Duplex, () => void>()

  constructor(options: AgentOptions) {
    super({ keepAlive: true, scheduling: 'lifo' })
    this.#options = options
  }

  override createConnection(
    { host }: ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const done = callback as ((error: unknown, socket?: Duplex) => void) | undefined
    const opened = (socket: net.Socket) => {
      socket.once('close', () => this.#forget(socket))
      done?.(null, socket)
    }
    void this.#options.dial(host ?? '').then(opened, (error: unknown) => done?.(error))
  }

  /** Takes note of an upstream's `Keep-Alive` header, which does not reach the client. */
  hint(socket: Duplex, header: string | undefined): void {
    const [, seconds] = /\btimeout=(\d{1,6})\b/.exec(header ?? '') ?? []
    if (seconds !== undefined) this.#hints.set(socket, Math.max(0, Number(seconds) * 1_000 - hintMarginMs))
  }

  override keepSocketAlive(socket: Duplex): boolean {
    const idleMs = Math.min(this.#options.idleMs, this.#hints.get(socket) ?? Infinity)
    if (idleMs <= 0) return false
    this.#forget(socket)
    this.#expiries.set(
      socket,
      this.#options.clock.after(idleMs, () => socket.destroy()),
    )
    if (socket instanceof net.Socket) socket.unref()
    return true
  }

  override reuseSocket(socket: Duplex, request: http.ClientRequest): void {
    this.#forget(socket)
    super.reuseSocket(socket, request)
  }

  #forget(socket: Duplex): void {
    this.#expiries.get(socket)?.()
    this.#expiries.delete(socket)
  }
}
