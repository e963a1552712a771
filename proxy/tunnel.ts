// A WebSocket's two sockets as one thing: bytes pass both ways, and when either is over, so is the other.
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'
import { FrameTracker, goingAway } from './frames.ts'
import { reset } from './reset.ts'

/** How long the second socket may take to send what it still holds. */
const lingerMs = 2_000

export interface TunnelOptions {
  readonly clock: Pick<Clock, 'after'>
  /** Told when the client sends a piece of a message: no ping, no pong, no goodbye. */
  readonly said: () => void
}

/**
 * Ties two sockets together. An orderly end passes through, and what was written still arrives; a peer that then neither
 * reads nor ends is cut off. Any other end passes through as a reset. A side that does not read holds the other back.
 */
export class Tunnel {
  readonly #client: net.Socket
  readonly #upstream: net.Socket
  readonly #options: TunnelOptions
  readonly #toTenant = new FrameTracker()
  readonly #toClient = new FrameTracker()
  #state: 'open' | 'leaving' | 'left' = 'open'
  #cancel: (() => void) | undefined

  constructor(client: net.Socket, upstream: net.Socket, options: TunnelOptions) {
    this.#client = client
    this.#upstream = upstream
    this.#options = options
    this.#join(client, upstream)
    this.#join(upstream, client)
    client.on('data', (chunk: Buffer) => {
      if (!upstream.write(chunk)) client.pause()
      if (this.#toTenant.feed(chunk)) this.#options.said()
    })
    upstream.on('data', (chunk: Buffer) => this.#tenantSays(chunk))
    if (client.destroyed) upstream.destroy()
  }

  /** Tells the client that we are going away, as soon as a frame has ended; its own Close then ends the tenant's side. */
  leave(): void {
    if (this.#state !== 'open') return
    this.#state = 'leaving'
    this.#say()
  }

  #tenantSays(chunk: Buffer): void {
    // After our goodbye nothing may follow.
    if (this.#state === 'left') return
    if (!this.#client.write(chunk)) this.#upstream.pause()
    this.#toClient.feed(chunk)
    this.#say()
  }

  #say(): void {
    if (this.#state !== 'leaving' || !this.#toClient.between) return
    this.#state = 'left'
    this.#client.write(goingAway)
  }

  #join(one: net.Socket, other: net.Socket): void {
    one.on('drain', () => other.resume())
    one.on('error', () => reset(other))
    one.once('end', () => {
      this.#linger()
      other.end()
    })
    one.once('close', () => this.#closed(one, other))
  }

  #closed(one: net.Socket, other: net.Socket): void {
    if (other.destroyed) this.#cancel?.()
    else if (one.readableEnded) {
      this.#linger()
      other.destroySoon()
    } else reset(other)
  }

  #linger(): void {
    this.#cancel ??= this.#options.clock.after(lingerMs, () => {
      this.#client.destroy()
      this.#upstream.destroy()
    })
  }
}
