// The operations on usage and costs.
import type { Context } from 'koa'
import { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import type { Prices } from '../../specs/prices.ts'
import type { Usage } from '../store/usage.ts'
import type { Tenants } from '../store/tenants.ts'
import { monthWindow, noUsage, sumsByTenant, totalOf } from '../usage/costs.ts'
import { callerOf } from './caller.ts'
import { costsShape, csvOf, notCounted, sumsView, usageShape, type TenantCost } from './costs-view.ts'
import { json, operation, type Answered, type Operation } from './operation.ts'
import { notFound } from './rules.ts'
import { mayKnow } from './visible.ts'

export interface CostRoutes {
  readonly tenants: Pick<Tenants, 'byName' | 'named' | 'page'>
  readonly usage: Usage
  readonly prices: Prices
  readonly clock: Pick<Clock, 'now'>
}

const month = z
  .string()
  .regex(/^2\d{3}-(0[1-9]|1[0-2])$/, 'must be a month such as 2026-11')
  .optional()
const query = z.strictObject({ month })
const costsQuery = z.strictObject({ month, output: z.enum(['json', 'csv']).optional() })

const orCsv = (answer: Answered): Answered => ({ ...answer, content: { ...answer.content, 'text/csv': z.string() } })

function frameOf({ prices, clock }: CostRoutes, asked: string | undefined) {
  const now = clock.now()
  const name = asked ?? new Date(now).toISOString().slice(0, 7)
  const { from, to, complete } = monthWindow(name, now)
  const [iso, end] = [new Date(from).toISOString(), new Date(to).toISOString()]
  const { currency, asOf: pricesAsOf } = prices
  return {
    window: { from, to },
    frame: { month: name, from: iso, to: end, complete, currency, pricesAsOf, notCounted },
  }
}

const pageSize = 500

/** The uids that the caller may know of; undefined: all. */
async function visible({ tenants }: CostRoutes, context: Context): Promise<ReadonlySet<string> | undefined> {
  if (callerOf(context).selector === undefined) return undefined
  const uids = new Set<string>()
  let after: string | undefined
  do {
    const page = await tenants.page({ after, limit: pageSize })
    for (const tenant of page) if (mayKnow(context, tenant)) uids.add(tenant.uid)
    after = page.length < pageSize ? undefined : page.at(-1)?.name
  } while (after !== undefined)
  return uids
}

async function costs(routes: CostRoutes, context: Context, asked: z.infer<typeof costsQuery>): Promise<void> {
  const { window, frame } = frameOf(routes, asked.month)
  const seen = await visible(routes, context)
  const sums = sumsByTenant(await routes.usage.between(window.from, window.to), routes.prices, window)
  const known = [...sums].filter(([uid]) => seen?.has(uid) ?? true)
  const names = await routes.tenants.named(known.map(([uid]) => uid))
  const items: TenantCost[] = known
    .map(([uid, sum]) => ({ tenant: names.get(uid) ?? '', uid, ...sumsView(sum) }))
    .sort((a, b) => a.tenant.localeCompare(b.tenant) || a.uid.localeCompare(b.uid))
  const answer = { ...frame, items, total: sumsView(totalOf(items)) }
  const wanted = asked.output ?? (context.accepts('json', 'text/csv') === 'text/csv' ? 'csv' : 'json')
  context.vary('Accept')
  if (wanted === 'json') context.body = answer
  else {
    context.set('Content-Type', 'text/csv; charset=utf-8')
    context.body = csvOf(answer)
  }
}

/** The operations on usage and costs. */
export function costOperations(routes: CostRoutes): readonly Operation[] {
  return [
    operation({
      ...{ id: 'getCosts', method: 'get', path: '/v1/costs', tag: 'costs', roles: ['admin', 'billing', 'viewer'] },
      summary: 'What each tenant used in a month (UTC), what that costs, and what suspending saved; JSON or CSV.',
      query: costsQuery,
      limited: true,
      answers: { 200: orCsv(json(costsShape)) },
      handle: ({ context, query: asked }) => costs(routes, context, asked),
    }),
    operation({
      ...{ id: 'getUsage', method: 'get', path: '/v1/tenants/{name}/usage', tag: 'costs' },
      roles: ['admin', 'billing', 'viewer'],
      summary: 'What a tenant used in a month (UTC), and what that costs.',
      query,
      answers: { 200: json(usageShape) },
      problems: [404],
      handle: async ({ context, params: { name }, query: asked }) => {
        const tenant = await routes.tenants.byName(name)
        if (tenant === undefined || !mayKnow(context, tenant)) throw notFound(name)
        const { window, frame } = frameOf(routes, asked.month)
        const things = await routes.usage.between(window.from, window.to, tenant.uid)
        const sums = sumsByTenant(things, routes.prices, window).get(tenant.uid) ?? noUsage
        context.body = { ...frame, tenant: name, uid: tenant.uid, ...sumsView(sums) }
      },
    }),
  ]
}
