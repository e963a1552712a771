// Finds the guest host of a simulator folder, or starts it, and speaks to it: the simulator's side of the control socket.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../../specs/clock.ts'
import type { ExecResult, GuestHost } from '../guest-host.ts'
import type { OpenclawSettings } from '../openclaw/host.ts'
import { meetingPlace, type MeetingPlace } from './folder.ts'
import { type Method, receive, type Reply, send } from './wire.ts'

export interface ConnectOptions {
  /** The simulator's folder; the host keeps its own things in `guests` inside it. */
  readonly folder: string
  readonly clock: Clock
  /** What the machines run: a stand-in, unless this says otherwise. */
  readonly openclaw?: OpenclawSettings
  /** How long the host outlives the last API process, 120 s unless set. */
  readonly idleMs?: number
}

const againMs = 50
const startForMs = 30_000
const hostProgram = fileURLToPath(new URL('./host.ts', import.meta.url))

/** A connection to the host, undefined when nobody answers there. */
function dial(socket: string): Promise<net.Socket | undefined> {
  return new Promise((resolve, reject) => {
    const connection = net.connect(socket)
    connection.once('connect', () => {
      connection.removeAllListeners('error')
      resolve(connection)
    })
    connection.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
      else reject(error)
    })
  })
}

/** Starts a host that does not end with us and inherits no secrets; the answer says whether it has ended already. */
function spawnHost(place: MeetingPlace, { folder, idleMs = 120_000, openclaw }: ConnectOptions): () => boolean {
  const passed = ['PATH', 'HOME', 'TMPDIR', 'NODE_V8_COVERAGE'].map((name) => [name, process.env[name]] as const)
  const what = openclaw === undefined ? [] : [JSON.stringify(openclaw)]
  const log = openSync(place.log, 'a', 0o600)
  let ended = false
  try {
    const child = spawn(process.execPath, [hostProgram, folder, String(idleMs), ...what], {
      detached: true,
      stdio: ['ignore', log, log],
      env: Object.fromEntries(passed.filter(([, value]) => value !== undefined)),
    })
    child.on('error', () => (ended = true))
    child.on('exit', () => (ended = true))
    child.unref()
  } finally {
    closeSync(log)
  }
  return () => ended
}

/** Dials until the host answers. Of two that are started at once one gets the lock, so the end of ours proves nothing. */
async function dialOrSpawn(options: ConnectOptions): Promise<net.Socket> {
  const { clock } = options
  const place = meetingPlace(options.folder, options.openclaw === undefined ? 'guests' : 'openclaw')
  const until = clock.now() + startForMs
  let ended: (() => boolean) | undefined
  for (let tries = 0; ; tries++) {
    const connection = await dial(place.socket)
    if (connection !== undefined) return connection
    if (ended === undefined || (ended() && tries % 20 === 0)) ended = spawnHost(place, options)
    if (clock.now() > until) throw new Error(`the guest host does not come up; its log is ${place.log}`)
    await new Promise<void>((resolve) => void clock.after(againMs, resolve))
  }
}

/** One connection and the calls that wait for their replies on it. */
class Line {
  readonly #socket: net.Socket
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #last = 0
  open = true

  constructor(socket: net.Socket) {
    this.#socket = socket
    receive(socket, (reply) => this.#settle(reply as Reply))
    socket.on('error', (error) => this.#lost(error))
    socket.on('close', () => this.#lost(undefined))
  }

  call(method: Method, args: readonly unknown[]): Promise<unknown> {
    const id = (this.#last += 1)
    const reply = Promise.withResolvers<unknown>()
    this.#waiting.set(id, reply)
    send(this.#socket, { id, method, args })
    return reply.promise
  }

  async end(): Promise<void> {
    if (!this.open) return
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#socket.once('close', () => resolve(undefined))
    this.#socket.end()
    await promise
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (reply.ok) waiting?.resolve(reply.value)
    else waiting?.reject(new Error(reply.message))
  }

  #lost(cause: Error | undefined): void {
    this.open = false
    for (const { reject } of this.#waiting.values())
      reject(new Error('the guest host is gone, and with it every machine that ran', { cause }))
    this.#waiting.clear()
  }
}

/**
 * Connects to the living guest host of a folder, or starts one. When the host dies, calls under way fail and the next call
 * starts another one, in which nothing runs yet.
 *
 * @throws {Error} when no host comes up within 30 s
 */
export async function connectGuestHost(options: ConnectOptions): Promise<GuestHost> {
  let line: Promise<Line> | undefined
  let released = false
  const present = async (): Promise<Line> => {
    if (released) throw new Error('the guest host was released')
    line ??= dialOrSpawn(options).then((socket) => new Line(socket))
    const found = await line.catch((error: unknown) => {
      line = undefined
      throw error
    })
    if (found.open) return found
    line = undefined
    return present()
  }
  const call = async (method: Method, ...args: readonly unknown[]) => (await present()).call(method, args)
  const done = async (method: Method, ...args: readonly unknown[]) => {
    await call(method, ...args)
  }
  const end = async () => {
    const found = await line
    released = true
    await found?.end()
  }
  await present()
  return {
    running: async () => (await call('running')) as { machine: string; suspended: boolean }[],
    start: (guest) => done('start', guest),
    stop: (machine) => done('stop', machine),
    suspend: (machine) => done('suspend', machine),
    resume: (machine) => done('resume', machine),
    exec: async (machine, command, timeoutMs) => (await call('exec', machine, command, timeoutMs)) as ExecResult,
    release: end,
    async close() {
      const found = released ? undefined : await line
      if (found?.open === true) await found.call('close', [])
      await end()
    },
  }
}
