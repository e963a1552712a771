// The socket: cuts what clients send into messages, runs them in order, and answers after the commit.
import { createServer, type Server, type Socket } from 'node:net'
import { encode } from './bson.ts'
import type { ClientConnection } from './command.ts'
import { dispatch } from './dispatch.ts'
import { errorReply } from './errors.ts'
import type { Store } from './store.ts'
import { encodeReply, Framer, type Message, parseMessage } from './wire.ts'

export interface Listener {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>
}

/** Listens on a UNIX socket. Whoever can open it may do everything: its folder is the guard. */
export async function listen(store: Store, path: string): Promise<Listener> {
  const sockets = new Set<Socket>()
  let count = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(store, socket, ++count, path)
  })
  await bind(server, path)
  return {
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      server.close(() => resolve(undefined))
      for (const socket of sockets) socket.destroy()
      await promise
    },
  }
}

function bind(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  server.once('error', reject)
  server.listen(path, () => {
    server.off('error', reject)
    resolve(undefined)
  })
  return promise
}

function serve(store: Store, socket: Socket, id: number, address: string): void {
  const gone = new AbortController()
  const connection: ClientConnection = { id, address, gone: gone.signal }
  const framer = new Framer()
  socket.on('close', () => gone.abort())
  // A client that breaks off is everyday life; 'close' follows and ends what it waited for.
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of framer.push(chunk)) receive(store, socket, parseMessage(frame), connection)
    } catch (error) {
      // What is no message cannot be answered: the driver sees the end of the connection, with the reason for a debugger.
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  })
}

function receive(store: Store, socket: Socket, message: Message, connection: ClientConnection): void {
  const reply = dispatch(store, message, connection)
  const answer = (bytes: Uint8Array) =>
    store.turn.afterCommit((failure) => {
      if (message.isSilent || socket.destroyed) return
      socket.write(encodeReply(message, failure === undefined ? bytes : encode(errorReply(failure))))
    })
  if (reply instanceof Promise) void reply.then(answer)
  else answer(reply)
}
