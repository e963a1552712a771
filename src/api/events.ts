// The operations of events: of one tenant, of all, and a tenant's life as a timeline.
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { eventKinds } from '../events/event.ts'
import { timelineOf } from '../events/timeline.ts'
import { mostPerTenant, type EventPlace } from '../store/events.ts'
import type { Tenants } from '../store/tenants.ts'
import { eventShape, eventView, timelineRowShape, timelineRowView } from './event-view.ts'
import { watchEvents, type EventWatchRoutes } from './event-watch.ts'
import { limitOf } from './limited.ts'
import { json, operation, type Operation } from './operation.ts'
import { answerList, eventColumns, listAnswer, outputField } from './print.ts'
import { refused } from './problem.ts'
import { limitField } from './query.ts'
import { notFound } from './rules.ts'
import { watchField, wantsWatch } from './stream.ts'

export interface EventRoutes extends EventWatchRoutes {
  readonly tenants: Tenants
}

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
  output: outputField,
  watch: watchField,
  cursor: cursor.optional(),
  kind: z.enum(eventKinds).optional(),
  reason: z
    .string()
    .regex(/^[A-Z][A-Za-z]{0,63}$/, 'must be a reason such as RegionFull')
    .optional(),
}
const ofTenant = z.strictObject(filters)
const ofAll = z.strictObject({ ...filters, tenant: dnsLabel.optional() })

interface Wanted extends Omit<z.infer<typeof ofAll>, 'cursor' | 'watch'> {
  readonly uid?: string
  readonly uids?: readonly string[] | undefined
  readonly cursor?: EventPlace | undefined
  readonly watch?: z.infer<typeof watchField>
}

async function answerPage({ events, clock }: EventRoutes, context: Context, query: Wanted): Promise<void> {
  const { cursor: after, limit, output, ...wanted } = query
  const found = await events.page({ ...wanted, after, limit: limit + 1 })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1) : undefined
  const shown = { output, columns: eventColumns, view: eventView, now: clock.now() }
  answerList(context, { items, next: last && cursorOf(last), nameOf: ({ id }) => id, ...shown })
}

/** What happened so far, or as it happens. */
async function answer(routes: EventRoutes, context: Context, { watch, ...query }: Wanted): Promise<void> {
  if (!wantsWatch(context, watch)) return answerPage(routes, context, query)
  const { cursor: after, ...watched } = query
  if (after !== undefined)
    throw refused([
      { code: 'invalid', path: 'cursor', detail: 'has no meaning for a watch: resume with Last-Event-ID' },
    ])
  return watchEvents(routes, context, watched)
}

const mostAtOnce = 500

/** The tenants that a limited caller may know of; undefined: all of them. */
async function knownUids({ tenants }: EventRoutes, context: Context): Promise<readonly string[] | undefined> {
  if (limitOf(context) === undefined) return undefined
  const found: string[] = []
  let after: string | undefined
  for (;;) {
    const page = await tenants.page({ after, limit: mostAtOnce })
    found.push(...page.map(({ uid }) => uid))
    after = page.at(-1)?.name
    if (page.length < mostAtOnce) return found
  }
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
      summary: 'What happened, newest first; with watch what happens, as it does.',
      limited: true,
      query: ofAll,
      answers: { 200: listAnswer(eventShape, { streams: true }) },
      handle: async ({ context, query }) =>
        answer(routes, context, { ...query, uids: await knownUids(routes, context) }),
    }),
    operation({
      ...everybody,
      ...{ id: 'listTenantEvents', path: '/v1/tenants/{name}/events' },
      summary: 'What happened to a tenant, newest first; with watch what happens, as it does.',
      query: ofTenant,
      answers: { 200: listAnswer(eventShape, { streams: true }) },
      problems: [404],
      handle: async ({ context, params: { name }, query }) => {
        const { uid } = await existing(routes, name)
        await answer(routes, context, { ...query, uid })
      },
    }),
    operation({
      ...everybody,
      ...{ id: 'getTimeline', path: '/v1/tenants/{name}/timeline' },
      summary: "A tenant's life: steps, waits and changes with beginning, end and outcome, newest last.",
      answers: { 200: json(z.strictObject({ items: z.array(timelineRowShape) })) },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const tenant = await existing(routes, name)
        const found = await routes.events.page({ uid: tenant.uid, limit: mostPerTenant })
        context.body = { items: timelineOf(tenant, found).map(timelineRowView) }
      },
    }),
  ]
}
