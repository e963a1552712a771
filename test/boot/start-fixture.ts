// A machine's root in a temporary folder, in which the real boot script runs under a real POSIX shell, with a small stand-in
// for OpenClaw and for playwright-core.
import type { ExecutionContext } from 'ava'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { dialProved } from '../../proxy/handshake.ts'
import { realClock } from '../../src/clock.ts'
import { freePort } from '../helpers/bridge.ts'

export const scriptFile = fileURLToPath(new URL('../../boot/start.sh', import.meta.url))
const bridgeFile = fileURLToPath(new URL('../../boot/bridge.mjs', import.meta.url))
const key = new Uint8Array(randomBytes(32))

// Records how it was started, then serves; it also forks and starts a worker, as the real one does.
const openclaw = `
import { fork } from 'node:child_process'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { Worker } from 'node:worker_threads'
const { pid, argv, execArgv, env } = process
const state = env.OPENCLAW_STATE_DIR
const record = (name, value) => {
  writeFileSync(state + '/' + name + '.tmp', JSON.stringify(value))
  renameSync(state + '/' + name + '.tmp', state + '/' + name)
}
if (argv[2] === 'child') {
  record('child.json', { execArgv, env })
  process.exit(0)
}
record('ran.json', { pid, argv, execArgv, env })
fork(argv[1], ['child'])
new Worker('setTimeout(() => {}, 100)', { eval: true })
process.on('SIGTERM', () => process.exit(0))
const server = http.createServer((request, response) => response.end('gateway'))
const hold = setInterval(() => {
  if (env.FAKE_HOLD === '1' && !existsSync(state + '/listen')) return
  clearInterval(hold)
  server.listen(Number(env.MOORAGE_GATEWAY_PORT), '127.0.0.1')
}, 5)`

// Records how it was called, waits until it may, and then leaves a browser as Playwright does.
const playwright = `
const fs = require('node:fs')
const { argv, env, pid } = process
const browsers = env.PLAYWRIGHT_BROWSERS_PATH
fs.writeFileSync(browsers + '/called.tmp', JSON.stringify({ argv, env, pid, cwd: process.cwd() }))
fs.renameSync(browsers + '/called.tmp', browsers + '/called.json')
const wait = setInterval(() => {
  if (!fs.existsSync(browsers + '/go')) return
  clearInterval(wait)
  const folder = browsers + '/chromium_headless_shell-1243/chrome-headless-shell-linux64'
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(folder + '/chrome-headless-shell', '', { mode: 0o755 })
  fs.writeFileSync(folder + '/../INSTALLATION_COMPLETE', '')
}, 20)`

/** dash where there is one: it is the sh of the image. */
export const shell = spawnSync('dash', ['-c', 'true']).status === 0 ? 'dash' : '/bin/sh'

