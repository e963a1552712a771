// The operations of events: of one tenant, of all, and a tenant's life as a timeline.
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { eventKinds, type EventRecord } from '../events/event.ts'
import { timelineOf, type TimelineRow } from '../events/timeline.ts'
import { mostPerTenant, type EventPlace, type Events } from '../store/events.ts'
import type { Tenants } from '../store/tenants.ts'
import { json, operation, type Operation } from './operation.ts'
import { linkNext } from './print.ts'
import { limitField } from './query.ts'
import { notFound } from './rules.ts'
import { instant, pageOf } from './view.ts'

export interface EventRoutes {
  readonly tenants: Tenants
  readonly events: Events
}

const iso = (instant: number) => new Date(instant).toISOString()

/** A cursor is a place in time; what it looks like is nobody's business. */
const cursorOf = ({ lastAt, id }: EventPlace) => Buffer.from(`${lastAt}.${id}`).toString('base64url')

const cursor = z.string().transform((text, context): EventPlace => {
  const [, lastAt, id] = /^(\d{1,15})\.([0-9a-f]{1,64})$/.exec(Buffer.from(text, 'base64url').toString()) ?? []
  if (lastAt !== undefined && id !== undefined) return { lastAt: Number(lastAt), id }
  context.addIssue({ code: 'custom', message: 'must be the nextCursor of an earlier answer' })
  return z.NEVER
})

const filters = {
  limit: limitField,
  cursor: cursor.optional(),
  kind: z.enum(eventKinds).optional(),
  reason: z
    .string()
    .regex(/^[A-Z][A-Za-z]{0,63}$/, 'must be a reason such as RegionFull')
    .optional(),
}
const ofTenant = z.strictObject(filters)
const ofAll = z.strictObject({ ...filters, tenant: dnsLabel.optional() })

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

const rowShape = z
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

function eventView({ id, uid, tenant, kind, reason, step, message, who, tookMs, ...times }: EventRecord): EventView {
  const { firstAt, lastAt, count } = times
  const shown = { id, tenant, uid, kind, reason, message, count, firstAt: iso(firstAt), lastAt: iso(lastAt) }
  return { ...shown, ...(step === undefined ? {} : { step }), ...(who === undefined ? {} : { who }), ...took(tookMs) }
}

const took = (tookMs: number | undefined) => (tookMs === undefined ? {} : { tookMs })

function rowView({ start, end, tookMs, ...rest }: TimelineRow): z.infer<typeof rowShape> {
  return {
    ...rest,
    reasons: [...rest.reasons],
    start: iso(start),
    end: end === undefined ? null : iso(end),
    ...took(tookMs),
  }
}

interface PageQuery extends Omit<z.infer<typeof ofAll>, 'cursor'> {
  readonly uid?: string
  readonly cursor?: EventPlace | undefined
}

async function answerPage({ events }: EventRoutes, context: Context, query: PageQuery): Promise<void> {
  const { cursor: after, limit, ...wanted } = query
  const found = await events.page({ ...wanted, after, limit: limit + 1 })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1) : undefined
  if (last !== undefined) linkNext(context, cursorOf(last))
  context.body = { items: items.map(eventView), ...(last === undefined ? {} : { nextCursor: cursorOf(last) }) }
}

async function existing({ tenants }: EventRoutes, name: string) {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw notFound(name)
  return tenant
}

/** The operations. */
export function eventOperations(routes: EventRoutes): readonly Operation[] {
  const everybody = { method: 'get', tag: 'events', roles: ['admin', 'billing', 'viewer'] } as const
  return [
    operation({
      ...{ id: 'listEvents', method: 'get', path: '/v1/events', tag: 'events', roles: ['admin', 'viewer'] },
      summary: 'What happened, newest first.',
      query: ofAll,
      answers: { 200: json(pageOf(eventShape), { headers: ['Link'] }) },
      handle: ({ context, query }) => answerPage(routes, context, query),
    }),
    operation({
      ...everybody,
      ...{ id: 'listTenantEvents', path: '/v1/tenants/{name}/events' },
      summary: 'What happened to a tenant, newest first.',
      query: ofTenant,
      answers: { 200: json(pageOf(eventShape), { headers: ['Link'] }) },
      problems: [404],
      handle: async ({ context, params: { name }, query }) => {
        const { uid } = await existing(routes, name)
        await answerPage(routes, context, { ...query, uid })
      },
    }),
    operation({
      ...everybody,
      ...{ id: 'getTimeline', path: '/v1/tenants/{name}/timeline' },
      summary: "A tenant's life: steps, waits and changes with beginning, end and outcome, newest last.",
      answers: { 200: json(z.strictObject({ items: z.array(rowShape) })) },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const tenant = await existing(routes, name)
        const found = await routes.events.page({ uid: tenant.uid, limit: mostPerTenant })
        context.body = { items: timelineOf(tenant, found).map(rowView) }
      },
    }),
  ]
}
