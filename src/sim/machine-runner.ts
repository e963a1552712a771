// Carries machines through their stages: waits out each one, works on the guest, and writes down what comes next.
// A stage is written before it begins, so a simulator that was killed takes it up again where it was.
import { rm } from 'node:fs/promises'
import { boot } from './machine-boot.ts'
import { died, finish, launchFailed } from './machine-life.ts'
import type { MachineRecord, PhaseKind, VolumeRecord } from './state.ts'
import { type World, momentFor, rootFolder, subjectOf } from './world.ts'

type Parts = Omit<World, 'runner'>

const stopsAtOnce: readonly PhaseKind[] = ['stop', 'restart', 'update', 'replace', 'fail', 'destroy']
const bootsAtTheEnd: readonly PhaseKind[] = ['start', 'restart']

/** Drives every machine that has a phase. */
export class Runner {
  readonly #world: Parts
  readonly #lanes = new Map<string, Promise<void>>()
  readonly #driving = new Set<Promise<void>>()
  readonly #sleeping = new Set<() => void>()
  #closed = false

  constructor(world: Parts) {
    this.#world = world
  }

  /** Writes a machine (and a volume with it) and carries on with its stage. */
  go(machine: MachineRecord, volume?: VolumeRecord): void {
    const also = volume === undefined ? [] : [{ kind: 'volume' as const, record: volume }]
    this.#world.store.save({ kind: 'machine', record: machine }, ...also)
    this.carryOn(machine)
  }

  /** Takes up a stage that is already written. */
  carryOn(machine: MachineRecord): void {
    if (machine.phase === undefined || this.#closed) return
    const run = this.#run(machine.id, machine.phase.op).catch((error: unknown) => {
      this.#world.log(`Machine ${machine.id} does not get on: ${String(error)}`)
    })
    this.#driving.add(run)
    void run.finally(() => this.#driving.delete(run))
  }

  /** Runs work on a machine's guest, one piece at a time per machine. */
  lane<Value>(id: string, work: () => Promise<Value>): Promise<Value> {
    const before = this.#lanes.get(id) ?? Promise.resolve()
    const result = before.then(work)
    const settled = result.then(
      () => undefined,
      () => undefined,
    )
    this.#lanes.set(id, settled)
    void settled.then(() => {
      if (this.#lanes.get(id) === settled) this.#lanes.delete(id)
    })
    return result
  }

  /** Ends every wait and lets the work on guests that has begun come to its end; nothing is written after that. */
  async close(): Promise<void> {
    this.#closed = true
    for (const wake of [...this.#sleeping]) wake()
    await Promise.all([...this.#driving])
    await Promise.all([...this.#lanes.values()])
  }

  async #run(id: string, first: string): Promise<void> {
    for (let op: string | undefined = first; op !== undefined;) {
      const present = op
      const entered = await this.lane(id, () => this.#enter(id, present))
      if (entered) await this.#wait(this.#current(id, op)?.phase?.until ?? 0)
      const left = await this.lane(id, () => this.#leave(id, present))
      const machine = this.#current(id, op)
      if (machine?.phase === undefined) return
      const moment = momentFor(this.#world, machine)
      if (!entered) op = this.#commit(died(machine, moment))
      else op = this.#commit(left ? finish(machine, machine.phase.kind, moment) : launchFailed(machine, moment))
    }
  }

  /** The machine, while it is still in the stage that we were called for. */
  #current(id: string, op: string): MachineRecord | undefined {
    const machine = this.#closed ? undefined : this.#world.store.get('machine', id)
    return machine?.phase?.op === op ? machine : undefined
  }

  /** False when there was no guest that could be suspended: it has died without our notice. */
  async #enter(id: string, op: string): Promise<boolean> {
    const { guests, log } = this.#world
    const kind = this.#current(id, op)?.phase?.kind
    if (kind === undefined) return true
    try {
      if (stopsAtOnce.includes(kind)) await guests.stop(id)
      else if (kind === 'suspend') await guests.suspend(id)
      return true
    } catch (error) {
      log(`The guest of machine ${id} could not be reached to ${kind} it: ${String(error)}`)
      return kind !== 'suspend'
    }
  }

  /** False when the machine was to be started and could not be. */
  async #leave(id: string, op: string): Promise<boolean> {
    const machine = this.#current(id, op)
    if (machine?.phase === undefined) return true
    const { kind } = machine.phase
    if (kind === 'destroy' || kind === 'fail') await rm(rootFolder(this.#world, id), { recursive: true, force: true })
    if (!bootsAtTheEnd.includes(kind)) return true
    if (this.#world.faults.take('launchFailed', subjectOf(machine)) !== undefined) return false
    try {
      await boot(this.#world, machine)
      return true
    } catch (error) {
      this.#world.log(`Machine ${id} could not be started: ${String(error)}`)
      return false
    }
  }

  #commit(machine: MachineRecord): string | undefined {
    const { store, clock, latency } = this.#world
    const volume = machine.volume === undefined ? undefined : store.get('volume', machine.volume)
    if (machine.state === 'destroyed' && volume?.attached === machine.id) {
      // The bond outlives the machine for a while, as others measured it on Fly.
      const unbound = { ...volume, unbindAt: clock.now() + latency.draw('unbindLag') }
      store.save({ kind: 'machine', record: machine }, { kind: 'volume', record: unbound })
    } else store.save({ kind: 'machine', record: machine })
    return machine.phase?.op
  }

  #wait(until: number): Promise<void> {
    const ms = until - this.#world.clock.now()
    if (ms <= 0 || this.#closed) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.#sleeping.delete(wake)
        resolve()
      }
      const cancel = this.#world.clock.after(ms, wake)
      this.#sleeping.add(wake)
    })
  }
}
