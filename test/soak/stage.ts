// The whole product for the soak, each part a process as in production: database, simulated Fly with stand-in guests,
// controller and API, and the proxy alone.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { MongoClient, type Db } from 'mongodb'
import { WebSocket } from 'ws'
import { bridgePort } from '../../src/reconciler.ts'
import { startEmbedded } from '../../src/store/embedded/server.ts'
import { freePort } from '../helpers/bridge.ts'
import { startFly, startNode, until, type Started } from '../helpers/processes.ts'

export interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

export interface SoakStage {
  readonly api: string
  readonly token: string
  readonly proxyPort: number
  readonly fly: string
  readonly db: Db
  /** The proxy's memory after a collection of garbage. */
  memory(): Promise<Memory>
  /** Connections that the proxy has open to machines. */
  upstreamSockets(): number
  /** Why the proxy or the controller has ended, if it has. */
  ended(): string | undefined
  close(): Promise<void>
}

interface Inspector {
  call(method: string, params?: object): Promise<unknown>
  /** A process that is being inspected does not end. */
  leave(): void
}

/** Speaks to a process' inspector. */
async function inspect(started: Started): Promise<Inspector> {
  const url = await until('the inspector listens', 60_000, () =>
    Promise.resolve(/Debugger listening on (ws:\S+)/.exec(started.output())?.[1]),
  )
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const waiting = new Map<number, (result: unknown) => void>()
  let last = 0
  socket.on('error', () => socket.terminate())
  socket.on('message', (data: Buffer) => {
    const { id, result } = JSON.parse(data.toString()) as { id?: number; result?: unknown }
    if (id === undefined) return
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  return {
    call: (method, params = {}) =>
      new Promise((resolve) => {
        const id = (last += 1)
        waiting.set(id, resolve)
        socket.send(JSON.stringify({ id, method, params }))
      }),
    leave: () => socket.terminate(),
  }
}

/** Counts a process' established TCP connections to a port, as the kernel has them. */
function connectionsTo(pid: number, port: number): number {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch (error) {
        // Closed since it was listed.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    }),
  )
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = ['tcp', 'tcp6'].flatMap((file) => readFileSync(`/proc/${pid}/net/${file}`, 'utf8').trim().split('\n').slice(1)) // prettier-ignore
  return lines.filter((line) => {
    const [, , remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/)
    return state === '01' && remote.endsWith(suffix) && own.has(inode)
  }).length
}

const memoryUsage = 'JSON.stringify(process.memoryUsage())'

type Closer = () => Promise<unknown>

/** Starts everything below `folder`; what has been started is ended where the rest does not come up. */
export async function startStage(folder: string): Promise<SoakStage> {
  const closers: Closer[] = []
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end()
  }
  return start(folder, closers, close).catch(async (error: unknown) => {
    await close()
    throw error
  })
}

async function start(folder: string, closers: Closer[], close: () => Promise<void>): Promise<SoakStage> {
  const mongo = await startEmbedded({ folder: join(folder, 'db') })
  closers.push(() => mongo.close())
  const client = new MongoClient(mongo.uri)
  closers.push(() => client.close())
  const fly = await startFly(join(folder, 'fly'), { MOORAGE_SIM_SCALE: '0.1' })
  closers.push(() => fly.end('SIGTERM'))
  const proxyPort = await freePort()
  const data = join(folder, 'data')
  const settings = {
    ...{ MOORAGE_DATA: data, MONGODB_URI: mongo.uri, MOORAGE_PROXY_PORT: String(proxyPort), MOORAGE_LOG_LEVEL: 'warn' },
    ...{ MOORAGE_PUBLIC_ORIGIN: `http://localhost:${proxyPort}`, MOORAGE_SIM_SCALE: '0.1' },
    ...{ FLY_API_TOKEN: 'simulated', FLY_FLAPS_BASE_URL: fly.url, FLY_APP: 'moorage-soak' },
  }
  const main = startNode('src/main.ts', { ...settings, MOORAGE_ROLES: 'api,reconciler', MOORAGE_API_PORT: '0' })
  closers.push(() => main.end('SIGTERM'))
  const found = (what: string, started: Started, pattern: RegExp) =>
    until(what, 90_000, () => {
      if (started.child.exitCode !== null) throw new Error(started.output())
      return Promise.resolve(pattern.exec(started.output())?.[1])
    })
  const api = await found('the API is up', main, /REST API +(\S+)/)
  const inspected = { ...settings, MOORAGE_ROLES: 'proxy', NODE_OPTIONS: '--inspect=127.0.0.1:0' }
  const proxy = startNode('src/main.ts', inspected)
  closers.push(() => proxy.end('SIGTERM'))
  await found('the proxy is up', proxy, /Proxy +http:\S+:(\d+)\n/)
  const inspector = await inspect(proxy)
  closers.push(async () => inspector.leave())
  const token = readFileSync(join(data, 'admin-token'), 'utf8').trim()
  return {
    ...{ api, token, proxyPort, fly: fly.url, db: client.db('moorage') },
    memory: async () => {
      await inspector.call('HeapProfiler.collectGarbage')
      const { result } = (await inspector.call('Runtime.evaluate', { expression: memoryUsage })) as {
        result: { value: string }
      }
      return JSON.parse(result.value) as Memory
    },
    upstreamSockets: () => connectionsTo(proxy.pid, bridgePort),
    ended: () => [main, proxy].find(({ child }) => child.exitCode !== null || child.signalCode !== null)?.output(),
    close,
  }
}
