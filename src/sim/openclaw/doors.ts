// Connections between a machine's own network and this computer's: TCP on one side, a unix socket in the runtime folder on the
// other, because a network namespace does not part the file system.
import net from 'node:net'

/** Something outside that machines may reach. */
export interface Outlet {
  /** What it is called inside, where it is found at 127.0.0.1 and the same port; empty where it is loopback anyway. */
  readonly name: string
  readonly host: string
  readonly port: number
}

export interface Door {
  /** Ends the listener and every connection. */
  close(): Promise<void>
}

function join(one: net.Socket, other: net.Socket): void {
  one.on('error', () => other.destroy())
  other.on('error', () => one.destroy())
  one.on('close', () => other.destroySoon())
  other.on('close', () => one.destroySoon())
  one.pipe(other)
  other.pipe(one)
}

/** @throws {Error} when the address cannot be bound */
export async function listenAt(from: net.ListenOptions, to: net.NetConnectOpts): Promise<Door> {
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const other = net.connect({ ...to, allowHalfOpen: true })
    for (const each of [socket, other]) {
      open.add(each)
      each.on('close', () => open.delete(each))
    }
    join(socket, other)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(from, resolve)
  })
  server.on('error', () => undefined)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

/** The LLM proxy as machines reach it; a name of this very computer needs no entry of its own. */
export function outletTo(url: string): Outlet {
  const { hostname, port, protocol } = new URL(url)
  const name = ['localhost', '127.0.0.1', '[::1]'].includes(hostname) ? '' : hostname
  return { name, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}
