// A Moorage whose one tenant is the real OpenClaw, with an OpenAI-compatible server of the test's own as the LLM proxy.
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { WebSocket } from 'ws'
import { realClock } from '../../src/clock.ts'
import type { GatewayCall } from '../../src/gateway/rpc.ts'
import { api, tenant, visit, type TenantAnswer } from '../helpers/client.ts'
import { startMoorage, until, type Moorage } from '../helpers/processes.ts'

export interface Llm {
  readonly url: string
  /** The Authorization header of each turn. */
  readonly asked: readonly (string | undefined)[]
  /** What was asked, whole. */
  readonly prompts: readonly string[]
  close(): Promise<void>
}

/** Says "pong" to whatever it is asked, as a stream. */
export async function startLlm(): Promise<Llm> {
  const asked: (string | undefined)[] = []
  const prompts: string[] = []
  const server = http.createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      prompts.push(Buffer.concat(parts).toString())
      asked.push(request.headers.authorization)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const part = (delta: object, end: string | null) => {
        const choices = [{ index: 0, delta, finish_reason: end }]
        response.write(
          `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices })}\n\n`,
        )
      }
      part({ role: 'assistant', content: 'pong' }, null)
      part({}, 'stop')
      response.end('data: [DONE]\n\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    asked,
    prompts,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export interface Stage extends Moorage {
  readonly folder: string
  readonly llm: Llm
}

/** Moorage on a tenth of Fly's time; nothing but the example tenant acme runs. */
export async function startStage(folder: string): Promise<Stage> {
  const llm = await startLlm()
  const cache = process.env['MOORAGE_GUEST_CACHE'] ?? join(process.cwd(), '.moorage', 'guest')
  const settings = { MOORAGE_GUEST: 'openclaw', MOORAGE_GUEST_CACHE: cache, MOORAGE_LLM_BASE_URL: llm.url }
  const started = startMoorage(folder, { ...settings, MOORAGE_SIM_SCALE: '0.05' })
  const moorage = await started.catch(async (error: unknown) => {
    await llm.close()
    throw error
  })
  return { ...moorage, folder, llm }
}

export interface FlyMachine {
  readonly id: string
  readonly state: string
  readonly private_ip: string
  readonly config: { readonly env: Readonly<Record<string, string>> }
  readonly events: readonly {
    readonly type: string
    readonly request?: { readonly exit_event?: { exit_code: number } }
  }[]
}

/** The tenant's machine as the Machines API shows it. */
export async function machineOf(stage: Stage, name = 'acme'): Promise<FlyMachine> {
  const { machine } = (await tenant(stage, name)).status
  const answer = await fetch(`${stage.fly}/v1/apps/moorage-dev/machines/${machine?.id ?? ''}`, {
    headers: { authorization: 'Bearer simulated' },
  })
  return (await answer.json()) as FlyMachine
}

/** A command in the machine, through the Machines API. */
export async function inMachine(stage: Stage, command: string, name = 'acme') {
  const { machine } = (await tenant(stage, name)).status
  const answer = await fetch(`${stage.fly}/v1/apps/moorage-dev/machines/${machine?.id ?? ''}/exec`, {
    method: 'POST',
    headers: { authorization: 'Bearer simulated', 'content-type': 'application/json' },
    body: JSON.stringify({ command: ['/bin/sh', '-c', command], timeout: 30 }),
  })
  return (await answer.json()) as { exit_code: number; stdout: string; stderr: string }
}

/** Sockets and the like are not copied. */
const isFile = (path: string) => {
  const found = lstatSync(path)
  return found.isFile() || found.isDirectory() || found.isSymbolicLink()
}

/** Puts a file system of a real gigabyte, with all that is there, in the place of the volume: the next boot is on it. */
export async function limitDisk(stage: Stage): Promise<{ readonly folder: string; readonly end: () => void }> {
  const folder = join(stage.folder, 'fly', 'volumes', (await tenant(stage, 'acme')).status.volume?.id ?? '')
  const aside = mkdtempSync(join(tmpdir(), 'moorage-disk-'))
  cpSync(folder, aside, { recursive: true, verbatimSymlinks: true, filter: isFile })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', folder])
  cpSync(aside, folder, { recursive: true, verbatimSymlinks: true })
  rmSync(aside, { recursive: true })
  return { folder, end: () => void execFileSync('umount', ['--lazy', folder]) }
}

/** The call of the tenant's gateway that its platform may make, with keys as the machine's own configuration has them. */
export async function gatewayCall(stage: Stage, name: string): Promise<GatewayCall> {
  const { private_ip: address, config } = await machineOf(stage, name)
  const { MOORAGE_UID: uid = '', MOORAGE_INCARNATION: incarnation, MOORAGE_BRIDGE_KEY: key = '' } = config.env
  return {
    target: { address, port: 18789, uid, incarnation: Number(incarnation) },
    bridgeKey: Buffer.from(key, 'base64url'),
    token: config.env['OPENCLAW_GATEWAY_TOKEN'] ?? '',
    clock: realClock,
    timeoutMs: 30_000,
  }
}

/** What happened to a tenant, newest first, as lines. */
export async function eventsOf(stage: Stage, name: string): Promise<string[]> {
  const { items } = (await api(stage, `/v1/tenants/${name}/events?limit=200`)).json() as {
    items: { kind: string; step?: string; message: string }[]
  }
  return items.map(({ kind, step = '', message }) => `${kind} ${step}: ${message}`)
}

export const ready = (answer: TenantAnswer) => answer.status.conditions.find(({ type }) => type === 'Ready')

/** Waits until the tenant is Ready and a request reaches its gateway. */
export function isUp(stage: Stage, name = 'acme', limitMs = 240_000): Promise<TenantAnswer> {
  return until(`${name} is ready`, limitMs, async () => {
    const answer = await tenant(stage, name)
    if (ready(answer)?.status !== 'True') return undefined
    return (await visit(stage, name, '/startupz')).status === 200 ? answer : undefined
  })
}

/** Waits until a condition of the tenant's reads so. */
export function says(stage: Stage, type: string, pattern: RegExp, limitMs = 300_000): Promise<string> {
  return until(`${type} says ${String(pattern)}`, limitMs, async () => {
    const found = (await tenant(stage, 'acme')).status.conditions.find((one) => one.type === type)
    const text = `${found?.status ?? ''} ${found?.reason ?? ''}: ${found?.message ?? ''}`
    return pattern.test(text) ? text : undefined
  })
}

export const gatewayToken = async (stage: Stage, name = 'acme') =>
  (await machineOf(stage, name)).config.env['OPENCLAW_GATEWAY_TOKEN'] ?? ''

/** One chat turn over HTTP, through the proxy. */
export async function chat(stage: Stage, token: string | undefined, headers: Record<string, string> = {}) {
  return chatWith(stage, 'acme', token, headers)
}

export async function chatWith(
  stage: Stage,
  name: string,
  token: string | undefined,
  headers: Record<string, string> = {},
) {
  return visit(stage, name, '/v1/chat/completions', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ model: 'openclaw', messages: [{ role: 'user', content: 'ping' }] }),
    timeoutMs: 120_000,
  })
}

