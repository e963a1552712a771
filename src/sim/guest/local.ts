// All guests of one process, behind the port that the simulator knows: the host process holds one of these, and a test may too.
import type { GuestHost, GuestStart } from '../guest-host.ts'
import { Guest } from './guest.ts'

/** The guests, and one piece of work at a time for each: a new API process may ask while the last one's call still runs. */
class Guests {
  readonly #now: () => number
  readonly #guests = new Map<string, Guest>()
  readonly #lanes = new Map<string, Promise<unknown>>()
  #closed = false

  constructor(now: () => number) {
    this.#now = now
  }

  running() {
    return [...this.#guests].map(([machine, { suspended }]) => ({ machine, suspended }))
  }

  /** A start may be a repeat whose first answer was lost: the machine boots anew. */
  start(start: GuestStart): Promise<void> {
    return this.#lane(start.machine, async () => {
      if (this.#closed) throw new Error('the guest host has been closed')
      await this.#end(start.machine)
      this.#guests.set(start.machine, await Guest.boot(start, this.#now))
    })
  }

  stop(machine: string): Promise<void> {
    return this.#lane(machine, () => this.#end(machine))
  }

  /** Works on a guest that is in memory. */
  with<T>(machine: string, work: (guest: Guest) => Promise<T>): Promise<T> {
    return this.#lane(machine, async () => {
      const guest = this.#guests.get(machine)
      if (guest === undefined) throw new Error(`no guest of machine ${machine} is in memory`)
      return work(guest)
    })
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
  const guests = new Guests(now)
  return {
    running: async () => guests.running(),
    start: (start) => guests.start(start),
    stop: (machine) => guests.stop(machine),
    suspend: (machine) => guests.with(machine, (guest) => guest.suspend()),
    resume: (machine) => guests.with(machine, (guest) => guest.resume()),
    exec: (machine, command) => guests.with(machine, (guest) => guest.exec(command)),
    release: async () => undefined,
    close: () => guests.close(),
  }
}
