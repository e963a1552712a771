// A fleet of many tenants with their machines already there: the real store and controller over a small model of Fly, on a
// virtual clock. A guest becomes ready unless its image is a bad one.
import { VirtualClock } from './virtual-clock.ts'
import { modelMachine, modelVolume } from './model.ts'
import { planSettings } from './tenants.ts'
import { contentHash, type FlyMachineConfig } from '../../boot/machine.ts'
import { openGuards } from '../../reconciler/guards/keeper.ts'
import type { PlanSettings } from '../../reconciler/decision.ts'
import type { ObservedMachine, ObservedVolume } from '../../reconciler/observed.ts'
import type { Cloud, Ports } from '../../reconciler/ports.ts'
import { wantedConfig, wishOf } from '../../reconciler/wish.ts'
import type { ClassSpec } from '../../specs/class.ts'
import { Fault } from '../../specs/faults.ts'
import { newUid } from '../../specs/names.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { wordlessSleeper } from './sleepers.ts'

/** What Fly holds of one machine. */
interface Machine {
  readonly seen: ObservedMachine
  readonly image: string
  /** When it was last started. */
  readonly startedAt: number
}

export interface Update {
  readonly at: number
  readonly uid: string
  readonly image: string
  readonly launch: boolean
}

export interface FleetModel {
  readonly clock: VirtualClock
  readonly pace: Pick<PlanSettings, 'scale' | 'deferMs'>
  readonly machines: Map<string, Machine>
  readonly volumes: Map<string, ObservedVolume>
  readonly updates: Update[]
  /** Guests of these images start for ever. */
  readonly badImages: Set<string>
  /** Images that Fly does not find. */
  readonly refused: Set<string>
  readonly defects: unknown[]
}

export function emptyFleet(seed: number, pace: FleetModel['pace']): FleetModel {
  return {
    ...{ pace, clock: new VirtualClock(seed), machines: new Map(), volumes: new Map(), updates: [] },
    ...{ badImages: new Set(), refused: new Set(), defects: [] },
  }
}

const bootMs = 5_000
const guestMs = 4_000

/** The machine as it is now: a start takes its time. */
function seenNow({ clock }: FleetModel, { seen, startedAt }: Machine): ObservedMachine {
  const booting = seen.state === 'started' && clock.now() < startedAt + bootMs
  return booting ? { ...seen, state: 'starting' } : seen
}

function turned(model: FleetModel, id: string, change: (before: Machine) => Machine): ObservedMachine {
  const before = model.machines.get(id)
  if (before === undefined) throw new Error(`there is no machine ${id}`)
  const after = change(before)
  model.machines.set(id, after)
  return seenNow(model, after)
}

function update(model: FleetModel, id: string, config: FlyMachineConfig, launch: boolean): ObservedMachine {
  const at = model.clock.now()
  if (model.refused.has(config.image))
    throw new Fault('invalid', 'Fly answered 400 to machineUpdate: manifest unknown.', { call: 'machineUpdate' })
  return turned(model, id, ({ seen }) => {
    model.updates.push({ at, uid: seen.uid, image: config.image, launch })
    const made = { metadata: config.metadata, contentHash: contentHash(config), version: `${at}` }
    return { seen: { ...seen, ...made, state: launch ? 'started' : 'stopped' }, image: config.image, startedAt: at }
  })
}

/** Calls that no test of a standing fleet makes. */
const unexpected = (call: string) => () => Promise.reject(new Error(`nobody should call ${call}`))

