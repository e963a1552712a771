// The real bridge on a port of its own, before whatever listens on another.
import { once } from 'node:events'
import net from 'node:net'
import { startBridge, type Bridge, type BridgeOptions } from '../../boot/bridge.mjs'

/** Makes the server listen on a free port, and gives that. */
export async function listening(server: net.Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

/** A port on loopback that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  return port
}

/** Whose machine it stands for, and where its gateway is. */
type Placed = Pick<BridgeOptions, 'targetPort' | 'uid' | 'incarnation' | 'key'> & Partial<BridgeOptions>

/** A bridge that listens. Whoever starts it closes it. */
export async function openBridge(placed: Placed): Promise<{ readonly bridge: Bridge; readonly port: number }> {
  const port = await freePort()
  const ready = Promise.withResolvers<undefined>()
  const bridge = startBridge({
    ...{ host: '127.0.0.1', port, onListening: () => ready.resolve(undefined), onFatal: ready.reject },
    ...placed,
  })
  await ready.promise
  return { bridge, port }
}
