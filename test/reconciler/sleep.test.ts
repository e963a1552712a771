// Sleeping well: the gateway finishes what it does before its machine is put to rest, is opened again afterwards, and the
// machine is up in time for its user's own jobs.
import test from 'ava'
import { findCondition } from '../../specs/conditions.ts'
import { live, machineStates as state, minute, running, use } from '../helpers/idling.ts'
import type { Outside } from '../helpers/model-ports.ts'
import { restful, type SleepMood } from '../helpers/sleepers.ts'

const feels = (outside: Outside, mood: Partial<SleepMood>) => (outside.sleeper.mood = { ...restful, ...mood })
const told = ({ tenant }: Outside, type: 'Ready' | 'Reconciling') => findCondition(tenant.status.conditions, type)

function suspend(outside: Outside, wanted: 'running' | 'suspended'): void {
  const { tenant } = outside
  const spec = { ...tenant.spec, state: wanted }
  outside.tenant = { ...tenant, spec, generation: tenant.generation + 1, revision: tenant.revision + 1 }
}

/** What the gateway and Fly were asked for, in order. */
function asked({ calls }: Outside): string[] {
  return calls.filter((call) =>
    ['prepareSleep', 'endSleep', 'suspendMachine', 'stopMachine', 'startMachine'].includes(call),
  )
}

test('the road is closed, then the gateway is asked, then the machine sleeps; it is opened again before it is ready', async (t) => {
  const outside = await running()
  outside.calls.length = 0
  let route = ''
  outside.trip = (call) => {
    if (call === 'prepareSleep') route = outside.tenant.status.route.kind
  }
  await live(outside, 20 * minute)
  t.is(route, 'closed')
  t.deepEqual(asked(outside), ['prepareSleep', 'suspendMachine'])
  t.truthy(outside.tenant.status.sleep?.suspension)
  use(outside)
  await live(outside, minute)
  t.deepEqual(asked(outside), ['prepareSleep', 'suspendMachine', 'startMachine', 'endSleep'])
  t.is(outside.sleeper.held(), undefined)
  t.is(outside.tenant.status.sleep, undefined)
  t.is(told(outside, 'Ready')?.status, 'True')
})

test('what runs keeps an unused tenant up as long as it runs, and a use opens its road meanwhile', async (t) => {
  const outside = await running()
  feels(outside, { busy: '1 active run' })
  await live(outside, 60 * minute)
  t.is(state(outside), 'started')
  t.is(told(outside, 'Reconciling')?.reason, 'GatewayBusy')
  t.regex(told(outside, 'Reconciling')?.message ?? '', /1 active run/)
  use(outside)
  await live(outside, minute)
  t.is(outside.tenant.status.route.kind, 'forward')
  feels(outside, {})
  await live(outside, 20 * minute)
  t.is(state(outside), 'suspended')
})

test('a use after the gateway was made ready opens it again', async (t) => {
  const outside = await running()
  outside.trip = (call) => {
    if (call === 'activity.sleep') use(outside)
  }
  await live(outside, 16 * minute)
  t.is(state(outside), 'started')
  t.is(outside.sleeper.held(), undefined)
  t.is(outside.tenant.status.route.kind, 'forward')
})

test('an owner’s word waits a minute for a busy gateway, which takes nothing new, and not longer', async (t) => {
  const outside = await running({ afterMinutes: 0 })
  feels(outside, { busy: '1 active run' })
  suspend(outside, 'suspended')
  await live(outside, 50_000)
  t.is(state(outside), 'started')
  t.truthy(outside.sleeper.held())
  await live(outside, 30_000)
  t.is(state(outside), 'suspended')
  feels(outside, {})
  suspend(outside, 'running')
  await live(outside, minute)
  t.is(outside.sleeper.held(), undefined)
  t.is(told(outside, 'Ready')?.status, 'True')
})

test('an owner who changes his mind while the gateway is asked, again and again, finds it open', async (t) => {
  const outside = await running({ afterMinutes: 0 })
  suspend(outside, 'suspended')
  let left = 5
  outside.trip = (call, moment) => {
    const writes = call === 'prepareSleep' || (call === 'store.saveStatus' && left < 5)
    if (writes && moment === 'before' && left-- > 0) suspend(outside, 'running')
  }
  await live(outside, 30_000)
  t.true(left <= 0)
  t.is(outside.sleeper.held(), undefined)
  t.is(outside.tenant.status.sleep, undefined)
  t.is(outside.tenant.status.route.kind, 'forward')
})

test('a gateway that does not answer is put to rest as it is', async (t) => {
  const outside = await running({ afterMinutes: 0 })
  feels(outside, { silent: true })
  suspend(outside, 'suspended')
  await live(outside, 10_000)
  t.is(state(outside), 'suspended')
  suspend(outside, 'running')
  await live(outside, minute)
  t.is(told(outside, 'Ready')?.status, 'True')
})

test('one that sleeps and cannot be opened is left to open by itself', async (t) => {
  const outside = await running()
  await live(outside, 20 * minute)
  feels(outside, { silent: true })
  use(outside)
  await live(outside, minute)
  t.is(asked(outside).filter((call) => call === 'endSleep').length, 2)
  t.is(told(outside, 'Ready')?.status, 'True')
})

test('the user’s own next job wakes the machine in time, and counts as a use', async (t) => {
  const outside = await running()
  const jobAt = outside.clock.now() + 120 * minute
  feels(outside, { jobAt })
  await live(outside, 117 * minute)
  t.is(state(outside), 'suspended')
  let wokenAt = 0
  outside.trip = (call) => {
    if (call === 'startMachine') wokenAt = outside.clock.now()
  }
  await live(outside, 3 * minute)
  t.is(wokenAt, jobAt - 90_000)
  feels(outside, {})
  await live(outside, 14 * minute)
  t.is(state(outside), 'started')
  await live(outside, 3 * minute)
  t.is(state(outside), 'suspended')
  outside.mutations.length = 0
  await live(outside, 24 * 60 * minute)
  t.deepEqual(outside.mutations, [], 'the job is over, and wakes nobody again')
})

test('a job that is due within moments keeps the tenant up', async (t) => {
  const outside = await running()
  feels(outside, { jobAt: outside.clock.now() + 14 * minute })
  outside.mutations.length = 0
  await live(outside, 28 * minute)
  t.deepEqual(outside.mutations, [])
  t.is(outside.tenant.status.route.kind, 'forward')
})

test('an owner’s rest is not broken by a job', async (t) => {
  const outside = await running()
  feels(outside, { jobAt: outside.clock.now() + 60 * minute })
  await live(outside, 20 * minute)
  suspend(outside, 'suspended')
  outside.mutations.length = 0
  await live(outside, 120 * minute)
  t.deepEqual(outside.mutations, [])
})

test('live channels keep a tenant awake, and are asked for again a day later; the setting lets it sleep', async (t) => {
  const outside = await running()
  feels(outside, { channels: ['telegram'] })
  outside.mutations.length = 0
  outside.calls.length = 0
  await live(outside, 23 * 60 * minute)
  t.deepEqual(outside.mutations, [])
  t.deepEqual(asked(outside), ['prepareSleep'])
  t.like(told(outside, 'Ready'), { status: 'True' })
  t.regex(told(outside, 'Ready')?.message ?? '', /does not sleep.*telegram/)
  feels(outside, {})
  await live(outside, 2 * 60 * minute)
  t.is(state(outside), 'suspended')
  const allowed = await running({ afterMinutes: 15, withChannels: true })
  feels(allowed, { channels: ['telegram'] })
  await live(allowed, 20 * minute)
  t.is(state(allowed), 'suspended')
})
