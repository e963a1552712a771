// One process of the reconciler over a fleet model and the real store, which may die at any write and be followed by another.
import { Controller } from '../../reconciler/controller.ts'
import type { Ports } from '../../reconciler/ports.ts'
import { ClassBook } from '../../reconciler/rollout/book.ts'
import { classFollower } from '../../reconciler/rollout/follow.ts'
import { RolloutKeeper } from '../../reconciler/rollout/keeper.ts'
import { fillBook } from '../../src/class-book.ts'
import { classesIn, type ClassStore } from '../../src/store/classes.ts'
import type { OpenStore } from '../../src/store/open.ts'
import { rolloutsIn, type Rollouts } from '../../src/store/rollouts.ts'
import { tenantsIn, type Tenants } from '../../src/store/tenants.ts'
import { fleetPorts, type FleetModel } from './fleet.ts'

/** What is under way: only when nothing is, may virtual time go on. */
export interface Meter {
  busy: number
}

export interface Stores {
  readonly tenants: Tenants
  readonly classes: ClassStore
  readonly rollouts: Rollouts
}

export const storesIn = ({ db }: OpenStore): Stores => ({
  tenants: tenantsIn(db),
  classes: classesIn(db),
  rollouts: rolloutsIn(db),
})

type Call = (...given: unknown[]) => Promise<unknown>

/** Every call of a store counted, and stopped for ever where `gate` says that its process is dead. */
function through<T extends object>(
  target: T,
  gate: (name: string, call: () => Promise<unknown>) => Promise<unknown>,
): T {
  return new Proxy(target, {
    get: (from, key) => {
      const value: unknown = Reflect.get(from, key)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => gate(String(key), () => (value as Call).apply(from, given))
    },
  })
}

const never = new Promise<never>(() => {})

export interface Process {
  readonly book: ClassBook
  readonly keeper: RolloutKeeper
  readonly controller: Controller
  /** Writes of the rollout's keeper so far. */
  writes(): number
  dead(): boolean
  kill(): void
}

export interface ProcessOptions {
  readonly model: FleetModel
  readonly stores: Stores
  readonly meter: Meter
  /** Dies right after this many writes of classes and rollouts. */
  readonly diesAfter?: number
  /** What is different about its ports. */
  readonly alter?: Partial<Ports>
}

/** Starts a process: its own book, keeper and controller. */
export async function startProcess({
  model,
  stores,
  meter,
  diesAfter = Infinity,
  alter,
}: ProcessOptions): Promise<Process> {
  let [dead, writes] = [false, 0]
  const gate = async (name: string, call: () => Promise<unknown>): Promise<unknown> => {
    if (dead) return never
    // What is written in this process comes to the book at once; nobody else writes.
    if (name === 'watch') return { close: () => Promise.resolve() }
    meter.busy += 1
    let answer: unknown
    try {
      answer = await call()
    } finally {
      meter.busy -= 1
    }
    if (name === 'save' || name === 'begin') writes += 1
    if (writes >= diesAfter) dead = true
    return dead ? never : answer
  }
  const uncounted = (name: string, call: () => Promise<unknown>) => gate(name === 'save' ? 'other' : name, call)
  const tenants = through(stores.tenants, uncounted)
  const [classes, rollouts] = [through(stores.classes, gate), through(stores.rollouts, gate)]
  const book = new ClassBook()
  await fillBook(book, { classes, rollouts })
  const ports = { ...fleetPorts(model, tenants, (tenant) => book.classOf(tenant)), ...alter }
  const keeper = new RolloutKeeper({
    ...{ ports, book, told: () => {} },
    store: {
      classes: () => classes.all(),
      saveClass: (next) => classes.save(next),
      open: () => rollouts.open(),
      begin: (rollout) => rollouts.begin(rollout),
      save: (next) => rollouts.save(next),
      members: (name) => tenants.ofClass(name),
    },
  })
  const controller = new Controller(ports, { workers: 32, sweeps: [(reading) => keeper.sweep(reading)] })
  const changed = classFollower({
    members: (name) => tenants.ofClass(name),
    look: (uid) => controller.wake(uid, 'resync'),
  })
  book.follow((...told) => void changed(...told))
  await controller.start()
  return {
    ...{ book, keeper, controller },
    writes: () => writes,
    dead: () => dead,
    kill: () => (dead = true),
  }
}
