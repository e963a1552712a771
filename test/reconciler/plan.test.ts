// The planner's whole world: from every situation that a tenant can be in, for everything that can be wanted of it, the
// steps end where they should, and none of them on the way is unsafe.
import test from 'ava'
import type { Decision, PlanInput } from '../../reconciler/decision.ts'
import type {
  CertificateState,
  MachineState,
  ObservedGuest,
  ObservedMachine,
  ObservedVolume,
} from '../../reconciler/observed.ts'
import { freeFleet } from '../../reconciler/guards/view.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusDone, statusSeen } from '../../reconciler/status.ts'
import { metadataKeys } from '../../specs/names.ts'
import type { PoolTier } from '../../specs/pool.ts'
import { findCondition } from '../../specs/conditions.ts'
import type { Intent, Tenant, TenantStatus } from '../../specs/tenant.ts'
import {
  applyStep,
  emptyWorld,
  modelMachine,
  modelVolume,
  observeModel,
  passTime,
  type ModelWorld,
} from '../helpers/model.ts'
import { freshStatus, planSettings, poolHash, stampOf, tenantWith, uid, wishWith } from '../helpers/tenants.ts'

interface Situation {
  readonly name: string
  readonly status?: Partial<TenantStatus>
  readonly volumes?: ObservedVolume[]
  readonly machines?: ObservedMachine[]
  readonly mayStall?: boolean
}

const intentFor = (kind: Intent['kind'], name: string, incarnation = 1): Intent => ({
  kind,
  name,
  incarnation,
  since: 0,
})
const volumeIntent = intentFor('createVolume', `kc_tes_${uid}_001`)
const machineIntent = (incarnation: number) => intentFor('createMachine', `kc-test-${uid}-${incarnation}`, incarnation)
const recordedVolume = { volume: { id: 'vol_1', incarnation: 1 } }
const recordedMachine = (incarnation = 1, state = 'started') => ({
  machine: { id: `m${incarnation}`, state, region: 'iad', incarnation },
})

const volumeSituations: Situation[] = [
  { name: 'no volume' },
  { name: 'volume create unresolved, not made', status: { intent: volumeIntent } },
  { name: 'volume create unresolved, made', status: { intent: volumeIntent }, volumes: [modelVolume({})] },
  {
    name: 'volume create unresolved, two made',
    status: { intent: volumeIntent },
    volumes: [modelVolume({ id: 'vol_2', createdAt: 5 }), modelVolume({})],
  },
]

const withVolume: Situation[] = [
  { name: 'volume ready', status: recordedVolume, volumes: [modelVolume({})] },
  { name: 'volume too small', status: recordedVolume, volumes: [modelVolume({ sizeGb: 0 })] },
  { name: 'volume busy', status: recordedVolume, volumes: [modelVolume({ state: 'busy' })] },
  { name: 'volume creating', status: recordedVolume, volumes: [modelVolume({ state: 'creating' })] },
  { name: 'volume leaving', status: recordedVolume, volumes: [modelVolume({ state: 'leaving' })], mayStall: true },
  { name: 'volume missing', status: recordedVolume, mayStall: true },
]

const states: MachineState[] = [
  'creating',
  'created',
  'starting',
  'started',
  'stopping',
  'stopped',
  'suspending',
  'suspended',
  'restarting',
  'updating',
  'replacing',
  'failed',
  'launch_failed',
  'destroying',
  'unknown',
]

const asPool = { [metadataKeys.form]: 'pool' }

const machineSituations: Situation[] = [
  { name: 'no machine' },
  { name: 'machine destroyed', status: recordedMachine() },
  { name: 'machine create unresolved, not made', status: { intent: machineIntent(1) } },
  { name: 'second machine unresolved, not made', status: { ...recordedMachine(), intent: machineIntent(2) } },
  {
    name: 'machine destroyed, an earlier one came back',
    status: recordedMachine(2),
    machines: [modelMachine({ incarnation: 1 })],
  },
  ...states.flatMap((state): Situation[] => [
    { name: `machine ${state}`, status: recordedMachine(1, state), machines: [modelMachine({ state })] },
    {
      name: `machine ${state}, drifted`,
      status: recordedMachine(1, state),
      machines: [modelMachine({ state, specHash: 'old' })],
    },
    {
      name: `machine ${state}, as a pool made it`,
      status: recordedMachine(1, state),
      machines: [modelMachine({ state, specHash: poolHash, metadata: { ...stampOf(poolHash), ...asPool } })],
    },
    {
      name: `machine create unresolved, made and ${state}`,
      status: { intent: machineIntent(1) },
      machines: [modelMachine({ state })],
    },
  ]),
]

