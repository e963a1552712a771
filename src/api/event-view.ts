// Events and timelines as the API shows them: times as ISO 8601. Pure.
import { z } from 'zod'
import { eventKinds, type EventRecord } from '../events/event.ts'
import type { TimelineRow } from '../events/timeline.ts'
import { instant } from './view.ts'

const iso = (at: number) => new Date(at).toISOString()

export const eventShape = z
  .strictObject({
    id: z.string(),
    tenant: z.string(),
    uid: z.string(),
    kind: z.enum(eventKinds),
    reason: z.string(),
    message: z.string(),
    count: z.int(),
    firstAt: instant,
    lastAt: instant,
    step: z.string().optional(),
    who: z.string().optional(),
    tookMs: z.number().optional(),
  })
  .meta({ id: 'Event' })

export const timelineRowShape = z
  .strictObject({
    what: z.string(),
    outcome: z.enum(['done', 'failed', 'waited', 'stalled', 'as wanted', 'changed', 'under way']),
    start: instant,
    end: instant.nullable(),
    tookMs: z.number().optional(),
    count: z.int(),
    reasons: z.array(z.string()),
    message: z.string(),
    who: z.string().optional(),
  })
  .meta({ id: 'TimelineRow' })

export type EventView = z.infer<typeof eventShape>

export function eventView({
  id,
  uid,
  tenant,
  kind,
  reason,
  step,
  message,
  who,
  tookMs,
  ...times
}: EventRecord): EventView {
  const { firstAt, lastAt, count } = times
  const shown = { id, tenant, uid, kind, reason, message, count, firstAt: iso(firstAt), lastAt: iso(lastAt) }
  return { ...shown, ...(step === undefined ? {} : { step }), ...(who === undefined ? {} : { who }), ...took(tookMs) }
}

const took = (tookMs: number | undefined) => (tookMs === undefined ? {} : { tookMs })

export function timelineRowView({ start, end, tookMs, ...rest }: TimelineRow): z.infer<typeof timelineRowShape> {
  return {
    ...rest,
    reasons: [...rest.reasons],
    start: iso(start),
    end: end === undefined ? null : iso(end),
    ...took(tookMs),
  }
}
