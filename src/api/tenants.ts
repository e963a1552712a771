// The routes of tenants.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { entitlement, tenantDocument, type Tenant } from '../../specs/tenant.ts'
import { actions } from './actions.ts'
import { readDocument } from './body.ts'
import { etagOf, notModified, preconditions } from './etag.ts'
import { invalid, Problem } from './problem.ts'
import { checkName, notFound } from './rules.ts'
import { tenantView } from './view.ts'
import { applyTenant, changeEntitlement, changeTenant, withState, type WriteContext } from './writes.ts'
import { check } from '../../specs/parse.ts'

export interface TenantRoutes extends WriteContext {
  /** Looks at the tenant now instead of at its next time. */
  readonly wake: (uid: string) => void
  /** What the planner would do next, without doing it. */
  readonly preview: ((tenant: Tenant) => Promise<unknown>) | undefined
}

/** A cursor says after which name to go on; what it looks like is nobody's business. */
const cursorOf = (name: string) => Buffer.from(name).toString('base64url')

const page = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be a number from 1 to 500')
    .transform(Number)
    .pipe(z.int().min(1).max(500))
    .default(100),
  cursor: z
    .string()
    .transform((text) => Buffer.from(text, 'base64url').toString())
    .refine((name) => dnsLabel.safeParse(name).success, 'must be the nextCursor of an earlier answer')
    .optional(),
})

function answer(context: Context, tenant: Tenant, status = 200): void {
  context.status = status
  context.set('ETag', etagOf(tenant))
  context.body = tenantView(tenant)
}

async function existing({ tenants }: TenantRoutes, name: string): Promise<Tenant> {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw notFound(name)
  return tenant
}

async function list({ tenants }: TenantRoutes, context: Context): Promise<void> {
  const query = check(page, { ...context.query })
  if (!query.ok) throw invalid(query.problems)
  const { limit, cursor } = query.value
  const found = await tenants.page({ after: cursor, limit: limit + 1 })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1)?.name : undefined
  context.body = {
    items: items.map(tenantView),
    ...(last === undefined ? {} : { nextCursor: cursorOf(last) }),
  }
}

async function put(routes: TenantRoutes, context: Context, name: string): Promise<void> {
  const document = await readDocument(context, tenantDocument)
  checkName(name, document.name)
  const { tenant, created } = await applyTenant(routes, document, preconditions(context))
  routes.wake(tenant.uid)
  if (created) context.set('Location', `/v1/tenants/${name}`)
  answer(context, tenant, created ? 201 : 200)
}

/** The routes under /v1/tenants. */
export function tenantRouter(routes: TenantRoutes): Router {
  const router = new Router({ prefix: '/v1/tenants', sensitive: true })
  const nameOf = (context: { readonly params: Record<string, string | undefined> }) => context.params['name'] ?? ''
  router.get('/', (context) => list(routes, context))
  router.get('/:name', async (context) => {
    const tenant = await existing(routes, nameOf(context))
    answer(context, tenant)
    if (notModified(context.get('if-none-match'), tenant)) context.status = 304
  })
  router.put('/:name', (context) => put(routes, context, nameOf(context)))
  router.delete('/:name', async (context) => {
    const tenant = await changeTenant(routes, nameOf(context), preconditions(context), withState('deleted'))
    routes.wake(tenant.uid)
    answer(context, tenant, tenant.status.retainedSince === undefined ? 202 : 200)
  })
  router.put('/:name/entitlement', async (context) => {
    const wanted = await readDocument(context, entitlement)
    const tenant = await changeEntitlement(routes, nameOf(context), preconditions(context), wanted)
    routes.wake(tenant.uid)
    // Accepted, and not in effect: the brake has parked it.
    answer(context, tenant, tenant.parked === undefined ? 200 : 202)
  })
  router.get('/:name/plan', async (context) => {
    const tenant = await existing(routes, nameOf(context))
    if (routes.preview === undefined)
      throw new Problem(404, 'not-found', 'This process does not run the reconciler: ask one that does.')
    context.body = await routes.preview(tenant)
  })
  for (const [action, { status, perform }] of Object.entries(actions))
    router.post(`/:name/actions/${action}`, async (context) => {
      const tenant = await perform(routes, context, nameOf(context))
      routes.wake(tenant.uid)
      answer(context, tenant, status)
    })
  return router
}
