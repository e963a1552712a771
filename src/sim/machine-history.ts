// A machine's events and versions.
import { type Answer, type Call, machineOf, numberOf, ok } from './call.ts'
import { eventWire } from './machine-wire.ts'
import type { World } from './world.ts'

/** GET events, newest first: 20 unless asked for, at most 50. */
export function listEvents(world: World, call: Call): Answer {
  const machine = machineOf(world, call)
  return ok(machine.events.slice(0, numberOf(call, 'limit', 20, 50)).map(eventWire))
}

/** GET versions, newest first. */
export function listVersions(world: World, call: Call): Answer {
  const machine = machineOf(world, call)
  return ok(machine.versions.map(({ version, config }) => ({ version, user_config: config })))
}
