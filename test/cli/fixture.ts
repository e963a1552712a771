// The real program as a process, as a person runs it.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'

const script = resolve(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `moor` with these arguments; `env` is everything that it knows of its surroundings. */
export async function moor(args: readonly string[], env: Record<string, string>, input = ''): Promise<Ran> {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [script, ...args], { env: { PATH, NO_COLOR: '1', ...env } })
  const ended = new Promise<number | null>((done) => child.once('close', done))
  child.stdin.end(input)
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await ended, out, err }
}

export interface RunningMoor {
  readonly out: () => string
  readonly err: () => string
  /** The exit code. */
  readonly ended: Promise<number | null>
  /** Presses Ctrl-C. */
  readonly interrupt: () => Promise<number | null>
}

/** Starts a `moor` that goes on until it is stopped. */
export function startMoor(t: ExecutionContext, args: readonly string[], env: Record<string, string>): RunningMoor {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [script, ...args], { env: { PATH, NO_COLOR: '1', ...env } })
  t.teardown(() => void child.kill('SIGKILL'))
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.err += chunk.toString()))
  const ended = new Promise<number | null>((done) => child.once('close', done))
  const interrupt = () => {
    child.kill('SIGINT')
    return ended
  }
  return { out: () => said.out, err: () => said.err, ended, interrupt }
}
