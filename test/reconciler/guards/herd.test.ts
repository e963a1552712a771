// Five hundred tenants and the real controller against the simulated Fly over HTTP: what they share costs one call for each
// backoff period and not one for each tenant.
import test, { type ExecutionContext } from 'ava'
import { Controller } from '../../../reconciler/controller.ts'
import type { Keeper } from '../../../reconciler/guards/keeper.ts'
import type { Cloud } from '../../../reconciler/ports.ts'
import { findCondition } from '../../../specs/conditions.ts'
import { realClock } from '../../../src/clock.ts'
import { flyClient } from '../../../src/fly/client.ts'
import { flyCloud } from '../../../src/fly/cloud.ts'
import { fleetOf, keeperOver, memoryGuardStore, uidOf, type FleetOfTenants } from '../../helpers/fleet-ports.ts'
import { planSettings } from '../../helpers/tenants.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'
import { world, type Api } from '../../sim/fixture.ts'

const workers = 32
const count = 500

interface Call {
  readonly name: string
  readonly at: number
}

interface Herd extends FleetOfTenants {
  readonly clock: VirtualClock
  readonly controller: Controller
  readonly guards: Keeper
  readonly calls: Call[]
  readonly api: Api
  /** Moves virtual time, and waits at each step for the calls that it set off. */
  readonly pass: (ms: number, stepMs?: number) => Promise<void>
}

/** Notes each call at its virtual time, and how many are under way. */
function noted(cloud: Cloud, clock: VirtualClock, calls: Call[], underWay: { count: number }): Cloud {
  return new Proxy(cloud, {
    get: (target, name: keyof Cloud) => {
      const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>
      return async (...args: unknown[]) => {
        if (name !== 'appExists') calls.push({ name, at: clock.now() })
        underWay.count += 1
        try {
          return await call(...args)
        } finally {
          underWay.count -= 1
        }
      }
    },
  })
}

async function herdOf(t: ExecutionContext): Promise<Herd> {
  const { sim, api } = await world(t)
  const clock = new VirtualClock()
  const calls: Call[] = []
  const underWay = { count: 0 }
  const client = flyClient({ baseUrl: sim.url, token: 'test', clock: realClock, limits: 'off' })
  const { naming } = planSettings
  const cloud = noted(
    flyCloud({ client, app: 'app', org: 'personal', naming, clock, retainDays: 14 }),
    clock,
    calls,
    underWay,
  )
  const guards = keeperOver(clock, memoryGuardStore(), { wake: (uid) => controller.wake(uid) })
  await guards.load()
  const fleet = fleetOf(count, { clock, cloud, guards })
  const controller = new Controller(fleet.ports, { workers })
  t.teardown(() => controller.stop())
  const quiet = async () => {
    for (let still = 0; still < 5; still = underWay.count === 0 ? still + 1 : 0) await clock.idle()
  }
  const pass = async (ms: number, stepMs = 1_000) => {
    for (let rest = ms; rest > 0; rest -= stepMs) {
      await clock.advance(Math.min(rest, stepMs))
      await quiet()
    }
  }
  return { ...fleet, clock, controller, guards, calls, api, pass }
}

const named = (calls: readonly Call[], name: string) => calls.filter((call) => call.name === name)

function synced({ tenants }: Herd, reason: string): number {
  return [...tenants.values()].filter(({ status }) =>
    status.conditions.some((one) => one.reason === reason && (one.type === 'Synced' || one.type === 'Reconciling')),
  ).length
}

test('a full region: one probe a period, and all go on once there is room; a dead API the same', async (t) => {
  t.timeout(600_000)
  const herd = await herdOf(t)
  const { controller, calls, api, pass, clock, tenants } = herd
  await api('POST', '/_sim/faults', { kind: 'capacity', action: 'volumeCreate', region: 'iad' })
  await controller.start()
  await pass(2_000)
  const first = named(calls, 'createVolume').length
  t.true(first <= workers, `${first} were on the way before the first had failed`)

  await pass(1_800_000, 5_000)
  const times = named(calls, 'createVolume')
    .slice(first - 1)
    .map(({ at }) => at)
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at))
  t.log(`${first} calls at first, then one after ${gaps.map((gap) => Math.round(gap / 1000)).join(', ')} s`)
  t.true(gaps.length >= 5 && gaps.length <= 8)
  gaps.forEach((gap, index) => t.true(gap >= Math.min(450_000, 15_000 * 2 ** index), `gap ${index} is ${gap}`))
  t.is(synced(herd, 'RegionFull'), count, 'every tenant says why it waits')

  // A person's word passes the hold, and is one call.
  const before = named(calls, 'createVolume').length
  herd.change(uidOf(499), { retryRequestedAt: clock.now() })
  await pass(2_000)
  t.is(named(calls, 'createVolume').length, before + 1)

  await api('DELETE', '/_sim/faults')
  const since = clock.now()
  const ready = () =>
    [...tenants.values()].filter(({ status }) => findCondition(status.conditions, 'Ready')?.status === 'True')
  while (ready().length < count && clock.now() - since < 1_000_000) await pass(5_000)
  t.is(ready().length, count)
  const created = named(calls, 'createVolume').filter(({ at }) => at > since)
  const [probe] = created
  t.is(created.length, count, 'each once')
  const last = Math.max(...created.map(({ at }) => at)) - (probe?.at ?? 0)
  t.true(last <= 30_000, `the probe’s success wakes the others: the last one went ${last} ms later`)

  await api('POST', '/_sim/faults', { kind: 'outage', status: 503 })
  const dead = calls.length
  for (const uid of tenants.keys()) controller.wake(uid)
  await pass(120_000)
  const during = calls.length - dead
  t.log(`a dead API for 2 min: ${during} calls of ${count} tenants`)
  // An observation asks for the machine, the volume and the certificates at once.
  t.true(during <= 3 * (workers + 15), `${during} calls`)
  t.is(synced(herd, 'FlyUnavailable'), count)
  await api('DELETE', '/_sim/faults')
  await pass(40_000)
  t.is(synced(herd, 'FlyUnavailable'), 0)
  t.is(ready().length, count)
})
