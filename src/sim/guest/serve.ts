// The guest host's control socket: takes calls from API processes, one after the other or several at once, and ends the host
// when it is told to or when nobody has been there for a while.
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net from 'node:net'
import type { ExecResult, GuestHost, GuestStart } from '../guest-host.ts'
import { type Method, receive, type Reply, type Request, send } from './wire.ts'

/** Whoever starts a host dials at once: one that came up too late to be dialled does not stay. */
const firstMs = 10_000

export interface ServeOptions {
  readonly socket: string
  readonly guests: GuestHost
  /** Without a connected API process the host ends after this many milliseconds. */
  readonly idleMs: number
  readonly log: (line: string) => void
}

export interface Served {
  /** Settles when the host has ended: guests stopped, socket gone. */
  readonly ended: Promise<undefined>
  end(why: string): Promise<void>
}

type Calls = { readonly [Name in Method]: (...args: never[]) => Promise<unknown> }

/** The calls of `guests`, each written down with its outcome; arguments hold secrets and are not. */
function callsOf(guests: GuestHost, log: ServeOptions['log'], close: () => Promise<void>): Calls {
  const told = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const value = await work
    log(what)
    return value
  }
  return {
    running: () => guests.running(),
    start: (guest: GuestStart) => told(`start ${guest.machine} at ${guest.address}`, guests.start(guest)),
    stop: (machine: string) => told(`stop ${machine}`, guests.stop(machine)),
    suspend: (machine: string) => told(`suspend ${machine}`, guests.suspend(machine)),
    resume: (machine: string) => told(`resume ${machine}`, guests.resume(machine)),
    exec: (machine: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> =>
      guests.exec(machine, command, timeoutMs),
    close,
  }
}

async function answerTo(calls: Calls, { id, method, args }: Request, log: ServeOptions['log']): Promise<Reply> {
  try {
    return { id, ok: true, value: await calls[method](...(args as never[])) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    log(`${method} failed: ${message}`)
    return { id, ok: false, message }
  }
}

/** The control socket and what ends it. */
class ControlSocket {
  readonly #options: ServeOptions
  readonly #clients = new Set<net.Socket>()
  readonly #server: net.Server
  readonly #calls: Calls
  readonly #ended = Promise.withResolvers<undefined>()
  #idle: NodeJS.Timeout | undefined
  #ending: Promise<void> | undefined

  constructor(options: ServeOptions) {
    this.#options = options
    this.#calls = callsOf(options.guests, options.log, () => this.end('told to close'))
    this.#server = net.createServer((client) => this.#serve(client))
  }

  get ended(): Promise<undefined> {
    return this.#ended.promise
  }

  async listen(): Promise<void> {
    rmSync(this.#options.socket, { force: true })
    this.#server.listen(this.#options.socket)
    await once(this.#server, 'listening')
    this.#watchIdleness(Math.min(this.#options.idleMs, firstMs))
  }

  /** Stops the guests, once; replies that are due still go out before the connections end. */
  end(why: string): Promise<void> {
    this.#ending ??= this.#end(why)
    return this.#ending
  }

  async #end(why: string): Promise<void> {
    this.#options.log(`ending: ${why}`)
    clearTimeout(this.#idle)
    this.#server.close(() => this.#ended.resolve(undefined))
    await this.#options.guests.close()
    setImmediate(() => {
      for (const client of this.#clients) client.end(() => client.destroy())
    })
  }

  #watchIdleness(ms: number): void {
    if (this.#clients.size > 0 || this.#ending !== undefined) return
    this.#idle = setTimeout(() => void this.end('nobody is there'), ms)
  }

  #serve(client: net.Socket): void {
    const { log } = this.#options
    this.#clients.add(client)
    clearTimeout(this.#idle)
    client.on('error', (error) => log(`a control connection broke: ${error.message}`))
    client.on('close', () => {
      this.#clients.delete(client)
      this.#watchIdleness(this.#options.idleMs)
    })
    receive(client, (request) => {
      void answerTo(this.#calls, request as Request, log).then((reply) => send(client, reply))
    })
  }
}

/** Serves `guests` on a unix socket. The caller holds the folder's lock, so a socket file that lies there is a dead one's. */
export async function serveGuests(options: ServeOptions): Promise<Served> {
  const control = new ControlSocket(options)
  await control.listen()
  return control
}
