// The processes of the proxy's benchmark, one part each: the upstream, the load, and the proxies that are compared.
// Started by proxy.ts with the part's name and its settings; speaks JSON over the process's channel.
import { createHmac, createHash, randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RouteSource } from '../../proxy/ports.ts'
import { startProxy } from '../../proxy/server.ts'
import type { TenantRoute } from '../../specs/route.ts'
import { realClock } from '../../src/clock.ts'
import { openLog } from '../../src/log.ts'

/** How many tenants answer; of the rest only the routes exist, as of tenants that nobody asks for now. */
export const active = 64

export interface Settings {
  readonly tenants: number
  /** The upstream's port, plain or behind the handshake. */
  readonly plainPort: number
  readonly bridgedPort: number
}

export interface Usage {
  readonly cpuMicros: number
  readonly rss: number
}

const bodies: Readonly<Record<string, Buffer>> = {
  '/': Buffer.from('hello, world\n'),
  '/64k': Buffer.alloc(65_536, 'x'),
}
export const hostOf = (index: number) => `t${index}.localhost`
const keyOf = (uid: string, incarnation: number) => createHash('sha256').update(`${uid}/${incarnation}`).digest()

async function listening(server: net.Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

/** Answers requests, and takes WebSockets without a word. */
function answering(): http.Server {
  const server = http.createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const body = bodies[request.url ?? ''] ?? Buffer.alloc(0)
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body)
  })
  return server.on('upgrade', (_request, socket) => {
    socket.on('error', () => socket.destroy())
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  })
}

/** The bridge's answer without the bridge: in a machine the hop over loopback is the machine's own to pay. */
function proving(gateway: http.Server): net.Server {
  return net.createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', (line: Buffer) => {
      const [, uid = '', incarnation = '', , , nonce = ''] = line.toString().trim().split(' ')
      const [nonce2, boot] = [randomBytes(16).toString('hex'), '0'.repeat(32)]
      const mac = createHmac('sha256', keyOf(uid, Number(incarnation)))
      mac.update(['moorage/1 proof', uid, incarnation, nonce, nonce2, boot].join('\n'))
      socket.write(`OK ${nonce2} ${boot} ${mac.digest('hex')}\n`)
      gateway.emit('connection', socket)
    })
  })
}

async function upstream() {
  const gateway = answering()
  return { plainPort: await listening(gateway), bridgedPort: await listening(proving(answering())) }
}

/** The least that a proxy in Node can be: a table, a pool, two pipes. */
function raw({ tenants, plainPort }: Settings): Promise<number> {
  const table = new Map(Array.from({ length: tenants }, (_, index) => [hostOf(index), plainPort]))
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 1_024 })
  const server = http.createServer((request, response) => {
    const port = table.get(request.headers.host ?? '')
    const { method, url: path, headers } = request
    const onward = http.request({ host: '127.0.0.1', port, method, path, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    request.pipe(onward)
  })
  server.on('upgrade', (request, socket) => {
    const onward = net.connect(table.get(request.headers.host ?? '') ?? 0, '127.0.0.1')
    const headers = request.rawHeaders.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
    onward.write(`GET ${request.url} HTTP/1.1\r\n${headers}\r\n`)
    socket.on('error', () => onward.destroy()).pipe(onward)
    onward.on('error', () => socket.destroy()).pipe(socket)
  })
  return listening(server)
}

interface Configurable {
  readonly proxyServer: net.Server
  addRoute(path: string, data: { target: string }): Promise<void>
}

async function chp({ tenants, plainPort }: Settings): Promise<number> {
  const name = 'configurable-http-proxy'
  const { ConfigurableProxy } = (await import(name)) as { ConfigurableProxy: new (options: object) => Configurable }
  const quiet = () => undefined
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const proxy = new ConfigurableProxy({ hostRouting: true, log })
  const target = `http://127.0.0.1:${plainPort}`
  for (let index = 0; index < tenants; index += 1) await proxy.addRoute(`/${hostOf(index)}`, { target })
  return listening(proxy.proxyServer)
}

/** Everything on: limits, log to a file, pages, proofs. */
async function ours({ tenants, bridgedPort: port }: Settings): Promise<number> {
  const route = { kind: 'forward', machine: 'm', incarnation: 1, address: '127.0.0.1', port } as const
  const all = Array.from({ length: tenants }, (_, index): TenantRoute => {
    return { uid: `uid${index}`, name: `t${index}`, hosts: [hostOf(index)], revision: 1, route }
  })
  const routes: RouteSource = {
    follow: async (sink) => {
      sink.reset(all)
      return { close: async () => undefined }
    },
  }
  const log = openLog({ level: 'info', file: join(mkdtempSync(join(tmpdir(), 'moorage-bench-')), 'log') })
  const limits = { ratePerSecond: 1e9, burst: 1e9, concurrency: 1e9, sockets: 1e9 }
  const keys = { bridgeKey: keyOf }
  const proxy = await startProxy({ port: 0, host: '127.0.0.1', routes, keys, clock: realClock, log, limits })
  return proxy.port
}

/** Ticks of 10 ms that a process has used, and its memory in pages of 4 KiB (Linux, proc(5)). */
function usageOf(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return { cpuMicros: (Number(fields[11]) + Number(fields[12])) * 10_000, rss: Number(fields[21]) * 4_096 }
}

async function nginx({ tenants, plainPort }: Settings): Promise<{ port: number; usage: () => Usage }> {
  const folder = mkdtempSync(join(tmpdir(), 'moorage-nginx-'))
  const probe = net.createServer()
  const port = await listening(probe)
  probe.close()
  const map = Array.from({ length: tenants }, (_, index) => `${hostOf(index)} up;`).join('\n')
  const config = `daemon off; master_process off; error_log ${folder}/error.log; pid ${folder}/pid;
events { worker_connections 16384; }
http { access_log off; map_hash_max_size 65536; map_hash_bucket_size 128; client_body_temp_path ${folder}; proxy_temp_path ${folder};
fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder}; keepalive_requests 1000000000;
upstream up { server 127.0.0.1:${plainPort}; keepalive 1024; keepalive_requests 1000000000; }
map $host $where { ${map} }  map $http_upgrade $connection { default upgrade; '' ''; }
server { listen 127.0.0.1:${port}; location / { proxy_pass http://$where; proxy_http_version 1.1; proxy_set_header Host $host;
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection; proxy_read_timeout 3600s; } } }`
  writeFileSync(join(folder, 'conf'), config)
  const child = spawn('nginx', ['-c', join(folder, 'conf'), '-e', `${folder}/error.log`], { stdio: 'inherit' })
  process.on('exit', () => child.kill())
  await new Promise((resolve) => setTimeout(resolve, 500))
  return { port, usage: () => usageOf(child.pid ?? 0) }
}

function ownUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuMicros: user + system, rss: process.memoryUsage.rss() }
}

