// The operations on tenants.
import type { Context } from 'koa'
import { z } from 'zod'
import { tenantDocument, type Tenant } from '../../specs/tenant.ts'
import { actionOperations } from './actions.ts'
import { document, forcible, isForced } from './body.ts'
import { answerTenant } from './answer.ts'
import { inBillingsPlace } from './caller.ts'
import { notModified, preconditions } from './etag.ts'
import { answerDryRun, type InsightRoutes } from './insight.ts'
import { dryRunShape } from './insight-view.ts'
import { empty, json, operation, type Operation } from './operation.ts'
import { mergePatch, patched } from './merge-patch.ts'
import { answerList, listAnswer, outputField, tenantColumns } from './print.ts'
import { forcedDocument } from './owners.ts'
import { applyQuery, cursorOf, dryRunQuery, limitField, nameCursor } from './query.ts'
import { selectionFields } from './selection.ts'
import { checkName, notFound } from './rules.ts'
import { entitlementShape, tenantInput, tenantShape, tenantView } from './view.ts'
import { watchField, wantsWatch } from './stream.ts'
import { watchTenants, type WatchRoutes } from './tenant-watch.ts'
import { alterTenant, applyTenant, changeTenant, takeWord, withState, type ForcedDocument } from './writes.ts'

export interface TenantRoutes extends InsightRoutes, WatchRoutes {
  /** Looks at the tenant now instead of at its next time. */
  readonly wake: (uid: string) => void
  /** Hears of every tenant that was created. */
  readonly arrived?: (tenant: Tenant) => void
}

const page = z.strictObject({
  ...selectionFields,
  output: outputField,
  watch: watchField,
  limit: limitField,
  cursor: nameCursor.optional(),
})

type PageQuery = z.infer<typeof page>

async function existing({ tenants }: TenantRoutes, name: string): Promise<Tenant> {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw notFound(name)
  return tenant
}

async function list({ tenants, clock }: TenantRoutes, context: Context, query: PageQuery): Promise<void> {
  const { limit, cursor, output, labelSelector: labels, fieldSelector: fields } = query
  const found = await tenants.page({ after: cursor, limit: limit + 1, labels, fields })
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1)?.name : undefined
  const next = last === undefined ? undefined : cursorOf(last)
  const shown = { output, columns: tenantColumns, view: tenantView, now: clock.now() }
  answerList(context, { items, next, nameOf: ({ name }) => name, ...shown })
}

interface Write {
  readonly context: Context
  readonly name: string
  readonly dryRun: boolean
}

async function put(routes: TenantRoutes, { context, name, dryRun }: Write, wanted: ForcedDocument): Promise<void> {
  checkName(name, wanted.name)
  const apply = (target: TenantRoutes) => applyTenant(target, wanted, preconditions(context))
  if (dryRun) return answerDryRun(routes, context, async (dry) => (await apply(dry)).tenant)
  const { tenant, created } = await apply(routes)
  routes.wake(tenant.uid)
  if (created) routes.arrived?.(tenant)
  if (created) context.set('Location', `/v1/tenants/${name}`)
  answerTenant(context, tenant, created ? 201 : 200)
}

async function patch(
  routes: TenantRoutes,
  { context, name, dryRun }: Write,
  sent: Readonly<Record<string, unknown>>,
): Promise<void> {
  const altered = (present: object): ForcedDocument => {
    const wanted = patched(isForced(context) ? forcedDocument : tenantDocument, present, sent)
    checkName(name, wanted.name)
    return wanted
  }
  const change = (target: TenantRoutes) => alterTenant(target, name, preconditions(context), altered)
  if (dryRun) return answerDryRun(routes, context, change)
  const tenant = await change(routes)
  routes.wake(tenant.uid)
  answerTenant(context, tenant)
}

async function remove(routes: TenantRoutes, { context, name, dryRun }: Write): Promise<void> {
  const change = (target: TenantRoutes) => changeTenant(target, name, preconditions(context), withState('deleted'))
  if (dryRun) return answerDryRun(routes, context, change)
  const tenant = await change(routes)
  routes.wake(tenant.uid)
  answerTenant(context, tenant, tenant.status.retainedSince === undefined ? 202 : 200)
}

const forcedInput = forcedDocument.meta({ id: 'ForcedTenantDocument' })
const tagged = (description: string) => json(tenantShape, { description, headers: ['ETag'] })
const orDryRun = json(z.union([tenantShape, dryRunShape]))

