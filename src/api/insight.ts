// The operations of insight: what would be done, why a tenant is as it is, and how it differs from what is wanted.
import type { Context } from 'koa'
import { z } from 'zod'
import type { PlanInput } from '../../reconciler/decision.ts'
import { forecast } from '../../reconciler/forecast.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusSeen } from '../../reconciler/status.ts'
import { why, type Why } from '../../reconciler/why.ts'
import { Fault } from '../../specs/faults.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Insight } from '../insight.ts'
import { document } from './body.ts'
import { changesOf, tried } from './dry-run.ts'
import { preconditions } from './etag.ts'
import { diffShape, diffView, dryRunShape, planShape, planView, whyShape, whyView } from './insight-view.ts'
import { either, json, operation, text, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import { watchPlan, type PlanWatchRoutes } from './plan-watch.ts'
import { checkName, notFound } from './rules.ts'
import { watchField, wantsWatch } from './stream.ts'
import { tenantInput } from './view.ts'
import { applyTenant, type WriteContext } from './writes.ts'

export interface InsightRoutes extends WriteContext, PlanWatchRoutes {
  /** Undefined in a process without the reconciler. */
  readonly insight: Insight | undefined
}

const whyQuery = z.strictObject({ fresh: z.enum(['true', 'false']).default('false') })

function insightOf({ insight }: InsightRoutes): Insight {
  if (insight === undefined)
    throw new Problem(404, 'not-found', 'This process does not run the reconciler: ask one that does.')
  return insight
}

/** Where Fly cannot be asked, what is on record says more than the failed call. */
async function asked<T>(routes: InsightRoutes, tenant: Tenant, question: Promise<T>): Promise<T> {
  try {
    return await question
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    const extra = { why: why({ tenant, now: routes.clock.now() }).summary }
    throw new Problem(503, 'unavailable', error.message, { headers: { 'Retry-After': '5' }, extra, cause: error })
  }
}

const look = (routes: InsightRoutes, tenant: Tenant): Promise<PlanInput> =>
  asked(routes, tenant, insightOf(routes).look(tenant))

async function existing({ tenants }: InsightRoutes, name: string): Promise<Tenant> {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw notFound(name)
  return tenant
}

/** Answers what a write would change and what would follow from it. Nothing is stored. */
export async function answerDryRun<Routes extends InsightRoutes>(
  routes: Routes,
  context: Context,
  write: (dry: Routes) => Promise<Tenant>,
): Promise<void> {
  insightOf(routes)
  const result = await tried(routes, write)
  const told = forecast(await look(routes, result.after))
  const creates = result.before === undefined
  context.body = { dryRun: true, creates, changes: changesOf(result), ...planView(told) }
}

/** From a look made now, with the status that would be written after it. */
function whyNow(input: PlanInput): Why {
  const decision = plan(input)
  const tenant = { ...input.tenant, status: statusSeen(input, decision) }
  return why({ tenant, now: input.now, decision, forecast: forecast(input) })
}

interface WhyAsked {
  readonly name: string
  readonly fresh: boolean
}

async function answerWhy(routes: InsightRoutes, context: Context, { name, fresh }: WhyAsked): Promise<void> {
  const tenant = await existing(routes, name)
  const told = fresh ? whyNow(await look(routes, tenant)) : why({ tenant, now: routes.clock.now() })
  if (context.accepts('json', 'text') === 'text') context.body = `${told.text}\n`
  else context.body = whyView(told)
}

const readers = ['admin', 'viewer'] as const

function plans(routes: InsightRoutes): readonly Operation[] {
  const at = { path: '/v1/tenants/{name}/plan', tag: 'insight', roles: readers } as const
  return [
    operation({
      ...at,
      ...{ id: 'getPlan', method: 'get' },
      summary: 'The steps ahead: target, why, usual seconds, where they end; with watch each time that they change.',
      query: z.strictObject({ watch: watchField }),
      answers: { 200: either(json(planShape), { ...text(z.string()), content: { 'text/event-stream': z.string() } }) },
      problems: [404],
      handle: async ({ context, params: { name }, query: { watch } }) => {
        const tenant = await existing(routes, name)
        const planOf = async (seen: Tenant) => planView(forecast(await look(routes, seen)))
        if (wantsWatch(context, watch)) await watchPlan(routes, context, { tenant, planOf })
        else context.body = await planOf(tenant)
      },
    }),
    operation({
      ...at,
      ...{ id: 'planTenant', method: 'post' },
      summary: 'What a document would change and lead to, without applying it.',
      body: document(tenantInput),
      conditional: true,
      changes: false,
      answers: { 200: json(dryRunShape) },
      problems: [404, 409],
      handle: async ({ context, params: { name }, body }) => {
        checkName(name, body.name)
        await answerDryRun(routes, context, async (dry) => {
          const { tenant } = await applyTenant(dry, body, preconditions(context))
          return tenant
        })
      },
    }),
  ]
}

/** The operations that explain a tenant. */
export function insightOperations(routes: InsightRoutes): readonly Operation[] {
  return [
    ...plans(routes),
    operation({
      ...{ id: 'getWhy', method: 'get', path: '/v1/tenants/{name}/why', tag: 'insight' },
      roles: ['admin', 'billing', 'viewer'],
      summary: 'Why a tenant is as it is, what it waits for, and what can be done.',
      query: whyQuery,
      answers: { 200: either(json(whyShape), text(z.string())) },
      problems: [404],
      handle: ({ context, params: { name }, query: { fresh } }) =>
        answerWhy(routes, context, { name, fresh: fresh === 'true' }),
    }),
    operation({
      ...{ id: 'getDiff', method: 'get', path: '/v1/tenants/{name}/diff', tag: 'insight', roles: readers },
      summary: 'Wanted against observed, for each owned field; of a secret only whether it is set.',
      answers: { 200: json(diffShape) },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const tenant = await existing(routes, name)
        context.body = diffView(await asked(routes, tenant, insightOf(routes).diff(tenant)))
      },
    }),
  ]
}
