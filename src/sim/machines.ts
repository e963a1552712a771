// Machines: list, create, get, update, delete.
import * as z from 'zod'
import { type Answer, type Call, appOf, bodyOf, done, flag, liveMachineOf, listOf, machineOf, ok } from './call.ts'
import { aborted, exists, invalid, precondition } from './errors.ts'
import { machineId, machineName, ulid } from './ids.ts'
import { nextAddress } from './addresses.ts'
import { leaseOf, newLease } from './leases.ts'
import { viewOf } from './lists.ts'
import { type MachineConfig, checkMachineName, parseConfig } from './machine-config.ts'
import { begin, create, judge } from './machine-life.ts'
import { machineWire } from './machine-wire.ts'
import { isRegion, nearest } from './regions.ts'
import { Refusal } from './errors.ts'
import type { AppRecord, MachineRecord, VolumeRecord } from './state.ts'
import { attachedTo, volumeState } from './volume-life.ts'
import { type World, bytesOf, momentFor } from './world.ts'

const creation = z.looseObject({
  name: z.string().optional(),
  region: z.string().optional(),
  config: z.unknown().optional(),
  skip_launch: z.boolean().optional(),
  lease_ttl: z.int().positive().optional(),
})

const change = creation.extend({ current_version: z.string().optional() })

/** Exact matches of `metadata.<key>=<value>`, all of them. */
function metadataFilter(call: Call): (machine: MachineRecord) => boolean {
  const wanted = [...call.query].filter(([name]) => name.startsWith('metadata.'))
  return (machine) =>
    wanted.every(([name, value]) => machine.config.metadata?.[name.slice('metadata.'.length)] === value)
}

/** GET the app's machines: destroyed ones only on request. */
export function listMachines(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const view = viewOf(world, call)
  const states = listOf(call, 'state')
  const region = call.query.get('region')
  const matches = metadataFilter(call)
  const deleted = flag(call, 'include_deleted')
  const shape = { summary: flag(call, 'summary'), leases: flag(call, 'include_leases') }
  const shown = world.store
    .all('machine')
    .filter((machine) => machine.app === app.id && view.knows(machine))
    .map((machine) => staleOr(machine, view.lingers(machine, machine.updatedAt)))
    .filter((machine) => deleted || machine.state !== 'destroyed')
    .filter((machine) => states.length === 0 || states.includes(machine.state))
    .filter((machine) => region === null || machine.region === region)
    .filter(matches)
    .sort((one, other) => one.createdAt - other.createdAt)
  return ok(shown.map((machine) => machineWire(world, machine, shape)))
}

/** A list that lags still shows a destroyed machine as it was before. */
const staleOr = (machine: MachineRecord, stale: boolean): MachineRecord =>
  stale && machine.state === 'destroyed' ? { ...machine, state: 'started' } : machine

function checkName(world: World, app: AppRecord, name: string): void {
  checkMachineName(name)
  const holder = world.store
    .all('machine')
    .find((machine) => machine.app === app.id && machine.name === name && machine.state !== 'destroyed')
  if (holder !== undefined)
    throw exists(`unique machine name violation, machine ID ${holder.id} already exists with name "${name}"`)
}

/** The volume that the config mounts, when this machine may have it. */
function volumeFor(world: World, app: AppRecord, config: MachineConfig): VolumeRecord | undefined {
  const [mount] = config.mounts ?? []
  if (mount === undefined) return undefined
  if (mount.volume === undefined) throw invalid('config.mounts.0.volume: is required')
  const volume = world.store.get('volume', mount.volume)
  const now = world.clock.now()
  if (volume?.app !== app.id || volume.deletedAt !== undefined) throw invalid('volume not found')
  const holder = attachedTo(volume, now)
  if (holder !== undefined) throw precondition(`volume already claimed by machine ${holder}`)
  const state = volumeState(volume, now)
  if (state !== 'created') throw precondition(`volume ${volume.id} is not ready, currently ${state}`)
  return volume
}

function regionFor(asked: string | undefined, volume: VolumeRecord | undefined): string {
  const region = asked ?? volume?.region ?? nearest
  if (!isRegion(region)) throw invalid(`region: unknown region "${region}"`)
  if (volume !== undefined && volume.region !== region)
    throw invalid(`volume ${volume.id} is in region ${volume.region}, the machine in ${region}`)
  return region
}