function reads(routes: TenantRoutes): readonly Operation[] {
  return [
    operation({
      ...{
        id: 'listTenants',
        method: 'get',
        path: '/v1/tenants',
        tag: 'tenants',
        roles: ['admin', 'billing', 'viewer'],
      },
      summary: 'A page of tenants in the order of their names.',
      query: page,
      answers: { 200: listAnswer(tenantShape, { streams: true }) },
      handle: ({ context, query }) => {
        const { watch, output, labelSelector: labels, fieldSelector: fields } = query
        const watched = { labels, fields, output }
        return wantsWatch(context, watch) ? watchTenants(routes, context, watched) : list(routes, context, query)
      },
    }),
    operation({
      ...{ id: 'getTenant', method: 'get', path: '/v1/tenants/{name}', tag: 'tenants' },
      roles: ['admin', 'billing', 'viewer'],
      summary: 'One tenant: what is wanted of it, and how it is.',
      conditional: true,
      answers: { 200: tagged('The tenant.'), 304: empty('The reader has it already.') },
      problems: [404],
      handle: async ({ context, params: { name } }) => {
        const tenant = await existing(routes, name)
        answerTenant(context, tenant)
        if (notModified(context.get('if-none-match'), tenant)) context.status = 304
      },
    }),
  ]
}

function writes(routes: TenantRoutes): readonly Operation[] {
  return [
    operation({
      ...{ id: 'putTenant', method: 'put', path: '/v1/tenants/{name}', tag: 'tenants', roles: ['admin'] },
      summary: 'Creates a tenant, or replaces what the admin owns of it; the same again changes nothing.',
      query: applyQuery,
      body: forcible(tenantInput, forcedInput),
      conditional: true,
      answers: {
        200: { ...orDryRun, description: 'The tenant; with dryRun what would change.', headers: ['ETag'] },
        201: { ...tagged('It was created.'), headers: ['ETag', 'Location'] },
      },
      problems: [404, 409],
      handle: ({ context, params: { name }, query: { dryRun }, body }) =>
        put(routes, { context, name, dryRun: dryRun !== undefined }, body),
    }),
    operation({
      ...{ id: 'patchTenant', method: 'patch', path: '/v1/tenants/{name}', tag: 'tenants', roles: ['admin'] },
      summary: 'Changes single fields of what the admin owns (RFC 7396); null takes one away.',
      query: applyQuery,
      body: mergePatch,
      conditional: true,
      answers: { 200: { ...orDryRun, description: 'The tenant; with dryRun what would change.', headers: ['ETag'] } },
      problems: [404, 409],
      handle: ({ context, params: { name }, query: { dryRun }, body }) =>
        patch(routes, { context, name, dryRun: dryRun !== undefined }, body),
    }),
    operation({
      ...{ id: 'deleteTenant', method: 'delete', path: '/v1/tenants/{name}', tag: 'tenants', roles: ['admin'] },
      summary: 'Wants a tenant deleted; its volume is retained for a while.',
      query: dryRunQuery,
      conditional: true,
      answers: {
        200: { ...orDryRun, description: 'It is torn down; with dryRun what would change.', headers: ['ETag'] },
        202: tagged('It will be torn down.'),
      },
      problems: [404, 409],
      handle: ({ context, params: { name }, query: { dryRun } }) =>
        remove(routes, { context, name, dryRun: dryRun !== undefined }),
    }),
    operation({
      ...{ id: 'putEntitlement', method: 'put', path: '/v1/tenants/{name}/entitlement', tag: 'billing' },
      roles: ['admin', 'billing'],
      summary: "Billing's word on a tenant: active, suspended or ended.",
      query: dryRunQuery,
      body: document(entitlementShape),
      conditional: true,
      answers: {
        200: { ...orDryRun, description: 'It is in effect; with dryRun what would change.', headers: ['ETag'] },
        202: tagged('Parked: as one of many such changes it waits for an admin.'),
      },
      problems: [404, 409],
      handle: async ({ context, params: { name }, query: { dryRun }, body }) => {
        const word = { entitlement: body, by: inBillingsPlace(context) }
        const take = (target: TenantRoutes) => takeWord(target, name, word, preconditions(context))
        if (dryRun !== undefined) return answerDryRun(routes, context, async (dry) => (await take(dry)).tenant)
        const { tenant } = await take(routes)
        routes.wake(tenant.uid)
        answerTenant(context, tenant, tenant.parked === undefined ? 200 : 202)
      },
    }),
  ]
}

/** The operations under /v1/tenants that read or write one. */
export function tenantOperations(routes: TenantRoutes): readonly Operation[] {
  return [...reads(routes), ...writes(routes), ...actionOperations(routes)]
}