const warm = (tier: PoolTier) => ({ name: 'warm', tier })
const claim = { at: 0, pool: 'warm', tier: 'running', image: 'old' } as const
const poolWants = [
  {
    name: 'pool-warm running',
    tenant: (status: TenantStatus) => tenantWith({}, { status, pool: warm('running') }),
  },
  {
    name: 'pool-warm suspended',
    tenant: (status: TenantStatus) => tenantWith({}, { status, pool: warm('suspended') }),
  },
  {
    name: 'deleted from the pool',
    tenant: (status: TenantStatus) => tenantWith({ state: 'deleted' }, { status, pool: warm('running') }),
  },
  { name: 'running, claimed', tenant: (status: TenantStatus) => tenantWith({}, { status, claim }) },
  {
    name: 'admin-suspended, claimed',
    tenant: (status: TenantStatus) => tenantWith({ state: 'suspended' }, { status, claim }),
  },
]

const wants: { name: string; tenant: (status: TenantStatus) => Tenant }[] = [
  { name: 'running', tenant: (status) => tenantWith({}, { status }) },
  { name: 'admin-suspended', tenant: (status) => tenantWith({ state: 'suspended' }, { status }) },
  { name: 'billing-suspended', tenant: (status) => tenantWith({}, { status, entitlement: { state: 'suspended' } }) },
  { name: 'deleted', tenant: (status) => tenantWith({ state: 'deleted' }, { status }) },
  {
    name: 'running, 4 GB, 2 GB disk',
    tenant: (status) =>
      tenantWith({ guest: { cpuKind: 'shared', cpus: 2, memoryMb: 4096 }, volume: { sizeGb: 2 } }, { status }),
  },
  ...poolWants,
  {
    name: 'suspended, 4 GB',
    tenant: (status) =>
      tenantWith({ state: 'suspended', guest: { cpuKind: 'shared', cpus: 2, memoryMb: 4096 } }, { status }),
  },
]

const guests: ObservedGuest[] = [
  { kind: 'unreachable', why: 'refused' },
  { kind: 'starting', boot: 'boot0' },
  { kind: 'ready', boot: 'boot0' },
  { kind: 'mismatch' },
]
const certificateStates: CertificateState[] = ['absent', 'pending', 'issued']
const surroundings = [
  { app: 'absent' as const, guest: guests[0], certificate: 'absent' as const, prepared: false },
  ...guests.map((guest) => ({ app: 'present' as const, guest, certificate: 'issued' as const, prepared: true })),
  ...certificateStates.map((certificate) => ({
    app: 'present' as const,
    guest: guests[2],
    certificate,
    prepared: certificate === 'pending',
  })),
]

function* starts() {
  for (const volume of [...volumeSituations, ...withVolume])
    for (const machine of machineSituations) {
      // A machine is created only once the volume is on record.
      if (machine.name !== 'no machine' && volume.status?.volume === undefined) continue
      for (const around of surroundings) {
        // Without the app there is nothing, and nothing on record.
        if (around.app === 'absent' && (volume.name !== 'no volume' || machine.name !== 'no machine')) continue
        yield { volume, machine, around }
      }
    }
}

/** A machine as a pool makes it is a pool's, and pools have no certificates of their own. */
function concerns(want: { readonly name: string }, machine: string, certificate: CertificateState): boolean {
  const ofPool = poolWants.some(({ name }) => name === want.name)
  return ofPool ? certificate === 'issued' : !machine.endsWith('as a pool made it')
}

interface Trace {
  readonly steps: string[]
  readonly last: Decision
  readonly tenant: Tenant
  readonly world: ModelWorld
}

