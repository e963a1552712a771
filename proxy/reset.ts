// Ends a connection by a reset, which tells the peer that what it got is not all. The bridge has its own copy of this rule.
import type net from 'node:net'

/**
 * Resets a socket and closes it. While a FIN is under way Node 24 cannot (EINVAL, and the handle is never closed but spins):
 * the peer has then been told an orderly end already, and the socket is only closed. One that still connects has told its
 * peer nothing, and would be kept until it connects.
 */
export function reset(socket: net.Socket): void {
  const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (ending || socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}
