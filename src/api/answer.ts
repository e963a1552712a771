// Answers one tenant, with its tag.
import type { Context } from 'koa'
import type { Tenant } from '../../specs/tenant.ts'
import { etagOf } from './etag.ts'
import { tenantView } from './view.ts'

/** Answers the tenant as it is now. */
export function answerTenant(context: Context, tenant: Tenant, status = 200): void {
  context.status = status
  context.set('ETag', etagOf(tenant))
  context.body = tenantView(tenant)
}
