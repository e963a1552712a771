// The worlds that a tenant can be in, for everything that can be wanted of it: inputs of the planner, one by one.
import type { PlanInput } from '../../reconciler/decision.ts'
import { freeFleet } from '../../reconciler/guards/view.ts'
import type {
  CertificateState,
  MachineState,
  ObservedGuest,
  ObservedMachine,
  ObservedVolume,
} from '../../reconciler/observed.ts'
import type { Intent, Tenant, TenantStatus } from '../../specs/tenant.ts'
import { modelMachine, modelVolume, observeModel, type ModelWorld } from './model.ts'
import { freshStatus, planSettings, tenantWith, uid, wishWith } from './tenants.ts'

export interface PlannerWorld {
  readonly name: string
  readonly input: PlanInput
  readonly world: ModelWorld
}

interface Part {
  readonly name: string
  readonly status?: Partial<TenantStatus>
  readonly volumes?: ObservedVolume[]
  readonly machines?: ObservedMachine[]
}

/** When the worlds are looked at. */
export const worldNow = Date.UTC(2026, 0, 1, 12)

const intent = (kind: Intent['kind'], name: string, incarnation = 1): { intent: Intent } => ({
  intent: { kind, name, incarnation, since: worldNow },
})
const volumeIntent = intent('createVolume', `kc_tes_${uid}_001`)
const onRecord = { volume: { id: 'vol_1', incarnation: 1 } }
const machineRecord = (state: string, incarnation = 1) => ({
  machine: { id: `m${incarnation}`, state, region: 'iad', incarnation },
})

const volumeStates = ['ready', 'busy', 'creating', 'leaving', 'unknown'] as const
const volumeParts: Part[] = [
  { name: 'no volume' },
  { name: 'volume unresolved', status: volumeIntent },
  { name: 'volume unresolved, made', status: volumeIntent, volumes: [modelVolume({})] },
  { name: 'volume missing', status: onRecord },
  { name: 'volume too small', status: onRecord, volumes: [modelVolume({ sizeGb: 0 })] },
  ...volumeStates.map((state) => ({
    name: `volume ${state}`,
    status: onRecord,
    volumes: [modelVolume({ state })],
  })),
]

const machineStates: MachineState[] = [
  ...(['creating', 'created', 'starting', 'started', 'stopping', 'stopped', 'suspending', 'suspended'] as const),
  ...(['restarting', 'updating', 'replacing', 'failed', 'launch_failed', 'destroying', 'unknown'] as const),
]
const machineParts: Part[] = [
  { name: 'no machine' },
  { name: 'machine gone', status: machineRecord('started') },
  { name: 'machine unresolved', status: intent('createMachine', `kc-test-${uid}-1`) },
  {
    name: 'an earlier machine came back',
    status: machineRecord('started', 2),
    machines: [modelMachine({ incarnation: 1 })],
  },
  {
    name: 'machine on a dead host',
    status: machineRecord('started'),
    machines: [modelMachine({ hostOk: false })],
  },
  ...machineStates.flatMap((state) => [
    { name: `machine ${state}`, status: machineRecord(state), machines: [modelMachine({ state })] },
    {
      name: `machine ${state}, drifted`,
      status: machineRecord(state),
      machines: [modelMachine({ state, specHash: 'old' })],
    },
  ]),
]

const guests: ObservedGuest[] = [
  { kind: 'unknown' },
  { kind: 'unreachable', why: 'refused' },
  { kind: 'starting', boot: 'boot0' },
  { kind: 'ready', boot: 'boot0' },
  { kind: 'mismatch' },
]
const certificates: CertificateState[] = ['absent', 'pending', 'issued']

const wants: { name: string; tenant: (status: TenantStatus) => Tenant }[] = [
  { name: 'running', tenant: (status) => tenantWith({}, { status }) },
  { name: 'running on two CPUs', tenant: (status) => tenantWith(twoCpus, { status }) },
  { name: 'suspended', tenant: (status) => tenantWith({ state: 'suspended' }, { status }) },
  { name: 'billing-suspended', tenant: (status) => tenantWith({}, { status, entitlement: { state: 'suspended' } }) },
  { name: 'deleted', tenant: (status) => tenantWith({ state: 'deleted' }, { status }) },
]
const twoCpus = { guest: { cpuKind: 'shared', cpus: 2, memoryMb: 4096 } as const, volume: { sizeGb: 2 } }

function* places(): Generator<{ name: string; status: Partial<TenantStatus>; world: ModelWorld }> {
  for (const app of ['present', 'absent'] as const)
    for (const volume of volumeParts)
      for (const machine of machineParts) {
        // A machine is created only once the volume is on record, and nothing is without the app.
        if (machine.name !== 'no machine' && volume.status?.volume === undefined) continue
        if (app === 'absent' && (volume.name !== 'no volume' || machine.name !== 'no machine')) continue
        // Only a machine that is up has a gateway to ask.
        const up = machine.machines?.[0]?.state === 'started' && machine.status?.machine?.incarnation === 1
        for (const guest of up ? guests : guests.slice(0, 1))
          for (const certificate of app === 'absent' ? (['absent'] as const) : certificates)
            yield {
              name: [app, volume.name, machine.name, guest.kind, certificate].join(' | '),
              status: { ...volume.status, ...machine.status },
              world: {
                ...{ app, volumes: volume.volumes ?? [], machines: machine.machines ?? [] },
                ...{ certificates: { '*.localhost': certificate }, guest, snapshots: [], boots: 0, created: [] },
              },
            }
      }
}

/** The planner's input for a tenant in a model world. */
export function inputFor(tenant: Tenant, world: ModelWorld, now: number = worldNow): PlanInput {
  const wish = wishWith(tenant)
  return { tenant, wish, observed: observeModel(world, tenant, wish), fleet: freeFleet, settings: planSettings, now }
}

export function* plannerWorlds(): Generator<PlannerWorld> {
  for (const { name, status, world } of places())
    for (const want of wants)
      for (const preparedBoot of [undefined, 'boot0']) {
        const tenant = want.tenant({ ...freshStatus, ...status, preparedBoot })
        yield { name: `${name} | ${want.name}`, input: inputFor(tenant, world), world }
      }
}
