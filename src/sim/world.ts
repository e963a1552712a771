// What every part of the simulator works on, and the small questions that all of them ask of it.
import { join } from 'node:path'
import type { Clock } from '../../specs/clock.ts'
import type { Faults, Subject } from './faults.ts'
import type { GuestHost } from './guest-host.ts'
import { ulid } from './ids.ts'
import type { Latency } from './latency.ts'
import type { Moment } from './machine-life.ts'
import type { Runner } from './machine-runner.ts'
import type { MachineRecord } from './state.ts'
import type { Store } from './store.ts'

/** The parts, put together once at the start. */
export interface World {
  readonly folder: string
  readonly scale: number
  readonly seed: number
  readonly clock: Clock
  readonly store: Store
  readonly latency: Latency
  readonly faults: Faults
  readonly guests: GuestHost
  readonly runner: Runner
  /** Bytes in each volume when they were last counted. */
  readonly usage: Map<string, { readonly at: number; readonly bytes: number }>
  /** Takes a sentence for whoever watches the process. */
  readonly log: (sentence: string) => void
}

/** Unpredictable bytes for identifiers. */
export const bytesOf =
  (world: Pick<World, 'clock'>) =>
  (length: number): Uint8Array =>
    world.clock.bytes(length)

/** A machine as faults see it. */
export const subjectOf = (machine: MachineRecord): Subject => ({
  app: machine.app,
  machine: machine.id,
  names: [machine.name],
  region: machine.region,
})

/** Now, for this machine: a fault can make its waits longer. */
export function momentFor(world: Pick<World, 'clock' | 'latency' | 'faults'>, machine: MachineRecord): Moment {
  const now = world.clock.now()
  return {
    now,
    ulid: () => ulid(bytesOf(world), now),
    wait(wait, state, share = 1) {
      const ms = world.latency.draw(wait) * share
      const slow = world.faults.take('slowState', { ...subjectOf(machine), state })
      return slow === undefined ? ms : (slow.ms ?? ms * (slow.factor ?? 10))
    },
  }
}

/** Waits on the clock; no time at all is no wait at all. */
export function sleep(world: Pick<World, 'clock'>, ms: number): Promise<void> {
  if (ms <= 0) return Promise.resolve()
  return new Promise((resolve) => world.clock.after(ms, resolve))
}

/** Where a volume's contents are. */
export const volumeFolder = (world: Pick<World, 'folder'>, id: string): string => join(world.folder, 'volumes', id)
/** Where a snapshot's contents are. */
export const snapshotFolder = (world: Pick<World, 'folder'>, id: string): string => join(world.folder, 'snapshots', id)
/** Where a machine's root filesystem is. */
export const rootFolder = (world: Pick<World, 'folder'>, id: string): string => join(world.folder, 'machines', id)
