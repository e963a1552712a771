// A proxy in front of a MongoDB server that can lose a reply: the server has done the work, the client cannot know.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface LossyProxy {
  readonly uri: string
  /** The next reply to a command of this name is swallowed, and its connection closed. */
  loseNextReplyTo(command: string): void
  /** How many replies were lost. */
  lost(): number
  close(): Promise<void>
}

/** Listens on loopback and forwards to the first host of the URI. */
export async function startLossyProxy(uri: string): Promise<LossyProxy> {
  const host = /\/\/(?:[^@/]*@)?([^,/?]+)/.exec(uri)?.[1] ?? ''
  const sockets = new Set<Socket>()
  let wanted: string | undefined
  let lost = 0

  const server = createServer((client) => {
    const upstream = dial(host)
    let isDoomed = false
    client.on('data', (bytes) => {
      if (wanted !== undefined && bytes.includes(`${wanted}\0`)) {
        isDoomed = true
        wanted = undefined
      }
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      if (!isDoomed) return client.write(bytes)
      lost++
      return client.destroy()
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => other.destroy())
    }
  })
  const { promise, resolve } = Promise.withResolvers<undefined>()
  server.listen(0, '127.0.0.1', () => resolve(undefined))
  await promise
  const { port } = server.address() as AddressInfo
  const direct = uri.includes('directConnection') ? '' : `${uri.includes('?') ? '&' : '?'}directConnection=true`
  return {
    uri: uri.replace(/(\/\/(?:[^@/]*@)?)[^/?]+/, `$1127.0.0.1:${port}`) + direct,
    loseNextReplyTo: (command) => {
      wanted = command
    },
    lost: () => lost,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}

function dial(host: string): Socket {
  if (host.endsWith('.sock')) return connect(decodeURIComponent(host))
  const [name = '', port = '27017'] = host.split(':')
  return connect(Number(port), name)
}
