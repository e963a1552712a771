// The controller: turns changes, timers and resyncs into passes, one per tenant at a time, and isolates their failures.
import { Fault } from '../specs/faults.ts'
import type { FleetReading } from './observed.ts'
import { deafMeter, type Meter, type PassResult, type QueueState } from './meter.ts'
import type { Ports } from './ports.ts'
import { Queue } from './queue.ts'
import { reconcile } from './reconcile.ts'
import { Vigil } from './vigil.ts'

/** Each tenant's machine in one line, as the last list had it. */
type Fleet = ReadonlyMap<string, string> | 'not asked' | 'unreachable'

/** Work on the whole fleet after each complete reading: doubts about lists, orphans, rollouts. */
export type Sweep = (reading: FleetReading) => Promise<void>

export interface ControllerOptions {
  readonly workers: number
  /** In this order; a failing one is a defect and does not keep the next from running. */
  readonly sweeps?: readonly Sweep[]
  readonly meter?: Meter
}

/** Who goes first when there is more to do than workers. */
const priorities = { change: 50, follow: 10, resync: -100 } as const

/**
 * Long delays are spread by a tenth each way, so that a fleet started together does not stay in step; by a minute at most,
 * because "tomorrow at eight" is a promise.
 */
function spread(delayMs: number, random: number): number {
  return delayMs < 60_000 ? delayMs : delayMs + (2 * random - 1) * Math.min(delayMs / 10, 60_000)
}

function fleetLines({ machines }: FleetReading): ReadonlyMap<string, string> {
  const lines = new Map<string, string>()
  for (const { uid, id, state, version, address, updatedAt } of machines)
    lines.set(uid, `${lines.get(uid) ?? ''} ${id} ${state} ${version} ${address} ${updatedAt}`)
  return lines
}

/** After a defect of ours, the same tenant is not looked at again at once. */
const defectDelayMs = 30_000

export class Controller {
  readonly #ports: Ports
  readonly #queue: Queue
  readonly #sweeps: readonly Sweep[]
  readonly #meter: Meter
  readonly #vigil: Vigil
  /** The generation of each tenant that the queue has been told of. */
  readonly #told = new Map<string, number>()
  /** The live machine on each tenant's record, as its last pass found it. */
  readonly #machines = new Map<string, string>()
  #watch: { close(): Promise<void> } | undefined
  #fleet: Fleet = 'not asked'
  #resyncing: Promise<void> | undefined

  constructor(ports: Ports, options: ControllerOptions) {
    this.#ports = ports
    this.#sweeps = options.sweeps ?? []
    this.#meter = options.meter ?? deafMeter
    const { workers } = options
    this.#vigil = new Vigil(ports.cloud, {
      wake: (uid) => this.#queue.add(uid, priorities.change),
      failed: (uid, error) => ports.journal.defect(uid, error),
    })
    this.#queue = new Queue({ clock: ports.clock, workers, work: (uid) => this.#pass(uid), meter: this.#meter })
  }

  /** Watches first and lists after, so that nothing falls between the two. */
  async start(): Promise<void> {
    this.#watch = await this.#ports.store.watch({
      // Our own status writes come back as changes too; only a new wish is worth a pass, and each only once: a pass that
      // could not act on it yet has its own time to come back.
      changed: ({ uid, generation, status }) => {
        if (generation === status.observedGeneration || generation <= (this.#told.get(uid) ?? 0)) return
        this.#told.set(uid, generation)
        this.#queue.add(uid, priorities.change)
      },
      removed: (uid) => void this.#told.delete(uid),
      missed: () => void this.#enqueueAll().catch((error: unknown) => this.#ports.journal.defect('*', error)),
    })
    await this.#enqueueAll()
  }

  /** What it has to do, for whoever counts. */
  queue(): QueueState {
    return this.#queue.state()
  }

  /** Looks at one tenant now; a look that concerns many is a resync, and lets the others pass. */
  wake(uid: string, urgency: keyof typeof priorities = 'change'): void {
    this.#queue.add(uid, priorities[urgency])
  }

  /**
   * Compares one list of the whole fleet with the last one, and looks at the tenants whose machines differ. When the list
   * begins to fail, or works again, every tenant is looked at, so that each says what is the matter.
   */
  resync(): Promise<void> {
    // A list that hangs is waited for, not asked for again.
    this.#resyncing ??= this.#compareFleet().finally(() => (this.#resyncing = undefined))
    return this.#resyncing
  }

  /** Takes up nothing new and waits for the passes under way. */
  async stop(): Promise<void> {
    this.#vigil.end()
    await this.#watch?.close()
    await this.#queue.close()
  }

  async #compareFleet(): Promise<void> {
    const before = this.#fleet
    const seen = await this.#listFleet()
    this.#fleet = seen
    if (typeof seen === 'string' || typeof before === 'string') {
      if (seen !== before) await this.#enqueueAll()
      return
    }
    for (const uid of new Set([...seen.keys(), ...before.keys(), ...this.#machines.keys()]))
      if (seen.get(uid) !== before.get(uid) || this.#isMissing(uid, seen)) this.#queue.add(uid, priorities.resync)
  }

  /** A machine may come and go between two lists: what the record names counts as well. */
  #isMissing(uid: string, seen: ReadonlyMap<string, string>): boolean {
    const machine = this.#machines.get(uid)
    return machine !== undefined && seen.get(uid)?.includes(machine) !== true
  }

  async #listFleet(): Promise<Fleet> {
    try {
      const reading = await this.#ports.cloud.fleet()
      await this.#sweep(reading)
      return fleetLines(reading)
    } catch (error) {
      if (error instanceof Fault) return 'unreachable'
      throw error
    }
  }

  async #sweep(reading: FleetReading): Promise<void> {
    for (const sweep of this.#sweeps)
      try {
        await sweep(reading)
      } catch (error) {
        this.#ports.journal.defect('*', error)
      }
  }

  async #enqueueAll(): Promise<void> {
    for (const uid of await this.#ports.store.uids()) this.#queue.add(uid, priorities.resync)
  }

  async #pass(uid: string): Promise<void> {
    const { clock, journal } = this.#ports
    const started = clock.now()
    let result: PassResult = 'panic'
    try {
      const back = await reconcile(this.#ports, uid)
      result = back?.result ?? 'success'
      if (back?.machine === undefined) this.#machines.delete(uid)
      else this.#machines.set(uid, back.machine)
      if (back === undefined) return
      this.#queue.add(uid, priorities.follow, spread(Math.max(0, back.at - clock.now()), clock.random()))
      if (back.served !== undefined) this.#meter.served(back.served.path, back.served.tookMs)
      if (back.comes !== undefined) this.#vigil.keep(uid, back.comes)
    } catch (error) {
      journal.defect(uid, error)
      this.#queue.add(uid, priorities.follow, defectDelayMs)
    } finally {
      this.#meter.passed(result, clock.now() - started)
    }
  }
}
