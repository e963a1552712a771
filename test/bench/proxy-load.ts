// The load of the proxy's benchmark: requests in a crowd, one by one and in bursts, WebSockets, and streams of events.
// It looks at no more of an answer than it must, so that it is not what is measured.
import { once } from 'node:events'
import net from 'node:net'

/** How many tenants are asked; of the rest only the routes exist, as of tenants that nobody uses now. */
export const active = 1_000
export const hostOf = (index: number) => `t${index}.localhost`

export const bodies: Readonly<Record<string, Buffer>> = {
  '/': Buffer.from('hello, world\n'),
  '/64k': Buffer.alloc(65_536, 'x'),
}
export const messageBytes = 32
/** What a stream of events sends, each time the upstream's clock ticks. */
export const event = (at: number) => `data: ${String(at).padEnd(20)}\n\n`

export interface Load {
  readonly port: number
  readonly tenants: number
  readonly ms: number
}

/** Milliseconds, in order. */
export interface Times {
  readonly count: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  readonly failed: number
}

function timesOf(took: number[], began: number, failed: number): Times {
  const seconds = (performance.now() - began) / 1_000
  took.sort((a, b) => a - b)
  const at = (part: number) => took[Math.floor(took.length * part)] ?? NaN
  return { count: took.length, seconds, p50: at(0.5), p99: at(0.99), failed }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** A connection that asks one thing at a time; `answered` hears how long it took, and whether it was a 200. */
function asker(socket: net.Socket, path: string, answered: (ms: number, ok: boolean) => void): (host: string) => void {
  const size = bodies[path]?.length ?? 0
  let since = 0
  let read = 0
  let wanted = 0
  let ok = false
  socket.on('data', (chunk: Buffer) => {
    if (read === 0) {
      wanted = chunk.indexOf('\r\n\r\n') + 4 + size
      ok = chunk.toString('latin1', 9, 12) === '200'
    }
    read += chunk.length
    if (read < wanted) return
    read = 0
    answered(performance.now() - since, ok)
  })
  return (host) => {
    since = performance.now()
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`)
  }
}

/** Keeps this many connections busy, over all tenants that are asked. */
export async function crowd(given: Load & { path: string; connections: number }): Promise<Times> {
  const { port, path, connections, tenants, ms } = given
  const hosts = Math.min(tenants, active)
  const took: number[] = []
  let failed = 0
  let turn = 0
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(port)))
  const began = performance.now()
  const one = (socket: net.Socket): Promise<void> =>
    new Promise((resolve) => {
      const ask = asker(socket, path, (time, ok) => {
        took.push(time)
        if (!ok) failed += 1
        next()
      })
      const next = () => {
        turn = (turn + 1) % hosts
        if (performance.now() - began < ms) ask(hostOf(turn))
        else socket.destroy()
      }
      socket.once('close', () => resolve())
      next()
    })
  await Promise.all(sockets.map(one))
  return timesOf(took, began, failed)
}

/** So many connections ask at the same moment, again and again after `everyMs`. */
export async function bursts(given: Load & { connections: number; everyMs: number }): Promise<Times> {
  const { port, tenants, connections, everyMs, ms } = given
  const hosts = Math.min(tenants, active)
  const took: number[] = []
  let failed = 0
  let turn = 0
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(port)))
  const answered = (time: number, ok: boolean) => {
    took.push(time)
    if (!ok) failed += 1
  }
  const askers = sockets.map((socket) => asker(socket, '/', answered))
  const began = performance.now()
  for (let count = 1; performance.now() - began < ms; count += 1) {
    for (const ask of askers) ask(hostOf((turn = (turn + 1) % hosts)))
    await pause(Math.max(1, began + count * everyMs - performance.now()))
  }
  await pause(50)
  for (const socket of sockets) socket.destroy()
  return timesOf(took, began, failed)
}

async function upgraded(port: number, host: string): Promise<net.Socket> {
  const socket = await connect(port)
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (answer.toString('latin1', 9, 12) !== '101') throw new Error(`no WebSocket: ${answer.toString('latin1', 0, 60)}`)
  return socket
}

async function severalAtOnce(count: number, width: number, one: (index: number) => Promise<void>): Promise<void> {
  let index = 0
  const worker = async () => {
    while (index < count) await one(index++)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/** Opens WebSockets, 20 at a time, each to be closed once it is open. (A reset kills configurable-http-proxy.) */
export async function connects(given: Load & { count: number }): Promise<Times> {
  const { port, tenants, count } = given
  const took: number[] = []
  const began = performance.now()
  await severalAtOnce(count, 20, async (index) => {
    const since = performance.now()
    const socket = await upgraded(port, hostOf(index % Math.min(tenants, active)))
    took.push(performance.now() - since)
    socket.destroy()
  })
  return timesOf(took, began, 0)
}

const held: net.Socket[] = []

/** Opens WebSockets and leaves them idle. @returns how many there are now */
export async function hold({ port, count, tenants }: Load & { count: number }): Promise<number> {
  await severalAtOnce(count, 20, async (index) => {
    held.push(await upgraded(port, hostOf(index % Math.min(tenants, active))))
  })
  return held.length
}

/** Resets every second idle one, or closes all. */
export function drop({ half }: { readonly half: boolean }): number {
  const kept = half ? held.filter((_, index) => index % 2 === 1) : []
  for (const [index, socket] of held.entries())
    if (!half) socket.destroy()
    else if (index % 2 === 0) socket.resetAndDestroy()
  held.splice(0, held.length, ...kept)
  return held.length
}

/** A masked frame, as clients send them. */
const frame = Buffer.concat([Buffer.from([0x82, 0x80 | messageBytes, 1, 2, 3, 4]), Buffer.alloc(messageBytes, 'x')])

/** WebSockets in which a message goes there and comes back, one at a time on each. */
export async function messages(given: Load & { connections: number }): Promise<Times> {
  const { port, tenants, connections, ms } = given
  const hosts = Math.min(tenants, active)
  const sockets = await Promise.all(Array.from({ length: connections }, (_, at) => upgraded(port, hostOf(at % hosts))))
  const took: number[] = []
  const began = performance.now()
  const one = (socket: net.Socket): Promise<void> =>
    new Promise((resolve) => {
      let since = began
      let read = 0
      socket.on('data', (chunk: Buffer) => {
        read += chunk.length
        if (read < messageBytes + 2) return
        read = 0
        const now = performance.now()
        took.push(now - since)
        since = now
        if (now - began < ms) socket.write(frame)
        else socket.destroy()
      })
      socket.once('close', () => resolve())
      socket.write(frame)
    })
  await Promise.all(sockets.map(one))
  return timesOf(took, began, 0)
}

/** Listens to streams of events; the times are their ages. */
export async function events(given: Load & { connections: number }): Promise<Times> {
  const { port, tenants, connections, ms } = given
  const took: number[] = []
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(port)))
  const began = performance.now()
  for (const [index, socket] of sockets.entries()) {
    socket.on('data', (chunk: Buffer) => {
      for (const [, at] of chunk.toString('latin1').matchAll(/data: ([\d.]+)/g))
        took.push(performance.timeOrigin + performance.now() - Number(at))
    })
    socket.write(`GET /events HTTP/1.1\r\nHost: ${hostOf(index % Math.min(tenants, active))}\r\n\r\n`)
  }
  await pause(ms)
  for (const socket of sockets) socket.destroy()
  return timesOf(took, began, 0)
}
