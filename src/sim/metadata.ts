// Machine metadata: written without a restart and without a new version, and kept inside the config.
import * as z from 'zod'
import { type Answer, type Call, bodyOf, liveMachineOf, machineOf, ok } from './call.ts'
import { notFound, precondition } from './errors.ts'
import type { MachineRecord } from './state.ts'
import type { World } from './world.ts'

const many = z.looseObject({
  metadata: z.record(z.string(), z.string().nullable()).default({}),
  machine_version: z.string().optional(),
})
const one = z.looseObject({ value: z.string() })

const metadataOf = (machine: MachineRecord): Record<string, string> => machine.config.metadata ?? {}
const nothing: Answer = { status: 204 }

/** Writes the values; null and the empty string remove a key. */
function write(world: World, machine: MachineRecord, values: Readonly<Record<string, string | null>>): void {
  const kept = Object.entries({ ...metadataOf(machine), ...values }).filter(
    (entry): entry is [string, string] => entry[1] !== null && entry[1] !== '',
  )
  const config = { ...machine.config, metadata: Object.fromEntries(kept) }
  world.store.save({ kind: 'machine', record: { ...machine, config, updatedAt: world.clock.now() } })
}

/** GET all of it. */
export const showMetadata = (world: World, call: Call): Answer => ok(metadataOf(machineOf(world, call)))

/** GET one key. */
export function showKey(world: World, call: Call): Answer {
  const value = metadataOf(machineOf(world, call))[call.params['key'] ?? '']
  if (value === undefined) throw notFound('metadata key')
  return ok({ value })
}

/** POST one key. */
export function setKey(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  write(world, machine, { [call.params['key'] ?? '']: bodyOf(call, one).value })
  return nothing
}

/** DELETE one key; one that is not there is as good as deleted. */
export function deleteKey(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  write(world, machine, { [call.params['key'] ?? '']: null })
  return nothing
}

/** PATCH and PUT alike: writes the keys that are named and leaves the others. */
export function updateMetadata(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  const body = bodyOf(call, many)
  if (body.machine_version !== undefined && body.machine_version !== machine.instanceId)
    throw precondition(`machine version mismatch, expected ${body.machine_version}, currently ${machine.instanceId}`)
  write(world, machine, body.metadata)
  return nothing
}
