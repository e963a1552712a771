// Pull the plug at every call to the outside, before it and after it, once and twice: the road still ends where it should,
// with one volume, one machine, and no change that was not needed.
import test from 'ava'
import { reconcile } from '../../reconciler/reconcile.ts'
import { Fault } from '../../specs/faults.ts'
import { findCondition } from '../../specs/conditions.ts'
import type { Entitlement, Tenant, TenantSpec } from '../../specs/tenant.ts'
import { Crash, outsideOf, portsOver, type Outside } from '../helpers/model-ports.ts'
import { tenantWith, uid } from '../helpers/tenants.ts'

interface Change {
  readonly spec?: Partial<TenantSpec>
  readonly entitlement?: Entitlement
  /** Nothing is changed but the time. */
  readonly afterMs?: number
  readonly restart?: true
}

const changes: Readonly<Record<string, Change>> = {
  provision: {},
  suspend: { spec: { state: 'suspended' } },
  'suspend by billing': { entitlement: { state: 'suspended' } },
  resume: { spec: { state: 'running' } },
  enlarge: {
    spec: { state: 'running', volume: { sizeGb: 5 }, image: 'ghcr.io/openclaw/openclaw:next', update: 'immediate' },
  },
  delete: { spec: { state: 'deleted' } },
  undelete: { spec: { state: 'running' } },
  purge: { afterMs: 15 * 86_400_000 },
  restart: { restart: true },
}

function want(outside: Outside, { spec, entitlement, restart }: Change): void {
  const { tenant } = outside
  const asked = restart === undefined ? {} : { restartRequestedAt: outside.clock.now() }
  const next: Tenant = {
    ...{ ...tenant, ...asked, spec: { ...tenant.spec, ...spec } },
    entitlement: entitlement ?? { state: 'active' },
  }
  outside.tenant = { ...next, generation: tenant.generation + 1, revision: tenant.revision + 1 }
}

/** Passes until settled, living through crashes as a restarted process does. */
async function converge(outside: Outside): Promise<void> {
  const ports = portsOver(outside)
  for (let pass = 0; pass < 300; pass += 1) {
    let at: number
    try {
      const settledBefore = outside.journal.length
      const back = await reconcile(ports, uid)
      if (back === undefined) return
      at = back.at
      if (outside.journal.slice(settledBefore).some(({ kind }) => kind === 'settled')) return
      const quiet = outside.tenant.status.observedGeneration === outside.tenant.generation
      const { conditions } = outside.tenant.status
      if (quiet && at - outside.clock.now() > 200_000 && findCondition(conditions, 'Reconciling') === undefined) return
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      at = outside.clock.now() + 1_000
    }
    if (at > outside.clock.now()) {
      await outside.clock.advance(at - outside.clock.now())
      outside.pass()
    }
  }
  throw new Error(`not settled: ${JSON.stringify(outside.tenant.status.conditions)}`)
}

async function upTo(name: string): Promise<Outside> {
  const outside = outsideOf(tenantWith({ idle: { afterMinutes: 0 } }, { generation: 0 }))
  const previous: Record<string, string[]> = {
    provision: [],
    suspend: ['provision'],
    'suspend by billing': ['provision'],
    resume: ['provision', 'suspend'],
    enlarge: ['provision'],
    delete: ['provision'],
    undelete: ['provision', 'delete'],
    purge: ['provision', 'delete'],
    restart: ['provision'],
  }
  for (const step of previous[name] ?? []) {
    want(outside, changes[step] ?? {})
    await converge(outside)
  }
  outside.calls.length = 0
  outside.mutations.length = 0
  const change = changes[name] ?? {}
  if (change.afterMs === undefined) want(outside, change)
  else await outside.clock.advance(change.afterMs)
  return outside
}

type Point = readonly [index: number, moment: 'before' | 'after']

/** Crashes at each of the points, counted in calls since the change. */
function crashAt(outside: Outside, points: readonly Point[]): void {
  outside.trip = (_call, moment) => {
    const index = outside.calls.length - 1
    if (points.some(([at, when]) => at === index && when === moment)) throw new Crash()
  }
}

function assertEnd(outside: Outside, name: string, where: string): void {
  const { world, tenant, purged } = outside
  const fail = (why: string) => new Error(`${name} ${where}: ${why}; ${outside.mutations.join(' ')}`)
  if (purged !== (name === 'purge')) throw fail('the tenant is forgotten, or not')
  if (purged) {
    if (world.volumes.length + world.machines.length > 0) throw fail('something is left')
    return
  }
  if (world.volumes.length !== 1) throw fail(`${world.volumes.length} volumes`)
  if (world.volumes[0]?.id !== tenant.status.volume?.id) throw fail('the record names another volume')
  const states = world.machines.map(({ state }) => state).join()
  const expected = name === 'delete' ? '' : name.startsWith('suspend') ? 'suspended' : 'started'
  if (states !== expected) throw fail(`machines: ${states}`)
  if (new Set(world.created).size !== world.created.length) throw fail('something was created twice')
  if (tenant.status.intent !== undefined) throw fail('an open intent')
  const stops = outside.mutations.filter((step) => step === 'stopMachine').length
  if (name === 'restart' && stops !== 1) throw fail(`stopped ${stops} times`)
  if ((tenant.status.route.kind === 'forward') !== (expected === 'started')) throw fail('the route is wrong')
}

