// One simulated machine that really runs: its init.exec in namespaces of its own, reached from outside at its private address.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecResult, GuestEnd, GuestStart, RunningGuest } from '../guest-host.ts'
import type { GuestCache } from './cache.ts'
import { type Door, listenAt, type Outlet } from './doors.ts'
import type { FromInit, ToInit } from './words.ts'

export interface OpenclawOptions {
  readonly cache: GuestCache
  /** What the machines may reach outside: the LLM proxy. Nothing else of this computer's networks is there for them. */
  readonly outlets: readonly Outlet[]
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const killed: GuestEnd = { code: 137, signal: 9, oom: false }

/** Puts the machine config's files into the root; one under a mount is masked by it, as on Fly. */
function writeFiles({ launch }: GuestStart, root: string): void {
  for (const { path: file, content, mode } of launch.files) {
    const target = path.join(root, path.normalize(`/${file}`))
    mkdirSync(path.dirname(target), { recursive: true })
    rmSync(target, { force: true })
    writeFileSync(target, Buffer.from(content, 'base64'), { mode })
  }
}

/** The words of init, awaited one by one. */
class Init {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<ExecResult | undefined>>()
  #last = 0
  end: GuestEnd | undefined
  readonly up = Promise.withResolvers<undefined>()
  readonly listening = Promise.withResolvers<undefined>()
  readonly gone: Promise<void>

  constructor(child: ChildProcess, ended: () => void) {
    this.#child = child
    for (const { promise } of [this.up, this.listening]) promise.catch(() => undefined)
    child.on('message', (message: FromInit) => this.#hear(message))
    child.on('error', (error) => this.#lost(error))
    this.gone = once(child, 'exit').then(([code]) => {
      this.end ??= typeof code === 'number' ? { code, signal: 0, oom: false } : killed
      this.#lost(new Error('the machine has ended'))
      ended()
    })
  }

  /** Of unshare; its death is its child's, which is process 1 of the machine. */
  kill(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
  }

  send(message: ToInit): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  ask(message: (id: number) => ToInit): Promise<ExecResult | undefined> {
    if (this.end !== undefined) return Promise.reject(new Error('the machine has ended'))
    const id = (this.#last += 1)
    const reply = Promise.withResolvers<ExecResult | undefined>()
    this.#waiting.set(id, reply)
    this.send(message(id))
    return reply.promise
  }

  #hear(message: FromInit): void {
    if (message.kind === 'up') this.up.resolve(undefined)
    else if (message.kind === 'listening') this.listening.resolve(undefined)
    else if (message.kind === 'exited') {
      this.end = { code: message.code, signal: message.signal, oom: message.oom ?? false }
    } else {
      this.#waiting.get(message.id)?.resolve(message.kind === 'ran' ? message.result : undefined)
      this.#waiting.delete(message.id)
    }
  }

  #lost(error: Error): void {
    this.up.reject(error)
    this.listening.reject(error)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

function launch(start: GuestStart, { cache, outlets }: OpenclawOptions, runtime: string): ChildProcess {
  const root = path.join(start.rootFolder, 'fs')
  const upper = path.join(start.rootFolder, 'upper')
  mkdirSync(root, { recursive: true })
  writeFiles(start, root)
  copyFileSync(here('./init.mts'), path.join(runtime, 'init.mts'))
  const names = outlets.map(({ name }) => name).join(' ')
  const volume = start.volumeFolder ?? ''
  const mountpoint = start.volumeFolder === undefined ? '' : (start.launch.mountPath ?? '')
  const inside = [root, upper, cache.app, cache.node, runtime, mountpoint === '' ? '' : volume, mountpoint, names]
  const own = ['--mount', '--net', '--pid', '--ipc', '--uts', '--fork', '--kill-child=SIGKILL']
  const log = openSync(path.join(start.rootFolder, 'console.log'), 'a', 0o600)
  try {
    return spawn('unshare', [...own, '/bin/sh', here('./root.sh'), ...inside], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { PATH: process.env['PATH'] },
      detached: true,
    })
  } finally {
    closeSync(log)
  }
}

export class OpenclawMachine implements RunningGuest {
  readonly #start: GuestStart
  readonly #runtime: string
  readonly #init: Init
  readonly #outer: Door[] = []
  #front: Door | undefined
  suspended = false

  private constructor(start: GuestStart, options: OpenclawOptions) {
    this.#start = start
    this.#runtime = mkdtempSync(path.join(tmpdir(), 'moorage-vm-'))
    this.#init = new Init(launch(start, options, this.#runtime), () => void this.#cleanUp())
  }

  /**
   * Boots a machine; returns when its main process runs.
   *
   * @throws {Error} when the namespaces cannot be made, or the private address is taken
   */
  static async boot(start: GuestStart, options: OpenclawOptions): Promise<OpenclawMachine> {
    const machine = new OpenclawMachine(start, options)
    try {
      await machine.#open(options)
    } catch (error) {
      await machine.#kill()
      throw error
    }
    return machine
  }

  get end(): GuestEnd | undefined {
    return this.#init.end
  }

  async suspend(): Promise<void> {
    if (this.suspended) return
    this.suspended = true
    await this.#front?.close()
    await this.#init.ask((id) => ({ kind: 'freeze', id }))
  }

  async resume(): Promise<void> {
    if (!this.suspended) return
    await this.#init.ask((id) => ({ kind: 'thaw', id }))
    this.#front = await this.#openFront()
    this.suspended = false
  }

  /** The machine's own signal and time to end by itself; a suspended one only loses its memory. */
  async stop(): Promise<void> {
    const { signal, killAfterMs } = this.#start.launch
    if (!this.suspended && this.end === undefined) {
      this.#init.send({ kind: 'signal', signal })
      let late: NodeJS.Timeout | undefined
      const limit = new Promise((resolve) => (late = setTimeout(resolve, killAfterMs)))
      await Promise.race([this.#init.gone, limit])
      clearTimeout(late)
    }
    await this.#kill()
  }

  async exec(command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    if (this.suspended) throw new Error(`machine ${this.#start.machine} is suspended and runs no command`)
    const result = await this.#init.ask((id) => ({ kind: 'exec', id, command, timeoutMs }))
    if (result === undefined) throw new Error('the machine’s init did not answer')
    return result
  }

  async #open({ outlets }: OpenclawOptions): Promise<void> {
    for (const [index, { host, port }] of outlets.entries())
      this.#outer.push(await listenAt({ path: path.join(this.#runtime, `out-${index}.sock`) }, { host, port }))
    await this.#init.up.promise
    const { launch: how, env, address, port } = this.#start
    const command = how.command.length > 0 ? how.command : ['/bin/sh', '-c', 'exec sleep infinity']
    this.#init.send({ kind: 'start', command, env, address, port, outlets: outlets.map((outlet) => outlet.port) })
    await this.#init.listening.promise
    this.#front = await this.#openFront()
  }

  #openFront(): Promise<Door> {
    const { address, port } = this.#start
    return listenAt({ host: address, port }, { path: path.join(this.#runtime, 'in.sock') })
  }

  /** SIGKILL to process 1 takes every process of the namespace with it. */
  async #kill(): Promise<void> {
    this.#init.kill()
    await this.#init.gone
    await this.#cleanUp()
  }

  async #cleanUp(): Promise<void> {
    await Promise.all([this.#front?.close(), ...this.#outer.map((door) => door.close())])
    rmSync(this.#runtime, { recursive: true, force: true })
  }
}
