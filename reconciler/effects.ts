// Effects: what each step is expected to do on Fly, what passes by itself, and what an observation shows of it. Pure. The
// forecast and the tests' model of Fly are both made of it, so that what is foretold is what the planner is tested on.
import type { Instant } from '../specs/clock.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Wish } from './decision.ts'
import type { Created } from './execute.ts'
import type {
  CertificateState,
  MachineState,
  Observed,
  ObservedGuest,
  ObservedMachine,
  ObservedSnapshot,
  ObservedVolume,
} from './observed.ts'
import { restorePending } from './restore.ts'
import type { Step } from './step.ts'

/** What Fly holds for one tenant. */
export interface ForecastWorld {
  readonly app: 'absent' | 'present'
  readonly volumes: readonly ObservedVolume[]
  readonly machines: readonly ObservedMachine[]
  readonly certificates: Readonly<Record<string, CertificateState>>
  readonly guest: ObservedGuest
  /** How often a root filesystem was new since the beginning. */
  readonly boots: number
  /** The boot that ran at the beginning; `boot0` where nobody knows. */
  readonly firstBoot?: string | undefined
  /** Every name ever created. */
  readonly created: readonly string[]
  readonly snapshots: readonly ObservedSnapshot[]
}

/** What a machine is made from, as it can be read back. */
export type Source = Pick<ObservedMachine, 'metadata' | 'contentHash'>

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>

/** How things come into the world. */
export interface Making {
  readonly now: Instant
  readonly source: Source
  readonly volume: (step: StepOf<'createVolume'>, world: ForecastWorld) => ObservedVolume
  readonly machine: (step: StepOf<'createMachine'>, world: ForecastWorld) => ObservedMachine
}