export interface Load {
  readonly port: number
  readonly path: string
  readonly connections: number
  readonly tenants: number
  readonly ms: number
}

export interface Measured {
  readonly requests: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  readonly failed: number
}

/** Keeps this many connections busy, one request at a time on each, over all tenants that answer. */
async function load({ port, path, connections, tenants, ms }: Load): Promise<Measured> {
  const size = bodies[path]?.length ?? 0
  const hosts = Math.min(tenants, active)
  const took: number[] = []
  const began = performance.now()
  let failed = 0
  let turn = 0
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
      let since = 0
      let read = 0
      let wanted = 0
      const ask = () => {
        if (performance.now() - began >= ms) {
          socket.destroy()
          resolve()
          return
        }
        since = performance.now()
        read = 0
        wanted = 0
        turn = (turn + 1) % hosts
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostOf(turn)}\r\n\r\n`)
      }
      socket.on('connect', ask)
      socket.on('data', (chunk: Buffer) => {
        if (read === 0) {
          wanted = chunk.indexOf('\r\n\r\n') + 4 + size
          if (!chunk.subarray(9, 12).equals(Buffer.from('200'))) failed += 1
        }
        read += chunk.length
        if (read < wanted) return
        took.push(performance.now() - since)
        ask()
      })
      socket.on('error', () => {
        failed += 1
        resolve()
      })
    })
  await Promise.all(Array.from({ length: connections }, one))
  const seconds = (performance.now() - began) / 1_000
  took.sort((a, b) => a - b)
  const at = (part: number) => took[Math.floor(took.length * part)] ?? NaN
  return { requests: took.length, seconds, p50: at(0.5), p99: at(0.99), failed }
}

const held: net.Socket[] = []

/** Opens WebSockets and leaves them idle. */
async function hold({ port, count, tenants }: { port: number; count: number; tenants: number }): Promise<number> {
  const open = async (index: number) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    const head = `GET / HTTP/1.1\r\nHost: ${hostOf(index % Math.min(tenants, active))}\r\n`
    socket.write(
      `${head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    )
    await once(socket, 'data')
    held.push(socket)
  }
  for (let index = 0; index < count; index += 20)
    await Promise.all(Array.from({ length: 20 }, (_, ahead) => open(index + ahead)))
  return held.length
}

/** What each message is answered with. */
const answers: Readonly<Record<string, (settings: never) => unknown>> = { load, hold, usage: ownUsage }

async function start(part: string, settings: Settings): Promise<object> {
  if (part === 'upstream') return upstream()
  if (part === 'raw') return { port: await raw(settings) }
  if (part === 'chp') return { port: await chp(settings) }
  if (part === 'ours') return { port: await ours(settings) }
  return {}
}

const [part, text = '{}'] = process.argv.slice(2)
if (part !== undefined && process.send !== undefined) {
  const settings = JSON.parse(text) as Settings
  const server = part === 'nginx' ? await nginx(settings) : undefined
  process.on('message', ({ what, given }: { what: string; given: never }) => {
    const answer = what === 'usage' && server !== undefined ? server.usage() : answers[what]?.(given)
    void Promise.resolve(answer).then((value) => process.send?.(value))
  })
  process.on('disconnect', () => process.exit())
  process.send(server === undefined ? await start(part, settings) : { port: server.port })
}
