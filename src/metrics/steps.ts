// What was done for tenants, from the journal: each step by its kind, outcome and reason, and how long it took.
import { Counter, Histogram, type Registry } from 'prom-client'
import type { JournalEntry } from '../../reconciler/ports.ts'

/** Registers the metrics of steps, and is then told of each entry of the journal. */
export function stepMetrics(registry: Registry): (entry: JournalEntry) => void {
  const registers = [registry]
  const total = new Counter({
    name: 'moorage_steps_total',
    help: 'Steps taken for tenants, and looks that failed, by outcome and the reason of a failure',
    labelNames: ['step', 'outcome', 'reason'],
    registers,
  })
  const seconds = new Histogram({
    name: 'moorage_step_seconds',
    help: 'How long a step took',
    labelNames: ['step'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60],
    registers,
  })
  return ({ kind, what: step, reason = '', tookMs }) => {
    if (kind !== 'done' && kind !== 'failed') return
    total.inc({ step, outcome: kind === 'done' ? 'ok' : 'failed', reason })
    if (tookMs !== undefined) seconds.observe({ step }, tookMs / 1_000)
  }
}
