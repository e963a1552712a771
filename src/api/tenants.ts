// The routes of tenants.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { entitlement, tenantDocument, type Tenant } from '../../specs/tenant.ts'
import { actions } from './actions.ts'
import { readDocument } from './body.ts'
import { etagOf, notModified, preconditions } from './etag.ts'
import { answerDryRun, type InsightRoutes } from './insight.ts'
import { isDryRun, limitField, readQuery } from './query.ts'
import { checkName, notFound } from './rules.ts'
import { tenantView } from './view.ts'
import { applyTenant, changeEntitlement, changeTenant, withState } from './writes.ts'

export interface TenantRoutes extends InsightRoutes {
  /** Looks at the tenant now instead of at its next time. */
  readonly wake: (uid: string) => void
}

/** A cursor says after which name to go on; what it looks like is nobody's business. */
const cursorOf = (name: string) => Buffer.from(name).toString('base64url')

const page = z.strictObject({
  limit: limitField,
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
  const { limit, cursor } = readQuery(context, page)
  const found = await tenants.page({ after: cursor, limit: limit + 1 })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1)?.name : undefined
  context.body = {
    items: items.map(tenantView),
    ...(last === undefined ? {} : { nextCursor: cursorOf(last) }),
  }
}

async function put(routes: TenantRoutes, context: Context, name: string): Promise<void> {
  const dryRun = isDryRun(context)
  const document = await readDocument(context, tenantDocument)
  checkName(name, document.name)
  const apply = (target: TenantRoutes) => applyTenant(target, document, preconditions(context))
  if (dryRun) return answerDryRun(routes, context, async (dry) => (await apply(dry)).tenant)
  const { tenant, created } = await apply(routes)
  routes.wake(tenant.uid)
  if (created) context.set('Location', `/v1/tenants/${name}`)
  answer(context, tenant, created ? 201 : 200)
}

async function remove(routes: TenantRoutes, context: Context, name: string): Promise<void> {
  const change = (target: TenantRoutes) => changeTenant(target, name, preconditions(context), withState('deleted'))
  if (isDryRun(context)) return answerDryRun(routes, context, change)
  const tenant = await change(routes)
  routes.wake(tenant.uid)
  answer(context, tenant, tenant.status.retainedSince === undefined ? 202 : 200)
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
  router.delete('/:name', (context) => remove(routes, context, nameOf(context)))
  router.put('/:name/entitlement', async (context) => {
    const wanted = await readDocument(context, entitlement)
    const tenant = await changeEntitlement(routes, nameOf(context), preconditions(context), wanted)
    routes.wake(tenant.uid)
    // Accepted, and not in effect: the brake has parked it.
    answer(context, tenant, tenant.parked === undefined ? 200 : 202)
  })
  for (const [action, { status, perform }] of Object.entries(actions))
    router.post(`/:name/actions/${action}`, async (context) => {
      const tenant = await perform(routes, context, nameOf(context))
      routes.wake(tenant.uid)
      answer(context, tenant, status)
    })
  return router
}
