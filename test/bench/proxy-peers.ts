// The proxies that the benchmark compares, and the upstream behind them.
import { spawn } from 'node:child_process'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import type { RouteSource } from '../../proxy/ports.ts'
import { startProxy } from '../../proxy/server.ts'
import type { TenantRoute } from '../../specs/route.ts'
import { realClock } from '../../src/clock.ts'
import { openLog } from '../../src/log.ts'
import { active, bodies, event, hostOf, messageBytes } from './proxy-load.ts'

export interface Settings {
  readonly tenants: number
  /** The upstream's port, plain or behind the handshake. */
  readonly plainPort: number
  readonly bridgedPort: number
}

export interface Usage {
  readonly cpuMicros: number
  readonly rss: number
  /** Of ours: connections to upstreams and WebSockets that are open. */
  readonly left?: number
}

export interface Server {
  readonly port: number
  readonly usage: () => Usage
  /** Ends every open WebSocket from the proxy's side. */
  readonly drain?: () => void
}

const keyOf = (uid: string, incarnation: number) => createHash('sha256').update(`${uid}/${incarnation}`).digest()

/** Each tenant that is asked has a machine of its own: Linux has the whole of 127.0.0.0/8. */
function addressOf(index: number): string {
  const machine = (index % active) + 1
  return `127.0.${Math.floor(machine / 250)}.${(machine % 250) + 1}`
}

async function listening(server: net.Server, host = '127.0.0.1'): Promise<number> {
  server.listen({ port: 0, host, backlog: 4_096 })
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

const answerOf = (body: Buffer) =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ])
const answers = new Map(Object.entries(bodies).map(([path, body]) => [path, answerOf(body)]))
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const eventHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n'
const frame = Buffer.concat([Buffer.from([0x82, messageBytes]), Buffer.alloc(messageBytes, 'y')])
const streams = new Set<net.Socket>()

function tick(): void {
  const text = event(performance.timeOrigin + performance.now())
  for (const socket of streams) socket.write(`${text.length.toString(16)}\r\n${text}\r\n`)
}

/** A gateway that does as little as can be: each piece that comes is one request, or one message of a WebSocket. */
function gateway(socket: net.Socket): void {
  let open = false
  socket.on('error', () => socket.destroy())
  socket.once('close', () => streams.delete(socket))
  socket.on('data', (chunk: Buffer) => {
    if (open) {
      socket.write(frame)
      return
    }
    const head = chunk.toString('latin1')
    const path = head.slice(4, head.indexOf(' ', 4))
    if (/\r\nupgrade: websocket/i.test(head)) {
      open = true
      socket.write(switching)
    } else if (path === '/events') {
      streams.add(socket)
      socket.write(eventHead)
    } else socket.write(answers.get(path) ?? answerOf(Buffer.alloc(0)))
  })
}

/** The bridge's answer without the bridge: in a machine the hop over loopback is the machine's own to pay. */
function proving(socket: net.Socket): void {
  socket.once('data', (line: Buffer) => {
    const [, uid = '', incarnation = '', , , nonce = ''] = line.toString().trim().split(' ')
    const [nonce2, boot] = [randomBytes(16).toString('hex'), '0'.repeat(32)]
    const mac = createHmac('sha256', keyOf(uid, Number(incarnation)))
    mac.update(['moorage/1 proof', uid, incarnation, nonce, nonce2, boot].join('\n'))
    gateway(socket)
    socket.write(`OK ${nonce2} ${boot} ${mac.digest('hex')}\n`)
  })
}

export async function upstream() {
  setInterval(tick, 50)
  const [plain, bridged] = [gateway, proving].map((serve) => net.createServer({ noDelay: true }, serve))
  return {
    plainPort: await listening(plain as net.Server, '0.0.0.0'),
    bridgedPort: await listening(bridged as net.Server, '0.0.0.0'),
  }
}

function ownUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuMicros: user + system, rss: process.memoryUsage.rss() }
}