/** Every property that must hold at each decision. Throws with the name of the one that does not. */
function assertSafe(input: PlanInput, decision: Decision, world: ModelWorld, status: TenantStatus): void {
  const broken = (why: string) => new Error(why)
  const incarnations = world.machines
    .filter(({ state }) => state !== 'destroying')
    .map(({ incarnation }) => incarnation)
  if (new Set(incarnations).size !== incarnations.length) throw broken('two live machines of one incarnation')
  if (status.route.kind === 'forward') {
    const { machine, address } = status.route
    const target = world.machines.find(({ id }) => id === machine)
    if (target?.state !== 'started' || target.address !== address) throw broken('a road to a machine that is not up')
    const told = input.tenant.claim === undefined || status.personal !== undefined
    if (target.metadata[metadataKeys.form] === 'pool' && !told)
      throw broken('a road to a gateway that does not know whose it is')
    if (input.wish.effective !== 'running') throw broken('a road to a tenant that must not be reached')
  }
  if (decision.kind !== 'act') return
  const { step } = decision
  if (step.kind === 'createVolume') {
    if (input.tenant.status.volume !== undefined) throw broken('a second volume')
    if (world.volumes.length > 0) throw broken('a volume beside one that exists')
    if (status.intent?.name !== step.name) throw broken('a create without its note')
  }
  if (step.kind === 'createMachine') {
    if (status.intent?.name !== step.name) throw broken('a create without its note')
    const used = input.tenant.status.machine?.incarnation ?? 0
    if (step.incarnation <= used) throw broken('an incarnation used twice')
  }
  if (step.kind === 'destroyVolume') assertPurge(input, world)
  const updates = step.kind === 'updateMachine' && step.launch
  const wakes = step.kind === 'startMachine' || step.kind.startsWith('create') || updates
  if (wakes && input.wish.effective !== 'running' && input.wish.effective !== 'pool-warm')
    throw broken(`${step.kind} while ${input.wish.effective}`)
}

/** Data goes only at the end of a deletion, when it was retained long enough, with a snapshot, and nobody holds it. */
function assertPurge(input: PlanInput, world: ModelWorld): void {
  const { retainedSince, snapshot } = input.tenant.status
  const kept = world.snapshots.some(({ id, complete }) => complete && id === snapshot?.id)
  const { pool, status } = input.tenant
  const unused = status.machine === undefined || status.unclaimedVolume === status.volume?.id
  if (pool !== undefined && unused && input.wish.effective === 'deleted' && world.machines.length === 0) return
  const old = retainedSince !== undefined && input.now - retainedSince >= planSettings.retainMs
  if (input.wish.effective !== 'deleted' || !kept || !old || world.machines.length > 0)
    throw new Error('a volume is destroyed too early')
}

function walk(first: Tenant, start: ModelWorld, limit: number): Trace {
  let tenant = first
  let world = start
  let now = 1_000_000
  const steps: string[] = []
  for (let pass = 0; pass < limit; pass += 1) {
    const wish = wishWith(tenant)
    const input = {
      tenant,
      wish,
      observed: observeModel(world, tenant, wish),
      fleet: freeFleet,
      settings: planSettings,
      now,
    }
    const decision = plan(input)
    let status = statusSeen(input, decision)
    assertSafe(input, decision, world, status)
    if (status.observedGeneration !== tenant.generation) throw new Error('a generation that was not acted on')
    if (decision.kind === 'act') {
      steps.push(decision.step.kind)
      if (decision.step.kind === 'forgetTenant') return { steps, last: decision, tenant: { ...tenant, status }, world }
      const { world: next, created } = applyStep(world, decision.step, wish)
      world = next
      status = statusDone({ ...tenant, status }, decision.step, created, now)
    }
    tenant = { ...tenant, status }
    if (decision.kind === 'settled' || decision.kind === 'stalled') return { steps, last: decision, tenant, world }
    if (decision.kind === 'wait') {
      now = decision.until
      world = passTime(world)
    }
  }
  throw new Error(`not settled within ${limit} passes: ${steps.join(' ')}`)
}

