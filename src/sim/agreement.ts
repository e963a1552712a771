// Keeps the stored machines and the guests in agreement: once at the start, then every second.
import type { GuestState } from './guest-host.ts'
import { died, rebooted } from './machine-life.ts'
import type { MachineRecord } from './state.ts'
import { type World, momentFor, subjectOf } from './world.ts'

type Running = ReadonlyMap<string, GuestState>

const everyMs = 1_000

async function running(world: World): Promise<Running> {
  return new Map((await world.guests.running()).map((guest) => [guest.machine, guest]))
}

/** A guest that has no business to run: its machine is unknown, or rests in a state without one. */
async function stopStrays(world: World, guests: Running): Promise<void> {
  for (const id of guests.keys()) {
    const machine = world.store.get('machine', id)
    const wanted = machine?.phase !== undefined || machine?.state === 'started' || machine?.state === 'suspended'
    if (!wanted) await world.guests.stop(id)
  }
}

async function agreeAtStart(world: World, machine: MachineRecord, guests: Running): Promise<void> {
  const guest = guests.get(machine.id)
  if (machine.phase !== undefined) {
    // Killed while it started: whether that start got anywhere is not known, so it begins again.
    if (guest !== undefined && machine.phase.kind === 'start' && !machine.memory) await world.guests.stop(machine.id)
    world.runner.carryOn(machine)
  } else if (machine.state === 'started' && guest === undefined) {
    world.runner.go(rebooted(machine, momentFor(world, machine)))
  } else if (machine.state === 'suspended') {
    if (guest?.suspended === false) await world.guests.suspend(machine.id)
    if (guest === undefined) world.store.save({ kind: 'machine', record: { ...machine, memory: false } })
  }
}

/** Takes up every operation that was under way, starts what should run, and stops what should not. */
export async function resumeWork(world: World): Promise<void> {
  const guests = await running(world)
  await stopStrays(world, guests)
  for (const machine of world.store.all('machine')) await agreeAtStart(world, machine, guests)
}

/** Is the host of this machine unreachable, by a fault? */
export const hostIsDown = (world: Pick<World, 'faults'>, machine: MachineRecord): boolean =>
  world.faults.peek('hostDown', subjectOf(machine)) !== undefined

async function check(world: World, machine: MachineRecord, guest: GuestState | undefined): Promise<void> {
  const present = world.store.get('machine', machine.id)
  if (present !== machine) return
  if (guest === undefined || guest.end !== undefined) {
    if (guest !== undefined) await world.guests.stop(machine.id)
    world.runner.go(died(machine, momentFor(world, machine), guest?.end))
    return
  }
  const down = hostIsDown(world, machine)
  if (down !== guest.suspended) await (down ? world.guests.suspend(machine.id) : world.guests.resume(machine.id))
}

/** One look at every started machine: a guest that is gone has died, one on a dead host does not answer. */
export async function checkStarted(world: World): Promise<void> {
  const started = world.store.all('machine').filter((machine) => machine.state === 'started')
  if (started.length === 0) return
  const guests = await running(world)
  for (const machine of started)
    await world.runner.lane(machine.id, () => check(world, machine, guests.get(machine.id)))
}

/** Checks every second until the answer is called. */
export function watchGuests(world: World): () => Promise<void> {
  let ended = false
  let cancel = (): void => undefined
  let last = Promise.resolve()
  const again = (): void => {
    if (!ended) cancel = world.clock.after(everyMs, look)
  }
  const look = (): void => {
    last = checkStarted(world)
      .catch((error: unknown) => world.log(`The guests could not be checked: ${String(error)}`))
      .finally(again)
  }
  again()
  return async () => {
    ended = true
    cancel()
    await last
  }
}