/** The least that a proxy in Node can be: a table, a pool, two pipes. */
async function raw({ tenants, plainPort }: Settings): Promise<Server> {
  const table = new Map(Array.from({ length: tenants }, (_, index) => [hostOf(index), addressOf(index)]))
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1_024 })
  const server = http.createServer((request, response) => {
    const host = table.get(request.headers.host ?? '')
    const { method, url: path, headers } = request
    const onward = http.request({ host, port: plainPort, method, path, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.once('close', () => onward.destroy())
    request.pipe(onward)
  })
  server.on('upgrade', (request, socket) => {
    const onward = net.connect(plainPort, table.get(request.headers.host ?? ''))
    const headers = request.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
    onward.write(`GET ${request.url} HTTP/1.1\r\n${headers}\r\n`)
    socket.on('error', () => onward.destroy()).pipe(onward)
    onward.on('error', () => socket.destroy()).pipe(socket)
  })
  return { port: await listening(server), usage: ownUsage }
}

interface Configurable {
  readonly proxyServer: net.Server
  addRoute(path: string, data: { target: string }): Promise<void>
}

async function chp({ tenants, plainPort }: Settings): Promise<Server> {
  const name = 'configurable-http-proxy'
  const { ConfigurableProxy } = (await import(name)) as { ConfigurableProxy: new (options: object) => Configurable }
  const quiet = () => undefined
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const proxy = new ConfigurableProxy({ hostRouting: true, log })
  for (let index = 0; index < tenants; index += 1)
    await proxy.addRoute(`/${hostOf(index)}`, { target: `http://${addressOf(index)}:${plainPort}` })
  return { port: await listening(proxy.proxyServer), usage: ownUsage }
}

/** Everything on: limits, log to a file, metrics, pages, proofs. */
async function ours({ tenants, bridgedPort: port }: Settings): Promise<Server> {
  const machine = { kind: 'forward', machine: 'm', incarnation: 1, port } as const
  const all = Array.from({ length: tenants }, (_, index): TenantRoute => {
    const route = { ...machine, address: addressOf(index) }
    return { uid: `uid${index}`, name: `t${index}`, hosts: [hostOf(index)], revision: 1, route }
  })
  let again = () => undefined as unknown
  const routes: RouteSource = {
    follow: async (sink) => {
      sink.reset(all)
      // Suspended and back again: every connection to its machine ends.
      again = () => {
        sink.reset([])
        sink.reset(all)
      }
      return { close: async () => undefined }
    },
  }
  const file = join(mkdtempSync(join(tmpdir(), 'moorage-bench-')), 'log')
  const log = openLog({ level: 'info', file })
  const limits = { ratePerSecond: 1e9, burst: 1e9, concurrency: 1e9, sockets: 1e9 }
  const [keys, metrics, host] = [{ bridgeKey: keyOf }, new Registry(), '127.0.0.1']
  const proxy = await startProxy({ port: 0, host, routes, keys, clock: realClock, log, limits, metrics })
  const usage = () => {
    const { upstreamConnections, openUpgrades } = proxy.stats()
    return { ...ownUsage(), left: upstreamConnections + openUpgrades }
  }
  return { port: proxy.port, usage, drain: () => again() }
}

/** Ticks of 10 ms that a process has used, and its memory in pages of 4 KiB (Linux, proc(5)). */
function usageOf(pid: number): Usage {
  const [, after = ''] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  const fields = after.split(' ')
  return { cpuMicros: (Number(fields[11]) + Number(fields[12])) * 10_000, rss: Number(fields[21]) * 4_096 }
}

async function nginx({ tenants, plainPort }: Settings): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'moorage-nginx-'))
  const probe = net.createServer()
  const port = await listening(probe)
  probe.close()
  const map = Array.from({ length: tenants }, (_, index) => `${hostOf(index)} up${index % active};`).join('\n')
  const machine = (_: unknown, index: number) =>
    `upstream up${index} { server ${addressOf(index)}:${plainPort}; keepalive 64; keepalive_requests 1000000000; }`
  const machines = Array.from({ length: Math.min(tenants, active) }, machine).join('\n')
  const config = `daemon off; master_process off; error_log ${folder}/error.log; pid ${folder}/pid;
worker_rlimit_nofile 65536; events { worker_connections 32768; }
http { access_log off; map_hash_max_size 65536; map_hash_bucket_size 128; client_body_temp_path ${folder}; proxy_temp_path ${folder};
fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder}; keepalive_requests 1000000000;
${machines}
map $host $where { ${map} }  map $http_upgrade $upgrading { default upgrade; '' ''; }
server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://$where; proxy_http_version 1.1;
proxy_set_header Host $host; proxy_buffering off;
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrading; proxy_read_timeout 3600s; } } }`
  writeFileSync(join(folder, 'conf'), config)
  const child = spawn('nginx', ['-c', join(folder, 'conf'), '-e', `${folder}/error.log`], { stdio: 'inherit' })
  process.on('exit', () => child.kill())
  await new Promise((resolve) => setTimeout(resolve, 500))
  return { port, usage: () => usageOf(child.pid ?? 0) }
}

export const peers: Readonly<Record<string, (settings: Settings) => Promise<Server>>> = { raw, chp, nginx, ours }