function cloudOver(model: FleetModel): Cloud {
  const state = async (id: string, next: ObservedMachine['state']) => {
    turned(model, id, (before) => ({ ...before, startedAt: model.clock.now(), seen: { ...before.seen, state: next } }))
  }
  const found = (id: string) => {
    const machine = model.machines.get(id)
    return machine && seenNow(model, machine)
  }
  return {
    appExists: async () => true,
    machine: async (id) => found(id),
    volume: async (id) => model.volumes.get(id),
    certificate: async () => 'issued',
    updateMachine: async (id, _version, config, launch) => update(model, id, config as FlyMachineConfig, launch),
    startMachine: (id) => state(id, 'started'),
    stopMachine: (id) => state(id, 'stopped'),
    suspendMachine: (id) => state(id, 'suspended'),
    exec: async () => ({ exitCode: 0, said: '' }),
    fleet: async () => ({
      at: model.clock.now(),
      machines: [...model.machines.values()].map((machine) => seenNow(model, machine)),
      volumes: [...model.volumes.values()],
    }),
    reached: () => Promise.resolve(false),
    ...{ createApp: unexpected('createApp'), createVolume: unexpected('createVolume') },
    ...{ createMachine: unexpected('createMachine'), destroyMachine: unexpected('destroyMachine') },
    ...{ machinesOf: unexpected('machinesOf'), volumesNamed: unexpected('volumesNamed') },
    ...{ extendVolume: unexpected('extendVolume'), destroyVolume: unexpected('destroyVolume') },
    ...{ snapshots: unexpected('snapshots'), snapshotVolume: unexpected('snapshotVolume') },
    ...{ stampMachine: unexpected('stampMachine'), requestCertificate: unexpected('requestCertificate') },
    ...{ deleteCertificate: unexpected('deleteCertificate'), survey: unexpected('survey') },
  }
}

/** Ports over the model. */
export function fleetPorts(model: FleetModel, store: Ports['store'], classOf: Ports['classOf']): Ports {
  return {
    cloud: cloudOver(model),
    store,
    sleeper: wordlessSleeper,
    probe: {
      ask: async ({ id }) => {
        const machine = model.machines.get(id)
        if (machine === undefined || seenNow(model, machine).state !== 'started')
          return { kind: 'unreachable', why: 'refused' }
        const boot = `${id} ${machine.startedAt}`
        const late = model.clock.now() < machine.startedAt + bootMs + guestMs
        return { kind: late || model.badImages.has(machine.image) ? 'starting' : 'ready', boot }
      },
    },
    secrets: { gatewayToken: () => 'g', bridgeKey: () => new Uint8Array(32), llmToken: async () => 'llm' },
    clock: model.clock,
    journal: { note: () => {}, defect: (_uid, error) => void model.defects.push(error) },
    settings: {
      ...{ ...planSettings, domain: 'localhost', certificates: 'wildcard', llmBaseUrl: 'http://llm.internal/v1' },
      ...{ publicScheme: 'http', publicPort: 7080, bootScript: '#!/bin/sh\n', bridgeSource: '//' },
      ...model.pace,
    },
    classOf,
    activity: { lastUsedAt: () => Promise.resolve(undefined), sleep: () => Promise.resolve(true) },
    guards: openGuards(),
    seen: () => [],
    term: () => 1,
  }
}

/** Adds the machine and volume that a settled tenant has; answers the tenant with both on record. */
export async function settle(model: FleetModel, tenant: Tenant, spec: ClassSpec): Promise<Tenant> {
  const { clock } = model
  const uid = newUid((length) => clock.bytes(length))
  const named = { ...tenant, uid, createdAt: clock.now() }
  const ports = fleetPorts(model, {} as Ports['store'], () => spec)
  const { resolved } = wishOf(ports, named, undefined)
  if (resolved === undefined) throw new Error('the class is missing')
  const [id, volume] = [`m-${uid}`, modelVolume({ id: `vol_${uid}`, name: `kc_tes_${uid}_001` })]
  const config = (await wantedConfig(ports, named, resolved, {
    volumeId: volume.id,
    incarnation: 1,
  })) as FlyMachineConfig
  const resting = named.spec.state === 'suspended'
  const made = { metadata: config.metadata, contentHash: contentHash(config), mount: volume.id }
  const seen = modelMachine({ id, uid, name: `kc-test-${uid}-1`, ...made, state: resting ? 'stopped' : 'started' })
  model.machines.set(id, { seen, image: config.image, startedAt: clock.now() - 3_600_000 })
  model.volumes.set(volume.id, { ...volume, attachedMachine: id })
  const machine = { id, state: seen.state, region: 'iad', incarnation: 1, since: clock.now() }
  return { ...named, status: { ...named.status, machine, volume: { id: volume.id, incarnation: 1 } } }
}
