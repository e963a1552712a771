// One machine's inside: the stand-in gateway behind the real bridge, with a clock that stands still in suspend.
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Bridge, startBridge } from '../../../boot/bridge.mjs'
import { PERSONALISE } from '../../../boot/personalise.ts'
import type { ExecResult, GuestStart, RunningGuest } from '../guest-host.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { takeOver } from './settings.ts'

/** How long an address that is not free yet is tried again. */
const bindForMs = 500

/** Listens on the machine's address, for a boot that begins or (given its id) one that goes on. */
function listen({ address, port, env, machine }: GuestStart, targetPort: number, boot: string | undefined) {
  return new Promise<Bridge>((resolve, reject) => {
    const onFatal = (error: Error) => {
      const absent = error.message.includes('EADDRNOTAVAIL')
      const advice = absent ? '; this address must exist on the loopback interface (macOS has 127.0.0.1 only)' : ''
      reject(new Error(`machine ${machine}: ${error.message}${advice}`, { cause: error }))
    }
    const bridge = startBridge({
      host: address,
      port,
      targetPort,
      uid: env['MOORAGE_UID'] ?? '',
      incarnation: Number(env['MOORAGE_INCARNATION']),
      key: Buffer.from(env['MOORAGE_BRIDGE_KEY'] ?? '', 'base64url'),
      bindForMs,
      onFatal,
      onListening: () => resolve(bridge),
      ...(boot === undefined ? {} : { boot }),
    })
  })
}

/** Whether the machine is one of ours at all: any other image runs, and nothing of it can be reached. */
const isOurs = ({ env }: GuestStart) =>
  ['MOORAGE_UID', 'OPENCLAW_CONFIG_B64', 'OPENCLAW_STATE_DIR'].some((name) => env[name] !== undefined)

export class Guest implements RunningGuest {
  /** It never ends by itself. */
  readonly end = undefined
  readonly #start: GuestStart
  readonly #now: () => number
  #ranBefore = 0
  #since: number | undefined
  #gateway: Gateway | undefined
  #bridge: Bridge | undefined
  #boot: string | undefined

  private constructor(start: GuestStart, now: () => number) {
    this.#start = start
    this.#now = now
    this.#since = now()
  }

  /**
   * Boots a machine's inside; returns when its address is bound.
   *
   * @throws {GuestExit} when the boot script or the gateway would refuse
   * @throws {Error} when the address cannot be bound
   */
  static async boot(start: GuestStart, now: () => number): Promise<Guest> {
    const guest = new Guest(start, now)
    await mkdir(start.rootFolder, { recursive: true })
    if (!isOurs(start)) {
      await guest.#log('started an image that is not ours: nothing listens')
      return guest
    }
    try {
      await guest.#open()
    } catch (error) {
      await guest.#log(error instanceof Error ? error.message : String(error))
      await guest.stop()
      throw error
    }
    await guest.#log(`boot ${guest.#boot ?? ''}: listening on ${start.address} port ${start.port}`)
    return guest
  }

  get suspended(): boolean {
    return this.#since === undefined
  }

  async suspend(): Promise<void> {
    if (this.#since === undefined) return
    this.#ranBefore = this.#ran()
    this.#since = undefined
    await this.#bridge?.close()
    await this.#log('suspended')
  }

  /** @throws {Error} when the address cannot be bound any more */
  async resume(): Promise<void> {
    if (this.#since !== undefined) return
    if (this.#gateway !== undefined) this.#bridge = await listen(this.#start, this.#gateway.port, this.#boot)
    this.#since = this.#now()
    await this.#log('resumed')
  }

  async stop(): Promise<void> {
    await Promise.all([this.#bridge?.close(), this.#gateway?.close()])
  }

  /** Runs nothing on this machine: it writes the command down, does what it stands for, and says that it went well. */
  async exec(command: readonly string[]): Promise<ExecResult> {
    if (this.suspended) throw new Error(`machine ${this.#start.machine} is suspended and runs no command`)
    const personal = command.indexOf(PERSONALISE)
    // What comes after the mark is a tenant's own.
    const said = personal < 0 ? command : command.slice(0, personal + 1)
    await appendFile(path.join(this.#start.rootFolder, 'exec.log'), `${JSON.stringify(said)}\n`)
    if (personal >= 0) await this.#personalise(command.slice(personal + 1))
    return { exit_code: 0, exit_signal: 0, stdout: '', stderr: '' }
  }

  /** As the program of the boot script does it: the tokens first, then the configuration, which is read again. */
  async #personalise([, config, llm = '']: readonly string[]): Promise<void> {
    const { env, volumeFolder, rootFolder } = this.#start
    const secrets = { gateway: env['OPENCLAW_GATEWAY_TOKEN'], ...(llm === '' ? {} : { llm }) }
    await writeFile(path.join(rootFolder, 'secrets.json'), JSON.stringify(secrets), { mode: 0o600 })
    takeOver(config, volumeFolder ?? rootFolder)
  }

  async #open(): Promise<void> {
    const { env, volumeFolder, rootFolder, scale } = this.#start
    const folder = volumeFolder ?? rootFolder
    this.#gateway = await startGateway({ env, folder, scale, ran: () => this.#ran(), now: this.#now })
    this.#bridge = await listen(this.#start, this.#gateway.port, undefined)
    this.#boot = this.#bridge.boot
  }

  #ran(): number {
    return this.#ranBefore + (this.#since === undefined ? 0 : this.#now() - this.#since)
  }

  async #log(line: string): Promise<void> {
    const at = new Date(this.#now()).toISOString()
    await appendFile(path.join(this.#start.rootFolder, 'console.log'), `${at} ${line}\n`)
  }
}
