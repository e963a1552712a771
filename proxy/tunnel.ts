// A WebSocket's two sockets as one thing: when either is over, so is the other.
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'
import { FrameTracker, goingAway } from './frames.ts'
import { reset } from './reset.ts'
import { keepAliveMs } from './upstream.ts'

/** How long the second socket may take to send what it still holds. */
const lingerMs = 2_000

/**
 * Follows the frames that the tenant sends, so that one of ours can be put between two of them.
 *
 * @returns tells the client that we are going away, as soon as a frame has ended; its own Close then ends the tenant's side
 */
function follow(client: net.Socket, upstream: net.Socket): () => void {
  const frames = new FrameTracker()
  let leaving = false
  const say = () => {
    if (!leaving || !frames.between) return
    leaving = false
    upstream.unpipe(client).resume()
    client.write(goingAway)
  }
  // After the library: before, a listener would take the bytes that came with the answer; and each piece is passed on first.
  process.nextTick(() =>
    upstream.on('data', (chunk: Buffer) => {
      frames.feed(chunk)
      say()
    }),
  )
  return () => {
    leaving = true
    say()
  }
}

/** Tells when the client sends a piece of a message: no ping, no pong, no goodbye. */
function listen(client: net.Socket, said: () => void): void {
  const frames = new FrameTracker()
  // After the library: before, the listener would take what the client sent early.
  process.nextTick(() =>
    client.on('data', (chunk: Buffer) => {
      if (frames.feed(chunk)) said()
    }),
  )
}

/**
 * Ties two sockets together. An orderly end passes through, and what was written still arrives; a peer that then neither
 * reads nor ends is cut off. Any other end passes through as a reset. Copying the bytes is not done here.
 *
 * @param said told when the client sends a piece of a message
 * @returns says goodbye to the client
 */
export function tie(client: net.Socket, upstream: net.Socket, clock: Clock, said: () => void): () => void {
  let cancel: (() => void) | undefined
  const destroy = () => {
    client.destroy()
    upstream.destroy()
  }
  const linger = () => (cancel ??= clock.after(lingerMs, destroy))
  const join = (one: net.Socket, other: net.Socket) => {
    // Before the library, which would end the other side in order.
    one.on('error', () => reset(other))
    one.once('end', linger)
    one.once('close', () => {
      if (other.destroyed) cancel?.()
      else if (one.readableEnded) {
        linger()
        other.destroySoon()
      } else reset(other)
    })
  }
  join(client, upstream)
  join(upstream, client)
  // After the library, which sets the kernel's two hours.
  process.nextTick(() => [client, upstream].forEach((socket) => socket.setKeepAlive(true, keepAliveMs)))
  listen(client, said)
  if (client.destroyed) upstream.destroy()
  return follow(client, upstream)
}
