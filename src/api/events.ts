// The routes of events: of one tenant, of all, and a tenant's life as a timeline.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { eventKinds, type EventRecord } from '../events/event.ts'
import { timelineOf, type TimelineRow } from '../events/timeline.ts'
import { mostPerTenant, type EventPlace, type Events } from '../store/events.ts'
import type { Tenants } from '../store/tenants.ts'
import { limitField, noQuery, readQuery } from './query.ts'
import { notFound } from './rules.ts'

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

function eventView({ id, uid, tenant, kind, reason, step, message, who, tookMs, ...times }: EventRecord): object {
  const { firstAt, lastAt, count } = times
  const shown = { id, tenant, uid, kind, reason, message, count, firstAt: iso(firstAt), lastAt: iso(lastAt) }
  return { ...shown, ...(step === undefined ? {} : { step }), ...(who === undefined ? {} : { who }), ...took(tookMs) }
}

const took = (tookMs: number | undefined) => (tookMs === undefined ? {} : { tookMs })

function rowView({ start, end, tookMs, ...rest }: TimelineRow): object {
  return { ...rest, start: iso(start), end: end === undefined ? null : iso(end), ...took(tookMs) }
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
  context.body = { items: items.map(eventView), ...(last === undefined ? {} : { nextCursor: cursorOf(last) }) }
}

async function existing({ tenants }: EventRoutes, name = '') {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw notFound(name)
  return tenant
}

/** The routes. */
export function eventRouter(routes: EventRoutes): Router {
  const router = new Router({ prefix: '/v1', sensitive: true })
  router.get('/events', (context) => answerPage(routes, context, readQuery(context, ofAll)))
  router.get('/tenants/:name/events', async (context) => {
    const query = readQuery(context, ofTenant)
    const { uid } = await existing(routes, context.params['name'])
    await answerPage(routes, context, { ...query, uid })
  })
  router.get('/tenants/:name/timeline', async (context) => {
    noQuery(context)
    const tenant = await existing(routes, context.params['name'])
    const found = await routes.events.page({ uid: tenant.uid, limit: mostPerTenant })
    context.body = { items: timelineOf(tenant, found).map(rowView) }
  })
  return router
}
