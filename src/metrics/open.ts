// Every metric of a process in one registry, and the hands that feed it.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Meter } from '../../reconciler/meter.ts'
import type { JournalEntry } from '../../reconciler/ports.ts'
import type { CallRecord } from '../fly/transport.ts'
import type { StoreOptions } from '../store/open.ts'
import { flyMetrics, storeMetrics } from './calls.ts'
import { fleetMetrics, type FleetSources } from './fleet.ts'
import { claimMetrics, poolMetrics, type PoolSources } from './pools.ts'
import { stepMetrics } from './steps.ts'
import { workMetrics, type WorkSources } from './work.ts'

export interface Answered {
  readonly method: string
  readonly status: number
  readonly ms: number
}

export interface Metrics {
  readonly registry: Registry
  /** Hears of each call of Fly's. */
  readonly fly: (record: CallRecord) => void
  /** Hears of each entry of the journal. */
  readonly step: (entry: JournalEntry) => void
  /** Counts the database's commands. */
  readonly store: NonNullable<StoreOptions['observe']>
  /** Hears of each answer of the REST API. */
  readonly answered: (answer: Answered) => void
  /** Of the controller; once at most. */
  work(sources: WorkSources): Meter
  /** Of the fleet; once at most. */
  fleet(sources: FleetSources): void
  /** Of the pools; once at most. */
  pools(sources: PoolSources): void
  /** Events that were lost; once at most. */
  events(dropped: () => number): void
}

/** What people send; whatever else may come as a method is one more. */
const methods = new Set(['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS'])

function apiMetrics(registry: Registry): Metrics['answered'] {
  const registers = [registry]
  const requests = new Counter({
    name: 'moorage_api_requests_total',
    help: 'Answers of the REST API, by method and status',
    labelNames: ['method', 'code'],
    registers,
  })
  const seconds = new Histogram({
    name: 'moorage_api_request_seconds',
    help: 'How long the REST API took to answer',
    labelNames: ['method'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  return ({ method: said, status, ms }) => {
    const method = methods.has(said) ? said : 'other'
    requests.inc({ method, code: status })
    seconds.observe({ method }, ms / 1_000)
  }
}

function eventMetrics(registry: Registry, dropped: () => number): void {
  new Counter({
    name: 'moorage_events_dropped_total',
    help: 'Events that were lost because they could not be written',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(dropped())
    },
  })
}

/** The metrics of a process, with those of Node and the process itself. */
export function openMetrics(version: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const info = { name: 'moorage_build_info', help: 'The version that runs; always 1', labelNames: ['version'] }
  new Gauge({ ...info, registers: [registry] }).set({ version }, 1)
  return {
    registry,
    fly: flyMetrics(registry),
    step: stepMetrics(registry),
    store: storeMetrics(registry),
    answered: apiMetrics(registry),
    work: (sources) => ({ ...workMetrics(registry, sources), served: claimMetrics(registry) }),
    fleet: (sources) => fleetMetrics(registry, sources),
    pools: (sources) => poolMetrics(registry, sources),
    events: (dropped) => eventMetrics(registry, dropped),
  }
}
