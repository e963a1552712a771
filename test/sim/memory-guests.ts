// A guest host that runs nothing: it remembers what is up, so that tests can look at it and kill guests.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecResult, GuestHost, GuestStart } from '../../src/sim/guest-host.ts'

export interface MemoryGuests extends GuestHost {
  /** What each guest that is up was started with. */
  readonly up: Map<string, GuestStart & { suspended: boolean; boots: number }>
  readonly commands: (readonly string[])[]
  /** The next starts fail. */
  failing: boolean
}

/** Guests as entries of a map. Each start leaves a file in the root and writes to the volume. */
export function memoryGuests(): MemoryGuests {
  const up: MemoryGuests['up'] = new Map()
  let boots = 0
  const find = (machine: string) => {
    const guest = up.get(machine)
    if (guest === undefined) throw new Error(`no guest of machine ${machine}`)
    return guest
  }
  const mark = (machine: string, suspended: boolean) => {
    up.set(machine, { ...find(machine), suspended })
  }
  return {
    up,
    commands: [],
    failing: false,
    running: async () => [...up.values()].map(({ machine, suspended }) => ({ machine, suspended })),
    async start(guest) {
      if (this.failing) throw new Error('the image does not run')
      await writeFile(join(guest.rootFolder, 'booted'), guest.machine)
      if (guest.volumeFolder !== undefined) {
        await mkdir(guest.volumeFolder, { recursive: true })
        await writeFile(join(guest.volumeFolder, 'data'), 'x'.repeat(10_000))
      }
      up.set(guest.machine, { ...guest, suspended: false, boots: ++boots })
    },
    stop: async (machine) => void up.delete(machine),
    suspend: async (machine) => mark(machine, true),
    resume: async (machine) => mark(machine, false),
    async exec(machine, command): Promise<ExecResult> {
      find(machine)
      this.commands.push(command)
      if (command[0] === 'hang') return new Promise<ExecResult>(() => undefined)
      return { exit_code: command[0] === 'false' ? 1 : 0, exit_signal: 0, stdout: command.join(' '), stderr: '' }
    },
    release: async () => undefined,
    async close() {
      up.clear()
    },
  }
}