export interface Effect {
  readonly world: ForecastWorld
  readonly created: Created
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

function guestLater(world: ForecastWorld): ObservedGuest {
  if (!world.machines.some(({ state }) => state === 'started')) return { kind: 'unknown' }
  const boot = world.boots === 0 ? (world.firstBoot ?? 'boot0') : `boot${world.boots}`
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
export function timePasses(world: ForecastWorld): ForecastWorld {
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

function turn(world: ForecastWorld, id: string, part: Partial<ObservedMachine>): ForecastWorld {
  const machines = world.machines.map((machine) => (machine.id === id ? { ...machine, ...part } : machine))
  return { ...world, machines }
}

/** Only a suspended machine wakes with the root filesystem that it had. */
function start(world: ForecastWorld, id: string): ForecastWorld {
  const cold = world.machines.find((machine) => machine.id === id)?.state !== 'suspended'
  const next = turn(world, id, { state: 'starting' })
  return cold ? { ...next, boots: world.boots + 1, guest: { kind: 'unknown' } } : next
}

function volumeMade(world: ForecastWorld, step: StepOf<'createVolume'>, making: Making): Effect {
  const volume = making.volume(step, world)
  const next = { ...world, volumes: [...world.volumes, volume], created: [...world.created, step.name] }
  return { world: next, created: { volume } }
}

/** A taken name is answered with the machine that has it. */
function machineMade(world: ForecastWorld, step: StepOf<'createMachine'>, making: Making): Effect {
  const taken = world.machines.find(({ name }) => name === step.name)
  if (taken !== undefined) return { world, created: { machine: taken } }
  const machine = { ...making.machine(step, world), ...making.source, mount: step.volume }
  const next = { ...world, machines: [...world.machines, machine], created: [...world.created, step.name] }
  return { world: { ...next, boots: world.boots + 1, guest: { kind: 'unknown' } }, created: { machine } }
}

function updated(world: ForecastWorld, { id, launch }: StepOf<'updateMachine'>, source: Source): ForecastWorld {
  const awake = launch ? start(world, id) : world
  return turn(awake, id, { ...source, state: launch ? 'replacing' : 'stopped', version: 'v2' })
}

function stamped(world: ForecastWorld, { id, metadata }: StepOf<'stampMachine'>): ForecastWorld {
  const before = world.machines.find((machine) => machine.id === id)?.metadata
  return turn(world, id, { metadata: { ...before, ...metadata } })
}

function snapshotTaken(world: ForecastWorld, now: Instant): ForecastWorld {
  const before = world.snapshots
  const snapshot = { id: `snapshot-${before.length + 1}`, complete: false, createdAt: now, sizeBytes: 1 }
  return { ...world, snapshots: [snapshot, ...before] }
}

function withCertificate(world: ForecastWorld, host: string, state: CertificateState): ForecastWorld {
  return { ...world, certificates: { ...world.certificates, [host]: state } }
}

/** The world after a step that makes nothing. */
function changed(
  world: ForecastWorld,
  step: Exclude<Step, { kind: 'createVolume' | 'createMachine' }>,
  { source, now }: Making,
): ForecastWorld {
  switch (step.kind) {
    case 'createApp':
      return { ...world, app: 'present' }
    case 'updateMachine':
      return updated(world, step, source)
    case 'stampMachine':
      return stamped(world, step)
    case 'startMachine':
      return start(world, step.id)
    case 'stopMachine':
      return turn(world, step.id, { state: 'stopping' })
    case 'suspendMachine':
      return turn(world, step.id, { state: 'suspending' })
    case 'destroyMachine':
      return turn(world, step.id, { state: 'destroying' })
    case 'prepareMachine':
    case 'renewToken':
    case 'personalise':
    case 'prepareSleep':
    case 'endSleep':
    case 'forgetTenant':
      return world
    case 'snapshotVolume':
      return snapshotTaken(world, now)
    case 'destroyVolume':
      return { ...world, volumes: world.volumes.filter(({ id }) => id !== step.id) }
    case 'extendVolume': {
      const grow = (volume: ObservedVolume) => (volume.id === step.id ? { ...volume, sizeGb: step.sizeGb } : volume)
      return { ...world, volumes: world.volumes.map(grow) }
    }
    case 'requestCertificate':
      return withCertificate(world, step.host, 'pending')
    case 'deleteCertificate':
      return withCertificate(world, step.host, 'absent')
  }
}

/** What Fly, and the gateway, are expected to do with one step. */
export function effectOf(world: ForecastWorld, step: Step, making: Making): Effect {
  switch (step.kind) {
    case 'createVolume':
      return volumeMade(world, step, making)
    case 'createMachine':
      return machineMade(world, step, making)
    case 'prepareSleep': {
      // As long as its lease lasts, which the record knows.
      const answer = { kind: 'ready', suspension: 'suspension', until: Infinity, wakeAt: undefined } as const
      return { world, created: { sleep: answer } }
    }
    case 'endSleep':
      return { world, created: { opened: 'open' } }
    default:
      return { world: changed(world, step, making), created: {} }
  }
}

/** The recorded volume, the one that the machine mounts, and what an open create may have made. */
function volumesSeen(world: ForecastWorld, { status }: Tenant): readonly ObservedVolume[] {
  const { volume, machine, intent } = status
  const mounted = world.machines.find(({ id }) => id === machine?.id)?.mount
  const ids = volume === undefined ? [] : [volume.id, mounted]
  const made = intent?.kind === 'createVolume' ? intent.name : undefined
  return world.volumes.filter(({ id, name }) => ids.includes(id) || name === made)
}

function machinesSeen(world: ForecastWorld, { status }: Tenant): readonly ObservedMachine[] {
  const { machine, intent } = status
  const recorded = world.machines.filter(({ id }) => id === machine?.id)
  const listed = machine !== undefined || intent?.kind === 'createMachine'
  return recorded.length > 0 ? recorded : listed ? world.machines : []
}

function historySeen(world: ForecastWorld, tenant: Tenant, wish: Wish): Partial<Observed> {
  if (wish.effective === 'deleted') return { snapshots: world.snapshots, claims: [] }
  return restorePending(tenant) ? { snapshots: world.snapshots } : {}
}

const toldOf = ({ effective }: Wish) => effective === 'running' || effective === 'pool-warm'

/** What an observation shows of the world: reads by id where there is a record, lists only where a create is open. */
export function observationOf(world: ForecastWorld, tenant: Tenant, wish: Wish): Observed {
  if (world.app === 'absent')
    return { app: 'absent', volumes: [], machines: [], certificates: {}, guest: { kind: 'unknown' } }
  const machines = machinesSeen(world, tenant)
  const asked = toldOf(wish) && machines[0]?.state === 'started'
  return {
    app: 'present',
    volumes: volumesSeen(world, tenant),
    machines,
    certificates: wish.certificates.length === 0 ? {} : world.certificates,
    guest: asked ? world.guest : { kind: 'unknown' },
    ...historySeen(world, tenant, wish),
  }
}
