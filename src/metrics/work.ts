// The controller's work under the names that Kubernetes' controller-runtime and client-go use, where the meaning is the same.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Meter, QueueMeter, QueueState } from '../../reconciler/meter.ts'

/** As controller-runtime has them, in seconds. */
const passBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
]
/** As client-go has them, in seconds, without those below a millisecond. */
const queueBuckets = [0.001, 0.01, 0.1, 1, 10, 100, 1_000]

export interface WorkSources {
  readonly queue: () => QueueState
  readonly leads: () => boolean
  readonly workers: number
}

const controller = 'tenant'
const queue = { name: controller, controller }
const queueLabels = ['name', 'controller']

/** Read at each scrape. */
function pulled(registers: Registry[], { queue: state, leads, workers }: WorkSources): void {
  const gauge = (name: string, help: string, labels: Record<string, string>, read: () => number) =>
    new Gauge({
      name,
      help,
      labelNames: Object.keys(labels),
      registers,
      collect() {
        this.set(labels, read())
      },
    })
  gauge('workqueue_depth', 'Tenants that are due and that nobody works on', queue, () => state().depth)
  gauge('workqueue_unfinished_work_seconds', 'For how long the passes under way have run, together', queue, () => state().unfinishedMs / 1_000) // prettier-ignore
  gauge('workqueue_longest_running_processor_seconds', 'For how long the longest pass under way has run', queue, () => state().longestMs / 1_000) // prettier-ignore
  gauge('controller_runtime_active_workers', 'Passes under way', { controller }, () => state().active)
  gauge('controller_runtime_max_concurrent_reconciles', 'Passes that may run at once', { controller }, () => workers)
  gauge('leader_election_master_status', 'Whether this process holds the lease and acts', { name: 'reconciler' }, () => Number(leads())) // prettier-ignore
}

function queueMetrics(registers: Registry[]): QueueMeter & { readonly retried: () => void } {
  const counter = (name: string, help: string) => new Counter({ name, help, labelNames: queueLabels, registers })
  const seconds = (name: string, help: string) =>
    new Histogram({ name, help, labelNames: queueLabels, buckets: queueBuckets, registers })
  const adds = counter('workqueue_adds_total', 'Tenants put in the queue, at once or for later')
  const retries = counter('workqueue_retries_total', 'Tenants put in the queue again because their pass failed')
  const waited = seconds('workqueue_queue_duration_seconds', 'From when a tenant was due to its pass')
  const took = seconds('workqueue_work_duration_seconds', 'How long a worker was busy with a tenant')
  for (const each of [adds, retries]) each.inc(queue, 0)
  return {
    added: () => adds.inc(queue),
    retried: () => retries.inc(queue),
    taken: (waitedMs) => waited.observe(queue, waitedMs / 1_000),
    worked: (tookMs) => took.observe(queue, tookMs / 1_000),
  }
}

function passMetrics(registers: Registry[]): Meter['passed'] {
  const counter = (name: string, help: string, ...more: string[]) =>
    new Counter({ name, help, labelNames: ['controller', ...more], registers })
  const total = counter('controller_runtime_reconcile_total', 'Passes, by how they ended', 'result')
  const errors = counter('controller_runtime_reconcile_errors_total', 'Passes that failed')
  const panics = counter('controller_runtime_reconcile_panics_total', 'Passes that met a defect of Moorage’s own')
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'How long a pass took',
    labelNames: ['controller'],
    buckets: passBuckets,
    registers,
  })
  for (const result of ['success', 'requeue', 'requeue_after', 'error']) total.inc({ controller, result }, 0)
  for (const each of [errors, panics]) each.inc({ controller }, 0)
  return (result, tookMs) => {
    // A defect is an error there, too, which is counted besides.
    const failed = result === 'panic' || result === 'error'
    total.inc({ controller, result: failed ? 'error' : result })
    if (failed) errors.inc({ controller })
    if (result === 'panic') panics.inc({ controller })
    seconds.observe({ controller }, tookMs / 1_000)
  }
}

/** Registers the controller's metrics, and is then told of its work. A registry takes one controller. */
export function workMetrics(registry: Registry, sources: WorkSources): Omit<Meter, 'served'> {
  const registers = [registry]
  pulled(registers, sources)
  const { retried, ...queueMeter } = queueMetrics(registers)
  const passed = passMetrics(registers)
  return {
    ...queueMeter,
    passed: (result, tookMs) => {
      passed(result, tookMs)
      if (result === 'error' || result === 'panic') retried()
    },
  }
}
