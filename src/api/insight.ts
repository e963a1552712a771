// The routes of insight: what would be done, why a tenant is as it is, and how it differs from what is wanted.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import type { PlanInput } from '../../reconciler/decision.ts'
import { forecast } from '../../reconciler/forecast.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusSeen } from '../../reconciler/status.ts'
import { why, type Why } from '../../reconciler/why.ts'
import { Fault } from '../../specs/faults.ts'
import { tenantDocument, type Tenant } from '../../specs/tenant.ts'
import type { Insight } from '../insight.ts'
import { readDocument } from './body.ts'
import { changesOf, tried } from './dry-run.ts'
import { preconditions } from './etag.ts'
import { diffView, planView, whyView } from './insight-view.ts'
import { Problem } from './problem.ts'
import { noQuery, readQuery } from './query.ts'
import { checkName, notFound } from './rules.ts'
import { applyTenant, type WriteContext } from './writes.ts'

export interface InsightRoutes extends WriteContext {
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

async function existing({ tenants }: InsightRoutes, name = ''): Promise<Tenant> {
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

async function answerWhy(routes: InsightRoutes, context: Context, name: string | undefined): Promise<void> {
  const { fresh } = readQuery(context, whyQuery)
  const tenant = await existing(routes, name)
  const told = fresh === 'true' ? whyNow(await look(routes, tenant)) : why({ tenant, now: routes.clock.now() })
  if (context.accepts('json', 'text') === 'text') context.body = `${told.text}\n`
  else context.body = whyView(told)
}

/** The routes. */
export function insightRouter(routes: InsightRoutes): Router {
  const router = new Router({ prefix: '/v1/tenants', sensitive: true })
  router.get('/:name/plan', async (context) => {
    noQuery(context)
    const tenant = await existing(routes, context.params['name'])
    context.body = planView(forecast(await look(routes, tenant)))
  })
  router.post('/:name/plan', async (context) => {
    noQuery(context)
    const document = await readDocument(context, tenantDocument)
    checkName(context.params['name'] ?? '', document.name)
    await answerDryRun(routes, context, async (dry) => {
      const { tenant } = await applyTenant(dry, document, preconditions(context))
      return tenant
    })
  })
  router.get('/:name/why', (context) => answerWhy(routes, context, context.params['name']))
  router.get('/:name/diff', async (context) => {
    noQuery(context)
    const tenant = await existing(routes, context.params['name'])
    context.body = diffView(await asked(routes, tenant, insightOf(routes).diff(tenant)))
  })
  return router
}
