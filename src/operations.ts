// What whoever runs Moorage looks at: metrics and readiness of this process, gathered while its parts start.
import type { Proxy } from '../proxy/server.ts'
import type { ClassBook } from '../reconciler/rollout/book.ts'
import type { Meter } from '../reconciler/meter.ts'
import { idleQueue } from '../reconciler/meter.ts'
import type { Clock } from '../specs/clock.ts'
import type { ApiWatch } from './api/watch.ts'
import type { Recorder } from './events/recorder.ts'
import { openMetrics, type Metrics } from './metrics/open.ts'
import type { PoolService } from './pools.ts'
import { readinessOf, type Check, type Readiness } from './readiness.ts'
import { workers, type RunningReconciler } from './reconciler.ts'
import type { FleetStore } from './store/fleet.ts'
import type { OpenStore } from './store/open.ts'
import type { Tracing } from './tracing/open.ts'

export interface Scrape {
  readonly type: string
  readonly body: string
}

export interface Operations {
  readonly metrics: Metrics
  readonly tracing: Tracing
  /** For the API. */
  readonly watch: ApiWatch
  /** For a scrape, as Prometheus reads it. */
  scrape(): Promise<Scrape>
  /** Never rejects. */
  ready(): Promise<Readiness>
  /** The store is open, and what is in it is counted from now on. */
  withStore(store: OpenStore, fleet: FleetStore, recorder: Recorder): void
  withClasses(book: Pick<ClassBook, 'names'>): void
  withPools(pools: Pick<PoolService, 'all'>): void
  withProxy(proxy: Pick<Proxy, 'stats'>): void
  /** The reconciler is about to start; its work is told to the answer. */
  withReconciler(running: () => RunningReconciler | undefined): Meter
}

/** A follower is as ready as the one who acts: it takes over when that one goes. */
function leaseCheck(running: RunningReconciler | undefined): string {
  if (running === undefined) return 'the reconciler has not started'
  const term = running.term()
  return term === undefined ? 'ok: follows' : `ok: acts, term ${term}`
}

/** Fly that does not answer, or answers nobody of us, heals without a restart of ours. */
function flyCheck(running: RunningReconciler | undefined): string {
  const holds = [...(running?.ports.guards.view().holds.values() ?? [])]
  const hold = holds.find(({ kind }) => kind === 'unavailable' || kind === 'unauthorized')
  return hold === undefined ? 'ok' : `ok: degraded, ${hold.reason} since ${new Date(hold.since).toISOString()}`
}

/** Metrics and readiness of a process; everything that starts is added. */
export function openOperations(clock: Clock, tracing: Tracing, version: string): Operations {
  const metrics = openMetrics(version)
  const scrape = async () => ({ type: metrics.registry.contentType, body: await metrics.registry.metrics() })
  const checks: Record<string, Check> = {}
  let running: () => RunningReconciler | undefined = () => undefined
  const leads = () => running()?.term() !== undefined
  return {
    metrics,
    tracing,
    watch: { scrape, answered: metrics.answered, tracing },
    scrape,
    ready: () => readinessOf(checks, clock),
    withStore: ({ db }, fleet, recorder) => {
      checks['store'] = () => db.command({ ping: 1 }).then(() => 'ok')
      metrics.events(() => recorder.dropped)
      metrics.fleet({
        clock,
        view: () => (leads() ? running()?.ports.guards.view() : undefined),
        tenants: () => fleet.groups(),
      })
    },
    withClasses: (book) => {
      checks['classes'] = () => (book.names().length === 0 ? 'no class is known' : `ok: ${book.names().length}`)
    },
    withPools: (pools) => metrics.pools({ clock, pools: () => pools.all() }),
    withProxy: (proxy) => {
      checks['routes'] = () => `ok: ${proxy.stats().tenants}`
    },
    withReconciler: (now) => {
      running = now
      checks['lease'] = () => leaseCheck(now())
      checks['fly'] = () => flyCheck(now())
      return metrics.work({ queue: () => now()?.queue() ?? idleQueue, leads, workers })
    },
  }
}
