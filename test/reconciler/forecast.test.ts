// The forecast: what it foretells is what happens, it always ends, and it tells what a step costs.
import test from 'ava'
import type { Decision, PlanInput } from '../../reconciler/decision.ts'
import { forecast, type Forecast } from '../../reconciler/forecast.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusDone, statusSeen } from '../../reconciler/status.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { applyStep, modelMachine, modelVolume, observeModel, passTime, type ModelWorld } from '../helpers/model.ts'
import { freshStatus, stampOf, tenantWith } from '../helpers/tenants.ts'
import { inputFor, plannerWorlds, worldNow } from '../helpers/worlds.ts'

/** The road as the model of Fly makes it, pass by pass, up to the first decision that stays. */
function walked(first: PlanInput, start: ModelWorld): { steps: string[]; last: Decision } {
  let [input, world] = [first, start]
  const steps: string[] = []
  for (let pass = 0; pass < 100; pass += 1) {
    const decision = plan(input)
    if (decision.kind === 'settled' || decision.kind === 'stalled') return { steps, last: decision }
    if (decision.kind === 'wait' && (decision.until - first.now > 3_600_000 || pass > 60))
      return { steps, last: decision }
    let status = statusSeen(input, decision)
    if (decision.kind === 'act') {
      steps.push(decision.step.kind)
      const done = applyStep(world, decision.step, { metadata: stampOf('wanted'), contentHash: 'wanted' }, input.now)
      world = done.world
      status = statusDone({ ...input.tenant, status }, decision.step, done.created, input.now)
      if (decision.step.kind === 'forgetTenant') return { steps, last: { kind: 'settled', until: 0 } }
    } else world = passTime(world)
    const tenant: Tenant = { ...input.tenant, status }
    const now = decision.kind === 'wait' ? decision.until : input.now
    input = { ...input, tenant, now, observed: observeModel(world, tenant, input.wish) }
  }
  throw new Error(`no end: ${steps.join(' ')}`)
}

/** What the planner leaves alone may still wait: for the machine's next stop, or for the end of the retention. */
function agree({ ends, waitsFor }: Forecast, last: Decision): boolean {
  if (last.kind === 'settled' && ends === 'wait')
    return ['UpdateDeferred', 'UpdateNeeded', 'Retained'].includes(waitsFor?.reason ?? '')
  // A wait that outlasts the planner's patience ends with a person.
  if (last.kind === 'stalled' && ends === 'wait') return waitsFor?.reason === last.reason
  return ends === last.kind
}

test('in every world the forecast names the steps that will be taken, and how the road ends', (t) => {
  let count = 0
  for (const { name, input, world } of plannerWorlds()) {
    const told = forecast(input)
    const { steps, last } = walked(input, world)
    count += 1
    const verbs = told.steps.map(({ verb }) => verb)
    if (verbs.join() !== steps.join() || !agree(told, last)) {
      t.fail(`${name}: foretold ${verbs.join()} ${told.ends}, happened ${steps.join()} ${last.kind}`)
      return
    }
    if ((told.waitsFor === undefined) !== (told.ends === 'settled')) t.fail(`${name}: ${told.ends} without a reason`)
    if (told.steps.some(({ target, why, typicalSeconds }) => target === '' || why === '' || typicalSeconds <= 0))
      t.fail(`${name}: a step without its why`)
  }
  t.true(count > 8_000, String(count))
})

const empty: ModelWorld = {
  ...{ app: 'present', volumes: [], machines: [], certificates: {} },
  ...{ guest: { kind: 'unknown' }, snapshots: [], boots: 0, created: [] },
}

test('a new tenant: the steps in order, their targets, and about how long they take', (t) => {
  const told = forecast(inputFor(tenantWith(), { ...empty, app: 'absent' }))
  t.deepEqual(
    told.steps.map(({ verb, target }) => [verb, target]),
    [
      ['createApp', 'the tenant'],
      ['createVolume', 'kc_tes_abcdefghijklmnop_001'],
      ['requestCertificate', '*.localhost'],
      ['createMachine', 'kc-test-abcdefghijklmnop-1'],
      ['prepareMachine', 'kc-test-abcdefghijklmnop-1'],
    ],
  )
  t.is(told.ends, 'settled')
  t.false(told.destructive || told.interrupts)
  t.is(told.typicalSeconds, 1 + 3 + 20 + 13 + 2)
})

const running: ModelWorld = {
  ...{ app: 'present', volumes: [modelVolume({})], machines: [modelMachine({})] },
  ...{
    certificates: { '*.localhost': 'issued' },
    guest: { kind: 'ready', boot: 'b' },
    snapshots: [],
    boots: 0,
    created: [],
  },
}
const provisioned = {
  ...freshStatus,
  preparedBoot: 'b',
  volume: { id: 'vol_1', incarnation: 1 },
  machine: { id: 'm1', state: 'started', region: 'iad', incarnation: 1 },
}

test('a machine that wakes with the memory that it had needs no packages again', (t) => {
  const asleep: ModelWorld = {
    ...running,
    machines: [modelMachine({ state: 'suspended' })],
    guest: { kind: 'unknown' },
  }
  const told = forecast(inputFor(tenantWith({}, { status: provisioned }), asleep))
  t.deepEqual(
    told.steps.map(({ verb, typicalSeconds }) => [verb, typicalSeconds]),
    [['startMachine', 1]],
  )
})

test('a deletion is destructive and cuts its users off; a suspension only cuts them off', (t) => {
  const deleted = forecast(inputFor(tenantWith({ state: 'deleted' }, { status: provisioned }), running))
  t.true(deleted.destructive && deleted.interrupts)
  const suspended = forecast(inputFor(tenantWith({ state: 'suspended' }, { status: provisioned }), running))
  t.like(suspended, { ends: 'settled', destructive: false, interrupts: true })
  t.is(suspended.steps.at(-1)?.why, 'The admin has suspended the tenant.')
})

test('a tenant that is only looked at has the same road ahead', (t) => {
  const world = { ...empty, app: 'absent' as const }
  const paused = inputFor(tenantWith({ paused: true }), world)
  const observed = { ...paused, fleet: { ...paused.fleet, mode: 'observe-only' as const } }
  t.deepEqual(forecast(observed).steps, forecast(inputFor(tenantWith(), world)).steps)
})

test('what does not pass by itself is where the road ends: a dead host, a full region, a missing volume', (t) => {
  const dead = { ...running, machines: [modelMachine({ hostOk: false })] }
  t.like(forecast(inputFor(tenantWith({}, { status: provisioned }), dead)), {
    ends: 'wait',
    steps: [],
    waitsFor: { reason: 'HostUnreachable' },
  })
  const retry = { step: 'createVolume', attempts: 3, generation: 1, reason: 'RegionFull', message: 'iad is full' }
  const later = (notBefore: number) => tenantWith({}, { status: { ...freshStatus, retry: { ...retry, notBefore } } })
  t.like(forecast(inputFor(later(worldNow + 2 * 3_600_000), empty)), { ends: 'wait', steps: [] })
  t.like(forecast(inputFor(later(worldNow + 60_000), empty)), { ends: 'settled', decision: { kind: 'wait' } })
  t.like(forecast(inputFor(tenantWith({}, { status: provisioned }), { ...running, volumes: [] })), {
    ends: 'stalled',
    waitsFor: { reason: 'VolumeMissing' },
  })
})
