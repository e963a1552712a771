// A model of what Fly holds for one tenant, small enough to be walked through exhaustively: the expected effect of each
// step, of the passing of time, and what an observation of it shows.
import type {
  CertificateState,
  MachineState,
  Observed,
  ObservedGuest,
  ObservedMachine,
  ObservedSnapshot,
  ObservedVolume,
} from '../../reconciler/observed.ts'
import type { Created } from '../../reconciler/execute.ts'
import type { Step } from '../../reconciler/step.ts'
import type { Wish } from '../../reconciler/decision.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { stampOf, uid } from './tenants.ts'

export interface ModelWorld {
  app: 'absent' | 'present'
  volumes: ObservedVolume[]
  machines: ObservedMachine[]
  certificates: Record<string, CertificateState>
  guest: ObservedGuest
  snapshots: ObservedSnapshot[]
  boots: number
  /** Machines that were destroyed, and every name ever created, for the safety properties. */
  created: string[]
}

/** A world with nothing in it. */
export function emptyWorld(part: Partial<ModelWorld> = {}): ModelWorld {
  return {
    app: 'absent',
    volumes: [],
    machines: [],
    certificates: {},
    guest: { kind: 'unknown' },
    snapshots: [],
    boots: 0,
    created: [],
    ...part,
  }
}

export function modelMachine({
  specHash = 'wanted',
  ...part
}: Partial<ObservedMachine> & { readonly specHash?: string }): ObservedMachine {
  return {
    id: `m${part.incarnation ?? 1}`,
    name: `kc-test-${uid}-${part.incarnation ?? 1}`,
    uid,
    incarnation: 1,
    state: 'started',
    version: 'v1',
    region: 'iad',
    address: '127.1.1.1',
    metadata: stampOf(specHash),
    contentHash: specHash,
    mount: 'vol_1',
    hostOk: true,
    createdAt: 0,
    ...part,
  }
}

export function modelVolume(part: Partial<ObservedVolume>): ObservedVolume {
  return {
    id: 'vol_1',
    name: `kc_tes_${uid}_001`,
    state: 'ready',
    sizeGb: 1,
    region: 'iad',
    attachedMachine: undefined,
    usedBytes: 0,
    createdAt: 0,
    ...part,
  }
}

const later: Partial<Record<MachineState, MachineState | 'gone'>> = {
  creating: 'created',
  created: 'starting',
  starting: 'started',
  stopping: 'stopped',
  suspending: 'suspended',
  restarting: 'started',
  updating: 'started',
  replacing: 'started',
  launch_failed: 'gone',
  destroying: 'gone',
  unknown: 'started',
}

function guestLater(world: ModelWorld): ObservedGuest {
  if (!world.machines.some(({ state }) => state === 'started')) return { kind: 'unknown' }
  const boot = `boot${world.boots}`
  switch (world.guest.kind) {
    case 'unknown':
      return { kind: 'unreachable', why: 'refused' }
    case 'unreachable':
    case 'mismatch':
      return { kind: 'starting', boot }
    case 'starting':
    case 'ready':
      return { kind: 'ready', boot }
  }
}

/** Everything that changes by itself moves on by one state. */
export function passTime(world: ModelWorld): ModelWorld {
  const machines = world.machines
    .map((machine) => ({ machine, next: later[machine.state] ?? machine.state }))
    .flatMap(({ machine, next }) => (next === 'gone' ? [] : [{ ...machine, state: next }]))
  const volumes = world.volumes
    .filter(({ state }) => state !== 'leaving')
    .map((volume): ObservedVolume => ({ ...volume, state: 'ready' }))
  const certificates = Object.fromEntries(
    Object.entries(world.certificates).map(([host, state]) => [host, state === 'pending' ? 'issued' : state]),
  )
  const snapshots = world.snapshots.map((snapshot) => ({ ...snapshot, complete: true }))
  const next = { ...world, machines, volumes, certificates, snapshots }
  return { ...next, guest: guestLater(next) }
}

function turn(world: ModelWorld, id: string, part: Partial<ObservedMachine>): ModelWorld {
  const machines = world.machines.map((machine) => (machine.id === id ? { ...machine, ...part } : machine))
  return { ...world, machines }
}

