// A restart that a person asked for: what holds memory is stopped once, and nothing else happens because of it.
import test from 'ava'
import type { PlanInput } from '../../reconciler/decision.ts'
import { forecast } from '../../reconciler/forecast.ts'
import type { MachineState } from '../../reconciler/observed.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusSeen } from '../../reconciler/status.ts'
import type { Tenant, TenantStatus } from '../../specs/tenant.ts'
import { emptyWorld, modelMachine, modelVolume } from '../helpers/model.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'
import { inputFor, worldNow } from '../helpers/worlds.ts'

const asked: Partial<Tenant> = { restartRequestedAt: worldNow - 1 }

/** The machine is found in `state`; the last look saw it running. */
function found(state: MachineState, tenant: Tenant, more: Partial<TenantStatus> = {}): PlanInput {
  const machine = modelMachine({ state })
  const known = {
    volume: { id: 'vol_1', incarnation: 1 },
    machine: { id: machine.id, state: 'started', region: 'iad', incarnation: 1, since: worldNow },
  }
  const world = emptyWorld({ app: 'present', volumes: [modelVolume({})], machines: [machine] })
  const status = { ...freshStatus, ...known, ...more }
  return inputFor({ ...tenant, status }, { ...world, certificates: { '*.localhost': 'issued' } })
}

test('what runs or keeps its memory is stopped, whatever is wanted of it', (t) => {
  const stop = { kind: 'act', step: { kind: 'stopMachine' } }
  for (const state of ['started', 'suspended'] as const) t.like(plan(found(state, tenantWith({}, asked))), stop, state)
  t.like(plan(found('suspended', tenantWith({ state: 'suspended' }, asked))), stop)
  // Only what is asked for: an older request has been met.
  const met = found('started', tenantWith({}, asked), { restartedAt: worldNow - 1 })
  const stepOf = (input: PlanInput) => {
    const decision = plan(input)
    return decision.kind === 'act' ? decision.step.kind : decision.kind
  }
  t.not(stepOf(met), 'stopMachine')
  t.is(stepOf(found('suspended', tenantWith({ state: 'suspended' }))), 'settled')
})

test('found at rest the request is met: it starts, and that was no crash', (t) => {
  const input = found('stopped', tenantWith({}, asked))
  const decision = plan(input)
  t.like(decision, { kind: 'act', step: { kind: 'startMachine' } })
  const { restartedAt, crash } = statusSeen(input, decision)
  t.is(restartedAt, worldNow - 1)
  t.is(crash, undefined)
  const stopping = found('stopping', tenantWith({}, asked))
  t.is(statusSeen(stopping, plan(stopping)).restartedAt, undefined, 'it may still be seen running')
  const unasked = found('stopped', tenantWith({}))
  t.is(statusSeen(unasked, plan(unasked)).crash?.count, 1)
})

test('the road ahead is one stop and one start', (t) => {
  const { steps, ends } = forecast(found('started', tenantWith({}, asked)))
  t.deepEqual(
    steps
      .map(({ verb }) => verb)
      .filter((verb) => verb === 'stopMachine' || verb === 'startMachine' || verb === 'updateMachine'),
    ['stopMachine', 'startMachine'],
  )
  t.is(ends, 'settled')
})
