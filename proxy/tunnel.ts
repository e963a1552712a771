// A WebSocket's two sockets as one thing: when either is over, so is the other.
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'
import { reset } from './reset.ts'
import { keepAliveMs } from './upstream.ts'

/** How long the second socket may take to send what it still holds. */
const lingerMs = 2_000

/**
 * Ties two sockets together. An orderly end passes through, and what was written still arrives; a peer that then neither
 * reads nor ends is cut off. Any other end passes through as a reset. Copying the bytes is not done here.
 */
export function tie(client: net.Socket, upstream: net.Socket, clock: Clock): void {
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
  if (client.destroyed) upstream.destroy()
}