test('from every world, for every want, the road ends where it should and is safe', (t) => {
  let walks = 0
  let longest = 0
  for (const { volume, machine, around } of starts())
    for (const want of wants) {
      if (!concerns(want, machine.name, around.certificate)) continue
      const status: TenantStatus = {
        ...freshStatus,
        ...volume.status,
        ...machine.status,
        ...(around.prepared ? { preparedBoot: 'boot0' } : {}),
      }
      const world = emptyWorld({
        app: around.app,
        volumes: volume.volumes ?? [],
        machines: machine.machines ?? [],
        certificates: { '*.localhost': around.certificate },
        guest: around.guest ?? { kind: 'unknown' },
      })
      const where = `${volume.name} | ${machine.name} | ${JSON.stringify(around)} | ${want.name}`
      try {
        const end = walk(want.tenant(status), world, 60)
        walks += 1
        longest = Math.max(longest, end.steps.length)
        checkEnd(end, want.name, volume.mayStall === true)
        if (end.last.kind === 'settled') {
          const again = walk(end.tenant, end.world, 1)
          if (again.steps.length > 0) throw new Error(`not quiet: ${again.steps.join(' ')}`)
        }
      } catch (error) {
        t.fail(`${where}: ${error instanceof Error ? error.message : String(error)}`)
        return
      }
    }
  t.log(`${walks} worlds walked, the longest road has ${longest} steps`)
  t.true(walks > 8_000)
})

function checkEnd({ last, tenant, world }: Trace, want: string, mayStall: boolean): void {
  // A stray on its way out keeps nobody from being settled.
  const own = ({ id, state }: ObservedMachine) => id === tenant.status.machine?.id || state !== 'destroying'
  const live = world.machines.filter(own).map(({ state }) => state)
  if (want.startsWith('running')) {
    if (last.kind === 'stalled' && mayStall) return
    if (last.kind !== 'settled') throw new Error(`ended ${last.kind}`)
    if (live.join() !== 'started') throw new Error(`machines: ${live.join()}`)
    if (tenant.status.route.kind !== 'forward') throw new Error('no road')
    if (findCondition(tenant.status.conditions, 'Ready')?.status !== 'True') throw new Error('not Ready')
    return
  }
  if (want.startsWith('pool-warm')) {
    if (last.kind === 'stalled' && mayStall) return
    const state = want.endsWith('running') ? 'started' : 'suspended'
    if (last.kind !== 'settled' || live.join() !== state) throw new Error(`ended ${last.kind}: ${live.join()}`)
    if (tenant.status.route.kind !== 'closed') throw new Error('a road is open')
    return
  }
  if (want === 'deleted from the pool' && tenant.status.unclaimedVolume !== undefined && world.volumes.length > 0)
    if (!mayStall) throw new Error('the volume of a member that nobody claimed is left')
  // A tenant that never had a volume has nothing to retain.
  const forgotten = last.kind === 'act' && (tenant.status.volume === undefined || tenant.pool !== undefined)
  if (last.kind !== 'settled' && !forgotten) throw new Error(`ended ${last.kind}`)
  const allowed = want.startsWith('deleted') ? [] : ['stopped', 'suspended', 'failed']
  if (live.some((state) => !allowed.includes(state))) throw new Error(`machines: ${live.join()}`)
  if (tenant.status.route.kind !== 'closed') throw new Error('a road is open')
  if (tenant.status.intent !== undefined) throw new Error('an open intent is left')
}

test('the seed’s steps, in order, for a new tenant', (t) => {
  const { steps } = walk(tenantWith(), emptyWorld(), 60)
  // The certificate is asked for while the volume and the machine come up.
  t.deepEqual(steps, ['createApp', 'createVolume', 'requestCertificate', 'createMachine', 'prepareMachine'])
})

test('a failed step waits for its time, unless the spec has changed since', (t) => {
  const retry = {
    step: 'createVolume',
    attempts: 1,
    notBefore: 2_000,
    generation: 1,
    reason: 'RegionFull',
    message: 'iad is full',
  }
  const look = (tenant: Tenant, now: number) => {
    const wish = wishWith(tenant)
    const world = emptyWorld({ app: 'present' })
    return plan({
      tenant,
      wish,
      observed: observeModel(world, tenant, wish),
      fleet: freeFleet,
      settings: planSettings,
      now,
    })
  }
  const failing = tenantWith({}, { status: { ...freshStatus, retry } })
  t.deepEqual(look(failing, 1_000), { kind: 'wait', reason: 'RegionFull', message: 'iad is full', until: 2_000 })
  t.is(look(failing, 2_000).kind, 'act')
  t.is(look({ ...failing, generation: 2 }, 1_000).kind, 'act')
  const forAPerson = tenantWith({}, { status: { ...freshStatus, retry: { ...retry, notBefore: undefined } } })
  t.is(look(forAPerson, 1e9).kind, 'stalled')
})
