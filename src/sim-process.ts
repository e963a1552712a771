// Runs the simulated Fly as a process of its own, as the cloud is, and starts it again when it dies.
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

export interface SimProcessOptions {
  readonly port: number
  readonly data: string
  readonly scale: number
  readonly seed: number
  readonly guest: 'stand-in' | 'openclaw'
  /** The folder that `npm run guest:install` filled. */
  readonly guestCache: string | undefined
  /** The one place outside that machines with the real OpenClaw reach. */
  readonly llmBaseUrl: string
  /** Hears a sentence whenever the simulator died and was started again. */
  readonly notice: (sentence: string) => void
}

export interface SimProcess {
  readonly url: string
  close(): Promise<void>
}

const script = join(import.meta.dirname, 'sim', 'main.ts')
const restartMs = 1_000
/** After a kill -9 the former simulator needs a moment to notice and to give up its port and folder. */
const startTries = 10

interface Running {
  readonly child: ChildProcess
  readonly url: string
}

function launch({ port, data, scale, seed, guest, guestCache, llmBaseUrl }: SimProcessOptions): ChildProcess {
  return spawn(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      MOORAGE_FLY_PORT: String(port),
      MOORAGE_DATA: data,
      MOORAGE_SIM_SCALE: String(scale),
      MOORAGE_SIM_SEED: String(seed),
      MOORAGE_GUEST: guest,
      MOORAGE_GUEST_CACHE: guestCache,
      MOORAGE_LLM_BASE_URL: llmBaseUrl,
    },
  })
}

/** The url of the ready line, or an error with what the process said. */
async function ready(child: ChildProcess): Promise<string> {
  const said: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => {
    said.push(chunk.toString())
    if (said.length > 50) said.shift()
  })
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) =>
      reject(new Error(`The simulator ended (${code ?? 'killed'}): ${said.join('').trim()}`)),
    )
  })
  const announced = (async () => {
    if (child.stdout === null) throw new Error('the simulator has no output')
    for await (const line of createInterface({ input: child.stdout })) {
      const parsed = line.startsWith('{') ? (JSON.parse(line) as { ready?: boolean; url?: string }) : {}
      if (parsed.ready === true && parsed.url !== undefined) return parsed.url
    }
    return ended
  })()
  const url = await Promise.race([announced, ended])
  ended.catch(() => undefined)
  return url
}

async function start(options: SimProcessOptions): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    const child = launch(options)
    try {
      return { child, url: await ready(child) }
    } catch (error) {
      if (attempt === startTries) throw error
      await delay(500)
    }
  }
}

class Supervisor implements SimProcess {
  readonly url: string
  readonly #options: SimProcessOptions
  #running: Running
  #closing = false

  constructor(options: SimProcessOptions, running: Running) {
    this.#options = { ...options, port: Number(new URL(running.url).port) }
    this.url = running.url
    this.#running = running
    this.#guard()
  }

  async close(): Promise<void> {
    this.#closing = true
    const { child } = this.#running
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await exited
  }

  #guard(): void {
    this.#running.child.once('exit', () => void this.#restart())
  }

  async #restart(): Promise<void> {
    await delay(restartMs)
    while (!this.#isClosing()) {
      try {
        this.#running = await start(this.#options)
        this.#options.notice('The simulated Fly had died; it was started again.')
        if (this.#isClosing()) await this.close()
        else this.#guard()
        return
      } catch (error) {
        this.#options.notice(
          `The simulated Fly cannot be started: ${error instanceof Error ? error.message : 'unknown'}`,
        )
        await delay(restartMs)
      }
    }
  }

  #isClosing(): boolean {
    return this.#closing
  }
}

/** Starts the simulator and keeps it running until closed. */
export async function startSimProcess(options: SimProcessOptions): Promise<SimProcess> {
  return new Supervisor(options, await start(options))
}
