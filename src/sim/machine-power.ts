// Starting, stopping, suspending and their kin: each answers at once and is carried out behind the answer.
import * as z from 'zod'
import { type Answer, type Call, bodyOf, done, liveMachineOf, ok } from './call.ts'
import { Refusal, invalid, precondition } from './errors.ts'
import { type Operation, begin, judge } from './machine-life.ts'
import type { MachineRecord } from './state.ts'
import { type World, momentFor } from './world.ts'

const stopSignals = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const
const lastSignal = 31
const ending = new Set<string | number>(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGSEGV', 9, 15, 2, 3])

const stopping = z.looseObject({
  signal: z.enum(stopSignals).optional(),
  timeout: z.union([z.string(), z.number()]).optional(),
})
const signalling = z.looseObject({
  signal: z.union([z.string().regex(/^SIG[A-Z0-9]+$/), z.int().min(1).max(lastSignal)]),
})

/** Begins an operation; false when there is nothing to do. */
function operate(world: World, machine: MachineRecord, operation: Operation): boolean {
  const verdict = judge(machine, operation, world.clock.now())
  if (verdict instanceof Refusal) throw verdict
  if (verdict === 'already') return false
  world.runner.go(begin(machine, operation, true, momentFor(world, machine)))
  return true
}

/** POST start. Starting what is started is answered like a start (the wire for that is not established). */
export function startMachine(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  operate(world, machine, 'start')
  return ok({ previous_state: machine.state, migrated: false, new_host: '' })
}

/** A Go duration such as 10s or 1m30s, or a number of nanoseconds. */
function checkDuration(timeout: string | number | undefined): void {
  if (typeof timeout === 'string' && timeout !== '' && !/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(timeout))
    throw invalid(`timeout: "${timeout}" is not a duration`)
}

/** POST stop: a suspended machine loses its memory snapshot. */
export function stopMachine(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  checkDuration(bodyOf(call, stopping).timeout)
  operate(world, machine, 'stop')
  return done()
}

/** POST suspend, for machines that Fly can suspend. */
export function suspendMachine(world: World, call: Call): Answer {
  operate(world, liveMachineOf(world, call), 'suspend')
  return done()
}

/** POST restart: the same version, a new root filesystem. */
export function restartMachine(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  const signal = call.query.get('signal')
  if (signal !== null && !stopSignals.some((known) => known === signal))
    throw invalid(`signal: unknown signal "${signal}"`)
  operate(world, machine, 'restart')
  return done()
}

/** POST signal: one that ends processes ends the guest, and the restart policy takes it from there. */
export async function signalMachine(world: World, call: Call): Promise<Answer> {
  const machine = liveMachineOf(world, call)
  const { signal } = bodyOf(call, signalling)
  if (machine.state !== 'started') throw precondition(`unable to signal machine from current state: '${machine.state}'`)
  if (ending.has(signal)) await world.runner.lane(machine.id, () => world.guests.stop(machine.id))
  return done()
}

const cordon =
  (cordoned: boolean) =>
  (world: World, call: Call): Answer => {
    const machine = liveMachineOf(world, call)
    world.store.save({ kind: 'machine', record: { ...machine, cordoned, updatedAt: world.clock.now() } })
    return done()
  }

/** POST cordon: no traffic from Fly's proxy; the simulator has none, so it is only remembered. */
export const cordonMachine = cordon(true)
/** POST uncordon. */
export const uncordonMachine = cordon(false)