/** Waits until something is true, with a deadline. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !holds();) {
    if (Date.now() > end) throw new Error(`it did not come about that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

interface Ran {
  readonly pid: number
  readonly argv: readonly string[]
  readonly execArgv: readonly string[]
  readonly cwd?: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export class Root {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'moorage-root-'))
  readonly state = path.join(this.folder, 'data')
  readonly browsers = path.join(this.state, '.browsers')
  readonly link = path.join(this.state, 'bin', 'chrome-headless-shell')
  readonly config = path.join(this.state, 'openclaw.json')
  readonly secrets = path.join(this.folder, 'run', 'moorage', 'secrets.json')
  readonly #t: ExecutionContext

  constructor(t: ExecutionContext) {
    this.#t = t
    // An install that waits still ends with the test.
    t.teardown(() => writeFileSync(path.join(this.browsers, 'go'), ''))
    const cli = path.join(this.folder, 'app', 'node_modules', 'playwright-core', 'cli.js')
    mkdirSync(path.dirname(cli), { recursive: true })
    mkdirSync(this.browsers, { recursive: true })
    mkdirSync(path.join(this.folder, 'path'))
    writeFileSync(path.join(this.folder, 'app', 'openclaw.mjs'), openclaw)
    writeFileSync(cli, playwright)
    // A machine without a network has no use for npx: whoever calls it is seen.
    const npx = path.join(this.folder, 'path', 'npx')
    writeFileSync(npx, `#!/bin/sh\ntouch ${this.folder}/npx-was-called\n`)
    chmodSync(npx, 0o755)
  }

  /** Puts a downloaded browser on the volume. */
  browser(revision: string, inside: string, complete = true): string {
    const folder = path.join(this.browsers, `chromium_headless_shell-${revision}`)
    const program = path.join(folder, inside)
    mkdirSync(path.dirname(program), { recursive: true })
    writeFileSync(program, '', { mode: 0o755 })
    if (complete) writeFileSync(path.join(folder, 'INSTALLATION_COMPLETE'), '')
    return program
  }

  read(file: string): unknown {
    return JSON.parse(readFileSync(path.join(this.state, file), 'utf8'))
  }

  ran(file = 'ran.json'): Ran {
    return this.read(file) as Ran
  }

  /** Runs the boot script as Fly does, until it has ended or (see `Boot`) the gateway was started. */
  async boot(env: Record<string, string | undefined> = {}): Promise<Boot> {
    const ports = { MOORAGE_BRIDGE_PORT: String(await freePort()), MOORAGE_GATEWAY_PORT: String(await freePort()) }
    const all: Record<string, string | undefined> = {
      PATH: [path.join(this.folder, 'path'), path.dirname(process.execPath), process.env['PATH']].join(':'),
      MOORAGE_APP_DIR: path.join(this.folder, 'app'),
      MOORAGE_BRIDGE_FILE: bridgeFile,
      MOORAGE_SECRETS_FILE: this.secrets,
      OPENCLAW_STATE_DIR: this.state,
      OPENCLAW_GATEWAY_TOKEN: 'a-gateway-token',
      OPENCLAW_CONFIG_B64: Buffer.from('{"gateway":{"mode":"local"}}').toString('base64'),
      KIWICLAW_PROXY_TOKEN: 'llm-token',
      FLY_PRIVATE_IP: '127.0.0.1',
      MOORAGE_UID: 'abcdefghijklmnop',
      MOORAGE_INCARNATION: '3',
      MOORAGE_BRIDGE_KEY: Buffer.from(key).toString('base64url'),
      MOORAGE_INSTALL_LIMIT: '30',
      ...ports,
      ...env,
    }
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
    const child = spawn(shell, ['-c', readFileSync(scriptFile, 'utf8')], {
      env: given,
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const boot = new Boot(child, Number(ports.MOORAGE_BRIDGE_PORT))
    this.#t.teardown(() => boot.end())
    return boot
  }

  /** Boots until the gateway has begun. */
  async up(env: Record<string, string | undefined> = {}): Promise<Boot> {
    const before = existsSync(path.join(this.state, 'ran.json')) ? this.ran().pid : undefined
    const boot = await this.boot(env)
    const begun = () => existsSync(path.join(this.state, 'ran.json')) && this.ran().pid !== before
    await until(() => boot.code !== undefined || begun(), 'the gateway began')
    if (boot.code !== undefined) throw new Error(`the boot ended with ${boot.code}: ${boot.said}`)
    return boot
  }
}

export class Boot {
  readonly #child: ChildProcess
  readonly #port: number
  said = ''
  code: number | undefined

  constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.#port = port
    child.stderr?.on('data', (chunk) => (this.said += String(chunk)))
    child.on('exit', (code) => (this.code = code ?? -1))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The exit code, once the machine's process has ended. */
  async ended(): Promise<number> {
    await until(() => this.code !== undefined, 'the boot ended')
    return this.code ?? -1
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    this.#child.kill(signal)
    const code = await this.ended()
    // A browser install that goes on holds the other end of the pipe.
    this.#child.stderr?.destroy()
    return code
  }

  /** What the gateway says to one request through the bridge; empty when it does not listen yet. */
  async ask(): Promise<string> {
    const target = { address: '127.0.0.1', port: this.#port, uid: 'abcdefghijklmnop', incarnation: 3 }
    const { socket } = await dialProved(target, key, { clock: realClock, timeoutMs: 5_000 })
    socket.on('error', () => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    const parts: unknown[] = await socket.toArray().catch(() => [])
    return Buffer.concat(parts as Buffer[]).toString()
  }

  /** Asks until the gateway answers. */
  async answers(): Promise<boolean> {
    for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((next) => setTimeout(next, 50))) {
      const answer = await this.ask().catch((error: unknown) => String(error))
      if (answer.endsWith('gateway')) return true
    }
    return false
  }
}
