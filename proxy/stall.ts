// A peer that is there and takes nothing: TCP keeps such a connection for ever, and everything behind it waits.
import type net from 'node:net'
import type { Clock } from '../specs/clock.ts'

/**
 * Ends a socket when nothing of what waits to be written has moved for `ms` to twice `ms`. A connection with nothing to
 * write may be quiet for as long as it likes.
 */
export function endWhenStalled(socket: net.Socket, clock: Clock, ms: number): void {
  let seen = -1
  let cancel = () => undefined as unknown
  const look = () => {
    const { bytesWritten, writableLength } = socket
    if (writableLength > 0 && bytesWritten === seen) {
      socket.resetAndDestroy()
      return
    }
    seen = bytesWritten
    cancel = clock.after(ms, look)
  }
  look()
  socket.once('close', () => cancel())
}
