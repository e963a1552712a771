// Starts and kills embedded servers in processes of their own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'

export interface Child {
  readonly pid: number
  /** What it printed: `uri`, or `refused`. */
  readonly said: { readonly uri?: string; readonly refused?: string }
  /** SIGKILL, and waits until the process is gone. */
  kill(): Promise<void>
}

export async function startChild(folder: string): Promise<Child> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  return {
    pid: child.pid ?? 0,
    said: JSON.parse(line) as Child['said'],
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** A new folder that goes with the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-store-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Polls until the condition holds; fails the test after the deadline. */
export async function until(t: ExecutionContext, what: string, holds: () => boolean, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!holds()) {
    if (Date.now() > deadline) return t.fail(`timed out: ${what}`)
    await new Promise((next) => setTimeout(next, 10))
  }
}
