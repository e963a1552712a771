// The pools as they are at each scrape, and how long each new tenant waited for its road. By pool and path: there are a few of
// those, and a tenant is never named.
import { Gauge, Histogram, type Registry } from 'prom-client'
import type { Meter } from '../../reconciler/meter.ts'
import type { Clock } from '../../specs/clock.ts'
import type { PoolWithStatus } from '../pools.ts'
import { inTime } from './patience.ts'

export interface PoolSources {
  readonly clock: Clock
  readonly pools: () => Promise<readonly PoolWithStatus[]>
}

/** All gauges of a scrape are of one reading; without an answer in time they are absent. */
function readingOf({ pools, clock }: PoolSources): () => Promise<readonly PoolWithStatus[]> {
  let reading: Promise<readonly PoolWithStatus[]> | undefined
  return () => (reading ??= inTime(clock, pools, []).finally(() => (reading = undefined)))
}

const standings = ['making', 'failing', 'warm', 'leaving'] as const
const micro = 1e6

/** Registers the gauges of pools. */
export function poolMetrics(registry: Registry, sources: PoolSources): void {
  const read = readingOf(sources)
  const gauge = (name: string, help: string, more: string[], fill: (gauge: Gauge, found: PoolWithStatus) => void) =>
    new Gauge({
      ...{ name, help, labelNames: ['pool', ...more], registers: [registry] },
      async collect() {
        const found = await read()
        this.reset()
        for (const each of found) fill(this, each)
      },
    })
  gauge(
    'moorage_pool_members',
    'Machines of a pool, by how far they are',
    ['tier', 'standing'],
    (each, { pool, status }) => {
      // prettier-ignore
      for (const standing of standings) each.set({ pool: pool.name, tier: pool.spec.tier, standing }, status[standing])
    },
  )
  gauge('moorage_pool_target', 'How many are to stand ready now', ['tier'], (each, { pool, status }) =>
    each.set({ pool: pool.name, tier: pool.spec.tier }, status.target),
  )
  gauge(
    'moorage_pool_hit_ratio',
    'The share of the new tenants of the last day that found a machine ready',
    [],
    (each, { pool, status }) => {
      // prettier-ignore
      if (status.hitRatio !== undefined) each.set({ pool: pool.name }, status.hitRatio)
    },
  )
  gauge(
    'moorage_pool_cost_per_day',
    'What the members cost in a day as they are now, in the currency’s main unit',
    ['currency'],
    (each, { pool, status: { costPerDay } }) =>
      // prettier-ignore
      each.set({ pool: pool.name, currency: costPerDay.currency }, costPerDay.micros / micro),
  )
  gauge(
    'moorage_pool_arrivals_expected',
    'New tenants that the sizing expects in an hour',
    [],
    (each, { pool, status }) =>
      // prettier-ignore
      each.set({ pool: pool.name }, status.arrivals.expectedPerHour),
  )
  gauge(
    'moorage_pool_arrivals_last_hour',
    'New tenants that came in the last hour, with a machine of the pool or without',
    [],
    (each, { pool, status }) =>
      // prettier-ignore
      each.set({ pool: pool.name }, status.arrivals.lastHour),
  )
}

/** Registers how long new tenants wait, and is then told of each. */
export function claimMetrics(registry: Registry): Meter['served'] {
  const seconds = new Histogram({
    name: 'moorage_claim_seconds',
    help: 'From the claim of a machine that stood ready, or the wish for one of its own (cold), to the open road',
    labelNames: ['path'],
    buckets: [0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3.5, 5, 10, 20, 30, 45, 60, 120, 300],
    registers: [registry],
  })
  for (const path of ['running', 'suspended', 'cold']) seconds.zero({ path })
  return (path, tookMs) => seconds.observe({ path }, tookMs / 1_000)
}
