// The timeline: a tenant's life as rows with a beginning, an end and an outcome, made from its events. Pure.
import type { Instant } from '../../specs/clock.ts'
import { findCondition } from '../../specs/conditions.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { EventRecord } from './event.ts'

export interface TimelineRow {
  /** The kind of step, or the word for what was not a step: `wait`, `SpecChanged`, ... */
  readonly what: string
  readonly outcome: 'done' | 'failed' | 'waited' | 'stalled' | 'as wanted' | 'changed' | 'under way'
  readonly start: Instant
  /** Undefined: it still is so. */
  readonly end: Instant | undefined
  readonly tookMs: number | undefined
  /** How often, for what came again and again. */
  readonly count: number
  readonly reasons: readonly string[]
  readonly message: string
  readonly who?: string | undefined
}

const outcomes = {
  done: 'done',
  failed: 'failed',
  wait: 'waited',
  stalled: 'stalled',
  settled: 'as wanted',
  change: 'changed',
} as const

/** What is waited in lasts until something else happens. */
const lasting = new Set<TimelineRow['outcome']>(['waited', 'stalled', 'as wanted'])

function rowOf({ kind, reason, step, message, who, firstAt, lastAt, count, tookMs }: EventRecord): TimelineRow {
  const start = firstAt - (tookMs ?? 0)
  const what = step ?? (kind === 'wait' ? 'wait' : reason)
  const row = { what, outcome: outcomes[kind], start, end: lastAt, count, reasons: [reason], message }
  return { ...row, tookMs: lastAt - start, ...(who === undefined ? {} : { who }) }
}

/** One wait after the other is one wait, with each reason once. */
function compressed(rows: readonly TimelineRow[]): TimelineRow[] {
  return rows.reduce<TimelineRow[]>((kept, row) => {
    const last = kept.at(-1)
    if (last?.outcome !== 'waited' || row.outcome !== 'waited') return [...kept, row]
    const reasons = [...new Set([...last.reasons, ...row.reasons])]
    return [...kept.slice(0, -1), { ...row, start: last.start, count: last.count + row.count, reasons }]
  }, [])
}

function withEnds(rows: readonly TimelineRow[]): TimelineRow[] {
  return rows.map((row, index) => {
    if (!lasting.has(row.outcome)) return row
    const end = rows[index + 1]?.start
    return { ...row, end, tookMs: end === undefined ? undefined : Math.max(0, end - row.start) }
  })
}

/** The step that was announced and has not ended yet. */
function underWay({ status }: Tenant, newest: Instant): TimelineRow[] {
  const acting = findCondition(status.conditions, 'Reconciling')
  if (acting?.reason !== 'Acting' || acting.lastTransitionTime < newest) return []
  const { message, lastTransitionTime: start } = acting
  const row = { what: 'step', outcome: 'under way', start, end: undefined, tookMs: undefined } as const
  return [{ ...row, count: 1, reasons: [acting.reason], message }]
}

/** The rows in the order of their beginnings, the newest last. `events` in any order. */
export function timelineOf(tenant: Tenant, events: readonly EventRecord[]): TimelineRow[] {
  const rows = events.map(rowOf).sort((a, b) => a.start - b.start || (a.end ?? a.start) - (b.end ?? b.start))
  const newest = Math.max(0, ...events.map(({ lastAt }) => lastAt))
  return withEnds(compressed([...rows, ...underWay(tenant, newest)]))
}