for (const name of Object.keys(changes))
  test(`${name}: a crash at every call, before and after it, and at every pair of calls`, async (t) => {
    const whole = await upTo(name)
    await converge(whole)
    assertEnd(whole, name, 'without a crash')
    const points = whole.calls.flatMap((_call, index): Point[] => [
      [index, 'before'],
      [index, 'after'],
    ])
    let runs = 0
    for (const first of points) {
      const outside = await upTo(name)
      crashAt(outside, [first])
      await converge(outside)
      assertEnd(outside, name, first.join())
      runs += 1
    }
    for (const first of points)
      for (const second of points.filter(([index]) => index > first[0] && index <= first[0] + 8)) {
        const outside = await upTo(name)
        crashAt(outside, [first, second])
        await converge(outside)
        assertEnd(outside, name, `${first.join()} ${second.join()}`)
        runs += 1
      }
    t.log(`${whole.calls.length} calls, ${runs} runs with crashes`)
    t.true(runs > 20)
  })

test('a list that lags by almost 15 s never leads to a second volume', async (t) => {
  const whole = await upTo('provision')
  await converge(whole)
  const create = whole.calls.indexOf('createVolume')
  const outside = await upTo('provision')
  outside.lagMs = 14_900
  crashAt(outside, [[create, 'after']])
  await converge(outside)
  assertEnd(outside, 'provision', 'with a lagging list')
  t.is(outside.mutations.filter((step) => step === 'createVolume').length, 1)
})

test('a spec that changes during any call is what the tenant ends as', async (t) => {
  for (const name of ['provision', 'resume', 'enlarge']) {
    const whole = await upTo(name)
    await converge(whole)
    for (const [index] of whole.calls.entries()) {
      const outside = await upTo(name)
      outside.trip = (_call, moment) => {
        if (outside.calls.length - 1 === index && moment === 'before') want(outside, changes['suspend'] ?? {})
      }
      await converge(outside)
      t.is(outside.tenant.status.observedGeneration, outside.tenant.generation)
      t.is(outside.tenant.status.effective, 'admin-suspended', `${name} at call ${index}`)
      const states = outside.world.machines.map(({ state }) => state).join()
      // A resting machine whose image changes is updated in its sleep, which its memory does not survive.
      const resting = name === 'enlarge' ? ['suspended', 'stopped'] : ['', 'suspended']
      t.true(resting.includes(states), `${name} at call ${index}: ${states}`)
      t.is(outside.tenant.status.route.kind, 'closed')
      t.is(outside.tenant.status.intent, undefined)
    }
  }
})

test('once settled it is quiet, and a day of resyncs changes nothing', async (t) => {
  const outside = await upTo('provision')
  await converge(outside)
  outside.mutations.length = 0
  const before = outside.tenant
  for (let pass = 0; pass < 288; pass += 1) {
    const back = await reconcile(portsOver(outside), uid)
    await outside.clock.advance((back?.at ?? 0) - outside.clock.now())
  }
  t.deepEqual(outside.mutations, [])
  t.is(outside.tenant, before)
})

test('a fault is said in a condition with the time of the next try, keeps the road, and clears', async (t) => {
  const outside = await upTo('provision')
  await converge(outside)
  const { route } = outside.tenant.status
  outside.trip = (call) => {
    if (!/^(store|activity)/.test(call)) throw new Fault('unavailable', 'Fly could not be reached.', { call })
  }
  for (let pass = 0; pass < 5; pass += 1) {
    const back = await reconcile(portsOver(outside), uid)
    const { conditions } = outside.tenant.status
    const synced = findCondition(conditions, 'Synced')
    t.is(synced?.status, 'False')
    t.is(synced?.reason, 'FlyUnavailable')
    t.is(synced?.nextTryAt, back?.at)
    t.deepEqual(outside.tenant.status.route, route)
    t.is(findCondition(conditions, 'Ready')?.status, 'True')
    await outside.clock.advance((back?.at ?? 0) - outside.clock.now())
  }
  outside.trip = () => {}
  await reconcile(portsOver(outside), uid)
  t.is(findCondition(outside.tenant.status.conditions, 'Synced')?.status, 'True')
  t.is(outside.tenant.status.outage, undefined)
})

test('a road that is not wanted any more is closed although Fly cannot be asked, and the wish is not called done', async (t) => {
  const outside = await upTo('provision')
  await converge(outside)
  outside.trip = (call) => {
    if (!/^(store|activity)/.test(call)) throw new Fault('unavailable', 'Fly could not be reached.', { call })
  }
  want(outside, { entitlement: { state: 'suspended' } })
  await reconcile(portsOver(outside), uid)
  t.deepEqual(outside.tenant.status.route, { kind: 'closed', reason: 'billing' })
  t.true(outside.tenant.status.observedGeneration < outside.tenant.generation)
  outside.trip = () => {}
  await outside.clock.advance(20_000)
  await converge(outside)
  assertEnd(outside, 'suspend', 'after the outage')
})

test('a refusal that only a person can mend stalls, and a new spec is tried at once', async (t) => {
  const outside = await upTo('provision')
  let refused = 0
  outside.trip = (call, moment) => {
    if (call !== 'createVolume' || moment !== 'before') return
    refused += 1
    throw new Fault('invalid', 'Fly answered 400 to volumeCreate: no such region.', { call })
  }
  for (let pass = 0; pass < 10; pass += 1) await reconcile(portsOver(outside), uid)
  t.is(refused, 1)
  t.is(findCondition(outside.tenant.status.conditions, 'Stalled')?.reason, 'InvalidRequest')
  t.is(outside.tenant.status.intent, undefined)
  outside.trip = () => {}
  want(outside, {})
  await converge(outside)
  assertEnd(outside, 'provision', 'after the new spec')
})