/** The machine once it has left its present stage for good or for the next one. */
function afterStage(world: World, id: string, op: string): Promise<MachineRecord> {
  return new Promise((resolve) => {
    const end = world.store.watch((changed) => {
      if (changed.kind !== 'machine' || changed.record.id !== id || changed.record.phase?.op === op) return
      end()
      resolve(changed.record)
    })
  })
}

/** POST a machine. Nothing is awaited between the checks and the write, so a name has one winner. */
export async function createMachine(world: World, call: Call): Promise<Answer> {
  const app = appOf(world, call)
  const body = bodyOf(call, creation)
  const config = parseConfig(body.config)
  const bytes = bytesOf(world)
  const name = body.name ?? machineName(bytes)
  checkName(world, app, name)
  const volume = volumeFor(world, app, config)
  const region = regionFor(body.region, volume)
  const now = world.clock.now()
  const version = ulid(bytes, now)
  const blank: MachineRecord = {
    id: machineId(bytes),
    app: app.id,
    name,
    region,
    state: 'creating',
    steady: 'creating',
    instanceId: version,
    privateIp: nextAddress(world.store, bytes),
    config,
    createdAt: now,
    updatedAt: now,
    events: [],
    versions: [{ version, config }],
    volume: volume?.id,
    cordoned: false,
    lease: body.lease_ttl === undefined ? undefined : newLease(world, call.caller, body.lease_ttl),
    phase: undefined,
    memory: false,
    freshRoot: true,
    restarts: [],
    activeUntil: 0,
  }
  const machine = create(blank, body.skip_launch !== true, momentFor(world, blank))
  const made = afterStage(world, machine.id, machine.phase?.op ?? '')
  world.runner.go(machine, volume && { ...volume, attached: machine.id, unbindAt: undefined })
  return ok(withNonce(machineWire(world, await made), machine))
}

const withNonce = (wire: Record<string, unknown>, machine: MachineRecord): Record<string, unknown> =>
  machine.lease === undefined ? wire : { ...wire, nonce: machine.lease.nonce }

/** GET one machine, also when it is destroyed. */
export const getMachine = (world: World, call: Call): Answer =>
  ok(machineWire(world, machineOf(world, call), { leases: flag(call, 'include_leases') }))

function checkImmutable(machine: MachineRecord, body: z.infer<typeof change>): void {
  if (body.name !== undefined && body.name !== '' && body.name !== machine.name)
    throw invalid('name: the name of a machine cannot be changed')
  if (body.region !== undefined && body.region !== '' && body.region !== machine.region)
    throw invalid('region: the region of a machine cannot be changed')
  if (body.current_version !== undefined && body.current_version !== machine.instanceId)
    throw aborted(`machine version mismatch, expected ${body.current_version}, currently ${machine.instanceId}`)
}

/** POST a new config: a full replacement with a new version. The mounted volume stays what it was, as on Fly. */
export function updateMachine(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  const body = bodyOf(call, change)
  const parsed = parseConfig(body.config)
  if (machine.state === 'replacing' || machine.state === 'updating')
    throw aborted('machine update failed due to concurrent update')
  checkImmutable(machine, body)
  const verdict = judge(machine, 'update', world.clock.now())
  if (verdict instanceof Refusal) throw verdict
  const config = { ...parsed, mounts: machine.config.mounts }
  const version = ulid(bytesOf(world), world.clock.now())
  const lease =
    body.lease_ttl === undefined ? leaseOf(machine, world.clock.now()) : newLease(world, call.caller, body.lease_ttl)
  const changed: MachineRecord = {
    ...machine,
    config,
    lease,
    instanceId: version,
    versions: [{ version, config }, ...machine.versions].slice(0, 20),
  }
  const next = begin(changed, 'update', body.skip_launch !== true, momentFor(world, machine))
  world.runner.go(next)
  const wire = machineWire(world, next)
  return ok(body.lease_ttl === undefined ? wire : withNonce(wire, next))
}

/** DELETE a machine; what it does is done after the answer. A running one needs force (or flyctl's kill). */
export function deleteMachine(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  if (machine.state === 'destroying') return done()
  const force = flag(call, 'force') || flag(call, 'kill')
  const verdict = judge(machine, 'destroy', world.clock.now())
  // The server's own words are not established; the code and the prefix follow its other refusals.
  if (verdict instanceof Refusal && !force)
    throw precondition(`unable to destroy machine, not currently stopped: '${machine.state}'; use force to destroy it`)
  world.runner.go(begin(machine, 'destroy', false, momentFor(world, machine)))
  return done()
}