function start(world: ModelWorld, id: string): ModelWorld {
  const cold = world.machines.find((machine) => machine.id === id)?.state !== 'suspended'
  const next = turn(world, id, { state: 'starting' })
  return cold ? { ...next, boots: world.boots + 1, guest: { kind: 'unknown' } } : next
}

/** What a machine is made from, as it can be read back. */
export type Source = Pick<ObservedMachine, 'metadata' | 'contentHash'>
const wantedSource: Source = { metadata: stampOf('wanted'), contentHash: 'wanted' }

/** What Fly does with one step. */
export function applyStep(
  world: ModelWorld,
  step: Step,
  from: Source = wantedSource,
): { world: ModelWorld; created: Created } {
  switch (step.kind) {
    case 'createApp':
      return { world: { ...world, app: 'present' }, created: {} }
    case 'createVolume': {
      const volume = modelVolume({ id: `vol_${world.created.length + 100}`, name: step.name, state: 'creating' })
      const volumes = [...world.volumes, { ...volume, sizeGb: step.sizeGb }]
      return { world: { ...world, volumes, created: [...world.created, step.name] }, created: { volume } }
    }
    case 'createMachine': {
      const { incarnation } = step
      const taken = world.machines.find(({ name }) => name === step.name)
      if (taken !== undefined) return { world, created: { machine: taken } }
      const made = modelMachine({ incarnation, name: step.name, state: 'created' })
      const machine = { ...made, ...from, mount: step.volume }
      const next = { ...world, machines: [...world.machines, machine], created: [...world.created, step.name] }
      return { world: { ...next, boots: world.boots + 1, guest: { kind: 'unknown' } }, created: { machine } }
    }
    case 'updateMachine':
      return {
        world: turn(step.launch ? start(world, step.id) : world, step.id, {
          state: step.launch ? 'replacing' : 'stopped',
          ...from,
          version: 'v2',
        }),
        created: {},
      }
    case 'startMachine':
      return { world: start(world, step.id), created: {} }
    case 'stopMachine':
      return { world: turn(world, step.id, { state: 'stopping' }), created: {} }
    case 'suspendMachine':
      return { world: turn(world, step.id, { state: 'suspending' }), created: {} }
    case 'destroyMachine':
      return { world: turn(world, step.id, { state: 'destroying' }), created: {} }
    case 'snapshotVolume': {
      const snapshot = { id: `vs_${world.snapshots.length}`, complete: false, createdAt: 0, sizeBytes: 1 }
      return { world: { ...world, snapshots: [...world.snapshots, snapshot] }, created: {} }
    }
    case 'prepareMachine':
    case 'forgetTenant':
      return { world, created: {} }
    case 'destroyVolume':
      return { world: { ...world, volumes: world.volumes.filter(({ id }) => id !== step.id) }, created: {} }
    case 'stampMachine':
      return { world: turn(world, step.id, { metadata: step.metadata }), created: {} }
    case 'extendVolume': {
      const volumes = world.volumes.map((volume) => ({ ...volume, sizeGb: step.sizeGb }))
      return { world: { ...world, volumes }, created: {} }
    }
    case 'requestCertificate':
      return { world: { ...world, certificates: { ...world.certificates, [step.host]: 'pending' } }, created: {} }
    case 'deleteCertificate':
      return { world: { ...world, certificates: { ...world.certificates, [step.host]: 'absent' } }, created: {} }
  }
}

/** What an observation shows of the world: reads by id where there is a record, lists only where a create is open. */
export function observeModel(world: ModelWorld, { status }: Tenant, wish: Wish): Observed {
  if (world.app === 'absent')
    return { app: 'absent', volumes: [], machines: [], certificates: {}, guest: { kind: 'unknown' } }
  const { volume, machine, intent } = status
  const listVolumes = volume === undefined && intent?.kind === 'createVolume'
  const recorded = world.machines.filter(({ id }) => id === machine?.id)
  const listMachines = machine !== undefined || intent?.kind === 'createMachine'
  const machines = recorded.length > 0 ? recorded : listMachines ? world.machines : []
  const asked = wish.effective === 'running' && machines[0]?.state === 'started'
  return {
    app: 'present',
    volumes: world.volumes.filter(({ id }) => listVolumes || id === volume?.id),
    machines,
    certificates: world.certificates,
    ...(wish.effective === 'deleted' ? { snapshots: world.snapshots, claims: [] } : {}),
    guest: asked ? world.guest : { kind: 'unknown' },
  }
}
