// All guests of one process, behind the port that the simulator knows: the host process holds one of these, and a test may too.
import type { ExecResult, GuestHost, GuestStart, GuestState, RunningGuest } from '../guest-host.ts'
import { Guest } from './guest.ts'

type Boot = (start: GuestStart) => Promise<RunningGuest>

/** The guests, and one piece of work at a time for each: a new API process may ask while the last one's call still runs. */
class Guests {
  readonly #boot: Boot
  readonly #guests = new Map<string, RunningGuest>()
  readonly #lanes = new Map<string, Promise<unknown>>()
  #closed = false

  constructor(boot: Boot) {
    this.#boot = boot
  }

  running(): GuestState[] {
    return [...this.#guests].map(([machine, { suspended, end }]) =>
      end === undefined ? { machine, suspended } : { machine, suspended, end },
    )
  }

  /** A start may be a repeat whose first answer was lost: the machine boots anew. */
  start(start: GuestStart): Promise<void> {
    return this.#lane(start.machine, async () => {
      if (this.#closed) throw new Error('the guest host has been closed')
      await this.#end(start.machine)
      this.#guests.set(start.machine, await this.#boot(start))
    })
  }

  stop(machine: string): Promise<void> {
    return this.#lane(machine, () => this.#end(machine))
  }

  /** Works on a guest that is in memory. */
  with<T>(machine: string, work: (guest: RunningGuest) => Promise<T>): Promise<T> {
    return this.#lane(machine, async () => {
      const guest = this.#guests.get(machine)
      if (guest === undefined) throw new Error(`no guest of machine ${machine} is in memory`)
      return work(guest)
    })
  }

  /** Beside the lane: a command may take long, and a machine that stops ends it. */
  async execIn(machine: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    await this.#lanes.get(machine)
    const guest = this.#guests.get(machine)
    if (guest === undefined) throw new Error(`no guest of machine ${machine} is in memory`)
    return guest.exec(command, timeoutMs)
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#lanes.keys(), ...this.#guests.keys()].map((machine) => this.stop(machine)))
  }

  async #end(machine: string): Promise<void> {
    const guest = this.#guests.get(machine)
    this.#guests.delete(machine)
    await guest?.stop()
  }

  #lane<T>(machine: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(machine) ?? Promise.resolve()
    const result = before.then(work)
    const settled = Promise.allSettled([result]).then(() => {
      if (this.#lanes.get(machine) === settled) this.#lanes.delete(machine)
    })
    this.#lanes.set(machine, settled)
    return result
  }
}

/** A guest host inside this process: its machines end with it. */
export function localGuestHost({ now = Date.now }: { readonly now?: () => number } = {}): GuestHost {
  return guestHostOf((start) => Guest.boot(start, now))
}

/** The same for whatever `boot` brings up. */
export function guestHostOf(boot: Boot): GuestHost {
  const guests = new Guests(boot)
  return {
    running: async () => guests.running(),
    start: (start) => guests.start(start),
    stop: (machine) => guests.stop(machine),
    suspend: (machine) => guests.with(machine, (guest) => guest.suspend()),
    resume: (machine) => guests.with(machine, (guest) => guest.resume()),
    exec: (machine, command, timeoutMs) => guests.execIn(machine, command, timeoutMs),
    release: async () => undefined,
    close: () => guests.close(),
  }
}
