// Sleep and waking: a tenant that nobody uses sleeps, a use in the last moment keeps it up, and traffic wakes nothing that
// an owner put to rest.
import test from 'ava'
import { reconcile } from '../../reconciler/reconcile.ts'
import { findCondition } from '../../specs/conditions.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { live, machineStates as state, minute, running, use } from '../helpers/idling.ts'
import { portsOver, type Outside } from '../helpers/model-ports.ts'
import { uid } from '../helpers/tenants.ts'

function want(outside: Outside, part: Partial<Tenant>): void {
  const { tenant } = outside
  outside.tenant = { ...tenant, ...part, generation: tenant.generation + 1, revision: tenant.revision + 1 }
}

test('unused for as long as the policy says, a tenant sleeps, with its road closed first', async (t) => {
  const outside = await running()
  await live(outside, 10 * minute)
  use(outside)
  await live(outside, 14 * minute)
  t.is(state(outside), 'started')
  let closedAt = 0
  outside.trip = (call, moment) => {
    if (call === 'suspendMachine' && moment === 'before') closedAt = outside.clock.now()
  }
  await live(outside, 2 * minute)
  t.is(state(outside), 'suspended')
  t.deepEqual(outside.mutations, ['suspendMachine'])
  t.deepEqual(outside.tenant.status.route, { kind: 'closed', reason: 'asleep' })
  t.is(findCondition(outside.tenant.status.conditions, 'Ready')?.reason, 'Asleep')
  t.true(closedAt - (outside.tenant.status.asleepSince ?? 0) >= 2_000)
})

test('a use between the decision and the sleep keeps the tenant up', async (t) => {
  const outside = await running()
  outside.trip = (call, moment) => {
    if (call === 'activity.sleep' && moment === 'before') use(outside)
  }
  await live(outside, 20 * minute)
  t.is(state(outside), 'started')
  t.is(outside.tenant.status.route.kind, 'forward')
  t.deepEqual(outside.mutations, [])
})

test('a use wakes it, and the road says that it is waking until it is open', async (t) => {
  const outside = await running()
  await live(outside, 20 * minute)
  t.is(state(outside), 'suspended')
  use(outside)
  await reconcile(portsOver(outside), uid)
  await reconcile(portsOver(outside), uid)
  t.deepEqual(outside.tenant.status.route, { kind: 'closed', reason: 'waking' })
  await live(outside, minute)
  t.is(outside.tenant.status.route.kind, 'forward')
})

test('traffic starts nothing that billing or the admin put to rest; taken back, it is awake however long unused', async (t) => {
  for (const rest of [{ entitlement: { state: 'suspended' as const } }, { spec: 'suspended' as const }]) {
    const outside = await running()
    const { spec } = outside.tenant
    want(outside, 'spec' in rest ? { spec: { ...spec, state: rest.spec } } : rest)
    await live(outside, 60 * minute)
    t.is(state(outside), 'suspended')
    outside.mutations.length = 0
    for (let round = 0; round < 30; round += 1) {
      use(outside)
      await live(outside, minute)
    }
    t.deepEqual(outside.mutations, [])
    outside.lastUsedAt = undefined
    want(outside, { spec, entitlement: { state: 'active' } })
    await live(outside, 10 * minute)
    t.is(state(outside), 'started')
    await live(outside, 10 * minute)
    t.is(state(outside), 'suspended')
  }
})

test('a policy of 0 never sleeps', async (t) => {
  const outside = await running()
  want(outside, { spec: { ...outside.tenant.spec, idle: { afterMinutes: 0 } } })
  outside.mutations.length = 0
  await live(outside, 24 * 60 * minute)
  t.is(state(outside), 'started')
})
