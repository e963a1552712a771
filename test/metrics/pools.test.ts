// What /metrics says of pools and claims: by pool and by path, in Prometheus' form, and nothing where there is no answer.
import test from 'ava'
import { servedBy } from '../../reconciler/served.ts'
import { poolDocument } from '../../specs/pool.ts'
import type { Tenant, TenantStatus } from '../../specs/tenant.ts'
import { openMetrics } from '../../src/metrics/open.ts'
import type { PoolStatus } from '../../src/pools.ts'
import { tenantWith, freshStatus } from '../helpers/tenants.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { lint, valueOf } from './lint.ts'

const poolOf = (name: string) => {
  const spec = { region: 'iad', class: 'standard', min: 1, max: 5, tier: 'suspended' }
  return { ...poolDocument.parse({ kind: 'Pool', name, spec }), uid: 'p', generation: 1, revision: 1, createdAt: 0 }
}

const status: PoolStatus = {
  ...{ target: 4, warm: 3, making: 1, failing: 0, leaving: 2, lastDay: { warm: 9, cold: 1 }, hitRatio: 0.9 },
  arrivals: { expectedPerHour: 12.5, lastHour: 7 },
  costPerDay: { micros: 1_250_000, currency: 'USD' },
}

const sources = { queue: () => ({ depth: 0, active: 0, unfinishedMs: 0, longestMs: 0 }), leads: () => true, workers: 1 }

/** Node's own have no numbers yet in a process that has just begun. */
const wrongIn = (text: string) => lint(text).filter((wrong) => !wrong.startsWith('nodejs_'))

test('the gauges of a pool are of one reading', async (t) => {
  const metrics = openMetrics('0')
  let readings = 0
  const pools = async () => {
    readings += 1
    return [{ pool: poolOf('warm'), status }]
  }
  metrics.pools({ clock: new VirtualClock(), pools })
  const text = await metrics.registry.metrics()
  t.is(readings, 1)
  t.deepEqual(wrongIn(text), [])
  const of = (name: string, more = {}) => valueOf(text, `moorage_pool_${name}`, { pool: 'warm', ...more })
  const tier = 'suspended'
  const members = (['warm', 'making', 'failing', 'leaving'] as const).map((standing) => of('members', { tier, standing })) // prettier-ignore
  t.deepEqual(members, [3, 1, 0, 2])
  t.is(of('target', { tier }), 4)
  t.is(of('hit_ratio'), 0.9)
  t.is(of('cost_per_day', { currency: 'USD' }), 1.25)
  t.deepEqual([of('arrivals_expected'), of('arrivals_last_hour')], [12.5, 7])
})

test('a database that fails or hangs takes the gauges away and not the scrape', async (t) => {
  const clock = new VirtualClock()
  const [failing, hanging] = [openMetrics('0'), openMetrics('0')]
  failing.pools({ clock, pools: () => Promise.reject(new Error('away')) })
  hanging.pools({ clock, pools: () => new Promise(() => {}) })
  t.is(valueOf(await failing.registry.metrics(), 'moorage_pool_target', { pool: 'warm' }), undefined)
  const text = await clock.until(hanging.registry.metrics(), 500, 10_000)
  t.is(valueOf(text, 'moorage_pool_target', { pool: 'warm' }), undefined)
})

test('each first road is counted by the way to its machine', async (t) => {
  const metrics = openMetrics('0')
  const meter = metrics.work(sources)
  meter.served('running', 900)
  meter.served('cold', 41_000)
  meter.served('cold', 39_000)
  const text = await metrics.registry.metrics()
  t.deepEqual(wrongIn(text), [])
  const count = (path: string) => valueOf(text, 'moorage_claim_seconds_count', { path })
  t.deepEqual(['running', 'suspended', 'cold'].map(count), [1, 0, 2])
  t.is(valueOf(text, 'moorage_claim_seconds_bucket', { path: 'running', le: '1' }), 1)
})

const forward = { kind: 'forward', machine: 'm', incarnation: 1, address: '::1', port: 1 } as const
const opened = (tenant: Tenant, more: Partial<TenantStatus> = {}): Tenant => ({
  ...tenant,
  status: { ...tenant.status, route: forward, servedSince: 50_000, ...more },
})

test('the time runs from the claim, or from the wish, to the first open road, once', (t) => {
  const cold = tenantWith({}, { createdAt: 10_000 })
  t.deepEqual(servedBy(cold, opened(cold)), { path: 'cold', tookMs: 40_000 })
  t.deepEqual(servedBy(cold, opened(cold, { awakeSince: 20_000 })), { path: 'cold', tookMs: 30_000 })
  const claim = { at: 49_000, pool: 'warm', tier: 'suspended', image: 'i' } as const
  t.deepEqual(servedBy({ ...cold, claim }, opened({ ...cold, claim })), { path: 'suspended', tookMs: 1_000 })
  t.is(servedBy(opened(cold), opened(cold)), undefined)
  t.is(servedBy(cold, cold), undefined)
  const unnoted = tenantWith({}, { status: { ...freshStatus, route: forward } })
  t.is(servedBy(unnoted, opened(unnoted)), undefined)
  t.is(servedBy(cold, opened(cold, { servedSince: 4_000_000 })), undefined)
})
