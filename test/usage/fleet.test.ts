// The ledger of a living fleet on the simulated Fly: its sums are what Fly's own events say, whoever looked and when.
import test, { type ExecutionContext } from 'ava'
import { UsageRecorder } from '../../reconciler/usage/recorder.ts'
import { stateSpans, volumeSpans } from '../../reconciler/usage/ledger.ts'
import { flyClient } from '../../src/fly/client.ts'
import { usageIn } from '../../src/store/usage.ts'
import { usageSource } from '../../src/usage/source.ts'
import { fleet, type Fleet } from '../helpers/living-fleet.ts'
import { until } from '../helpers/processes.ts'

const hour = 3_600_000

function recorderOf({ sim, db, ports }: Fleet): UsageRecorder {
  const client = flyClient({ baseUrl: sim.url, token: 'test', clock: ports.clock, limits: 'off' })
  const source = usageSource(client, 'app', ports.cloud)
  return new UsageRecorder({ store: usageIn(db), source, naming: ports.settings.naming })
}

async function hoursOf(t: ExecutionContext, { db, ports }: Fleet, uid: string, back: number) {
  const now = ports.clock.now()
  const things = await usageIn(db).between(now - back, now, uid)
  const hours = (ms: number) => Math.round(ms / hour)
  const states = new Map<string, number>()
  for (const thing of things)
    if (thing.kind === 'machine')
      for (const { from, to, value } of stateSpans(thing.changes, now - back, now))
        states.set(value, (states.get(value) ?? 0) + to - from)
  const volumes = things.flatMap((thing) => (thing.kind === 'volume' ? volumeSpans(thing.sizes, now - back, now) : []))
  t.true(things.every((thing) => thing.uid === uid))
  return {
    states: Object.fromEntries([...states].map(([state, ms]) => [state, hours(ms)] as const).filter(([, h]) => h > 0)),
    gbHours: volumes.reduce((sum, { from, to, value }) => sum + hours((to - from) * value), 0),
  }
}

test('running, suspended and running again, with the controller away in between', async (t) => {
  const made = await fleet(t)
  const tenant = await made.add('acme', { idle: { afterMinutes: 0 } })
  const other = await made.add('other', { idle: { afterMinutes: 0 } })
  const wish = async (state: 'running' | 'suspended') => {
    const now = await made.tenants.byName('acme')
    if (now !== undefined) await made.tenants.change(now, { ...now, spec: { ...now.spec, state } })
  }
  const first = recorderOf(made)
  await made.converge([(reading) => first.sweep(reading)])
  made.later(5 * hour)
  await wish('suspended')
  // Nobody writes the ledger while this happens.
  await made.converge()
  made.later(70 * hour)
  await wish('running')
  await made.converge()
  made.later(2 * hour)
  const second = recorderOf(made)
  await second.sweep(await made.ports.cloud.fleet())
  t.deepEqual(await hoursOf(t, made, tenant.uid, 1_000 * hour), { states: { started: 7, suspended: 70 }, gbHours: 77 })
  t.deepEqual((await hoursOf(t, made, other.uid, 1_000 * hour)).states, { started: 77 })
  // A part of it, which begins within a state.
  t.deepEqual((await hoursOf(t, made, tenant.uid, 4 * hour)).states, { started: 2, suspended: 2 })
  t.deepEqual((await hoursOf(t, made, other.uid, 48 * hour)).states, { started: 48 })
})

test('what is destroyed while nobody looks has its end from Fly', async (t) => {
  const made = await fleet(t)
  const tenant = await made.add('acme', { idle: { afterMinutes: 0 } })
  const recorder = recorderOf(made)
  await made.converge()
  await recorder.sweep(await made.ports.cloud.fleet())
  made.later(5 * hour)
  const [machine] = (await made.ports.cloud.fleet()).machines
  await made.ports.cloud.destroyMachine(machine?.id ?? '')
  await until('the machine is gone', 10_000, async () => {
    const gone = (await made.ports.cloud.fleet()).machines.length === 0
    return gone ? true : undefined
  })
  made.later(9 * hour)
  await recorderOf(made).sweep(await made.ports.cloud.fleet())
  t.deepEqual(await hoursOf(t, made, tenant.uid, 100 * hour), { states: { started: 5 }, gbHours: 14 })
  t.deepEqual(
    (await usageIn(made.db).open()).map(({ kind }) => kind),
    ['volume'],
  )
})