/** What the machine's processes hold in memory together, each page counted once, in MB. */
export async function memoryMb(stage: Stage): Promise<number> {
  const { stdout } = await inMachine(stage, 'cat /proc/[0-9]*/smaps_rollup 2>/dev/null | grep ^Pss: ')
  const kilobytes = [...stdout.matchAll(/(\d+) kB/g)].reduce((sum, [, count]) => sum + Number(count), 0)
  return Math.round(kilobytes / 1024)
}

export const consoleOf = async (stage: Stage) =>
  readFileSync(join(stage.folder, 'fly', 'machines', (await machineOf(stage)).id, 'console.log'), 'utf8')

/** Which boot the machine is in: when its first process began. Undefined while it runs no command. */
export async function bootOf(stage: Stage): Promise<string | undefined> {
  const { exit_code: code, stdout } = await inMachine(stage, 'cut -d" " -f22 /proc/1/stat')
  return code === 0 ? stdout.trim() : undefined
}

/** The first words of a WebSocket to the gateway: its challenge, then what it says to `connect`. */
export function connect(
  stage: Stage,
  token: string,
  headers: Record<string, string> = {},
): Promise<{ ok: boolean; text: string }> {
  return new Promise((resolve, reject) => {
    const host = `acme.localhost:${stage.proxyPort}`
    const socket = new WebSocket(`ws://127.0.0.1:${stage.proxyPort}/`, { headers: { host, ...headers } })
    const client = { id: 'cli', version: '1.0.0', platform: 'linux', mode: 'cli' }
    const params = {
      minProtocol: 4,
      maxProtocol: 4,
      client,
      role: 'operator',
      scopes: ['operator.read'],
      auth: { token },
    }
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { event?: string; ok?: boolean }
      if (frame.event === 'connect.challenge')
        socket.send(JSON.stringify({ type: 'req', id: '1', method: 'connect', params }))
      else {
        resolve({ ok: frame.ok === true, text: data.toString() })
        socket.close()
      }
    })
    socket.on('error', reject)
  })
}

/** `moor`, as a person types it. */
export async function moor(stage: Stage, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], NO_COLOR: '1', MOORAGE_API: stage.api, MOORAGE_TOKEN: stage.token }
  const { stdout } = await promisify(execFile)(process.execPath, ['src/cli/main.ts', ...args], { env })
  return stdout
}

export { until }
