// Real processes for end-to-end tests: Moorage and the simulated Fly as a user starts them, each in a folder of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const root = resolve(import.meta.dirname, '..', '..')

export interface Started {
  readonly child: ChildProcess
  readonly pid: number
  /** Everything it has printed so far. */
  output(): string
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>
}

/** Asks until the answer is not undefined; fails with `what` after `limitMs`. */
export async function until<T>(what: string, limitMs: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + limitMs
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`, { cause: last })
    await delay(20)
  }
}

/** Only what a child needs: no setting of the person who runs the tests reaches it. */
function cleanEnvironment(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env
  const given = Object.entries({ TMPDIR, NODE_COMPILE_CACHE }).filter(([, value]) => value !== undefined)
  return { PATH, HOME, ...Object.fromEntries(given), NO_COLOR: '1', ...extra }
}

export function startNode(script: string, env: NodeJS.ProcessEnv): Started {
  const child = spawn(process.execPath, [join(root, script)], {
    cwd: root,
    env: cleanEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  return {
    child,
    pid: child.pid ?? 0,
    output: () => said,
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await exited
    },
  }
}

function found(started: Started, pattern: RegExp): string | undefined {
  if (started.child.exitCode !== null) throw new Error(`it ended: ${started.output()}`)
  return pattern.exec(started.output())?.[1]
}

export interface SimulatedFly extends Started {
  readonly url: string
}

/** The simulated Fly alone, as `npm run sim` starts it. */
export async function startFly(folder: string, env: NodeJS.ProcessEnv = {}): Promise<SimulatedFly> {
  const started = startNode('src/sim/main.ts', {
    MOORAGE_DATA: folder,
    MOORAGE_FLY_PORT: '0',
    MOORAGE_SIM_SCALE: '0.02',
    ...env,
  })
  const url = await until(`the simulator is up: ${started.output()}`, 60_000, () =>
    Promise.resolve(found(started, /"url":"([^"]+)"/)),
  )
  return { ...started, url }
}

export interface Moorage extends Started {
  readonly api: string
  readonly proxyPort: number
  readonly fly: string
  readonly token: string
}

/** Moorage as `npm start` starts it, on free ports. */
export async function startMoorage(folder: string, env: NodeJS.ProcessEnv = {}): Promise<Moorage> {
  const started = startNode('src/main.ts', {
    MOORAGE_DATA: folder,
    MOORAGE_API_PORT: '0',
    MOORAGE_PROXY_PORT: '0',
    MOORAGE_FLY_PORT: '0',
    MOORAGE_SIM_SCALE: '0.02',
    ...env,
  })
  const read = (what: string, pattern: RegExp) =>
    until(`${what} is announced`, 60_000, () => Promise.resolve(found(started, pattern))).catch((error: unknown) => {
      throw new Error(`Moorage did not start: ${started.output()}`, { cause: error })
    })
  const proxy = await read('the proxy', /Tenants +\S+:(\d+)\//)
  const api = await read('the API', /REST API +(\S+)/)
  const fly = await read('Fly', /Fly +(\S+)/)
  const token = (await readFile(join(folder, 'admin-token'), 'utf8')).trim()
  return { ...started, api, fly, proxyPort: Number(proxy), token }
}

/** A folder that is removed afterwards. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-'))
  try {
    return await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}
