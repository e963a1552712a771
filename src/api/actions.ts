// What a person asks for once, beside the spec: try again, restart, take a deletion back, restore from a snapshot. Each answers
// the tenant as it is afterwards.
import type { Context } from 'koa'
import { z } from 'zod'
import type { Tenant } from '../../specs/tenant.ts'
import type { TenantWish } from '../store/tenants.ts'
import { answerTenant } from './answer.ts'
import { optionalDocument } from './body.ts'
import { withApproved, withRejected } from './brake.ts'
import { preconditions } from './etag.ts'
import { answerDryRun } from './insight.ts'
import { dryRunShape } from './insight-view.ts'
import { json, operation, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import { dryRunQuery } from './query.ts'
import { tenantShape } from './view.ts'
import type { TenantRoutes } from './tenants.ts'
import { changeTenant, type WriteContext } from './writes.ts'

async function retry(routes: WriteContext, context: Context, name: string): Promise<Tenant> {
  const retryRequestedAt = routes.clock.now()
  return changeTenant(routes, name, preconditions(context), (wish) => ({ ...wish, retryRequestedAt }))
}

function checkNotDeleted({ name, spec }: Tenant): void {
  if (spec.state === 'deleted') throw new Problem(409, 'wrong-state', `${name} is deleted: undelete it first.`)
}

/** Whoever asks for a restart wants it now, whatever failed before. */
async function restart(routes: WriteContext, context: Context, name: string): Promise<Tenant> {
  const now = routes.clock.now()
  return changeTenant(routes, name, preconditions(context), (wish, before) => {
    checkNotDeleted(before)
    return { ...wish, restartRequestedAt: now, retryRequestedAt: now }
  })
}

const undeleteBody = z.strictObject({ state: z.enum(['running', 'suspended']).default('running') })

/** Takes a deletion back inside the retention: the tenant runs (or rests) again on the volume that was kept. */
async function undelete(
  routes: WriteContext,
  context: Context,
  name: string,
  { state }: z.infer<typeof undeleteBody>,
): Promise<Tenant> {
  return changeTenant(routes, name, preconditions(context), (wish, before) => {
    if (before.spec.state !== 'deleted') throw new Problem(409, 'wrong-state', `${name} is not deleted.`)
    return { ...wish, spec: { ...wish.spec, state } }
  })
}

const restoreBody = z.strictObject({
  snapshot: z
    .string()
    .regex(/^vs_[A-Za-z0-9]{1,64}$/, 'must be the id of a snapshot, such as vs_MNoBJ1')
    .optional(),
})

/** Puts a volume made from a snapshot in place of the present one, which is kept. */
async function restore(
  routes: WriteContext,
  context: Context,
  name: string,
  { snapshot }: z.infer<typeof restoreBody>,
): Promise<Tenant> {
  const request = { snapshot, requestedAt: routes.clock.now() }
  return changeTenant(routes, name, preconditions(context), (wish, before) => {
    checkNotDeleted(before)
    if (before.status.volume === undefined) throw new Problem(409, 'wrong-state', `${name} has no volume yet.`)
    return { ...wish, restore: request }
  })
}

/** An admin's word on what the brake on billing has parked. */
const decided =
  (alter: (wish: TenantWish) => TenantWish) =>
  (routes: WriteContext, context: Context, name: string): Promise<Tenant> =>
    changeTenant(routes, name, preconditions(context), (wish) => {
      if (wish.parked === undefined)
        throw new Problem(409, 'nothing-parked', `Nothing that billing wants of ${name} waits for approval.`)
      return alter(wish)
    })

const noBody = z.strictObject({})
const taken = json(tenantShape, { description: 'The tenant as it is afterwards.', headers: ['ETag'] })
const tried = json(dryRunShape, { description: 'With dryRun: what would change.' })
const done = json(z.union([tenantShape, dryRunShape]), { description: taken.description, headers: ['ETag'] })

interface Declared<S extends z.ZodType> {
  readonly summary: string
  /** 202 where the controller carries the word out, 200 where it is done. */
  readonly status: 200 | 202
  readonly body: S
  readonly perform: (routes: WriteContext, context: Context, name: string, body: z.infer<S>) => Promise<Tenant>
}

function action<S extends z.ZodType>(
  routes: TenantRoutes,
  name: string,
  { summary, status, body, perform }: Declared<S>,
): Operation {
  return operation({
    ...{
      id: `${name}Tenant`,
      method: 'post',
      path: `/v1/tenants/{name}/actions/${name}` as `${string}{name}`,
      summary,
    },
    ...{ tag: 'tenants', roles: ['admin'] },
    query: dryRunQuery,
    body: optionalDocument(body),
    conditional: true,
    answers: status === 200 ? { 200: done } : { 200: tried, 202: taken },
    problems: [404, 409],
    handle: async ({ context, params, query: { dryRun }, body: sent }) => {
      const change = (target: TenantRoutes) => perform(target, context, params.name, sent)
      if (dryRun !== undefined) return answerDryRun(routes, context, change)
      const tenant = await change(routes)
      routes.wake(tenant.uid)
      answerTenant(context, tenant, status)
    },
  })
}

/** The operations under /v1/tenants/{name}/actions. */
export function actionOperations(routes: TenantRoutes): readonly Operation[] {
  const approve = decided(withApproved)
  const reject = decided(withRejected)
  return [
    action(routes, 'retry', { summary: 'Tries a waiting step now.', status: 202, body: noBody, perform: retry }),
    action(routes, 'restart', {
      summary: 'Stops the machine and starts it anew; one that sleeps starts anew when it is woken.',
      ...{ status: 202, body: noBody, perform: restart },
    }),
    action(routes, 'undelete', {
      summary: 'Takes a deletion back, while the volume is retained.',
      ...{ status: 202, body: undeleteBody, perform: undelete },
    }),
    action(routes, 'restore', {
      summary: 'Puts a volume made from a snapshot in place of the present one, which is kept.',
      ...{ status: 202, body: restoreBody, perform: restore },
    }),
    action(routes, 'approve', {
      summary: 'Lets the entitlement take effect that the brake has parked.',
      ...{ status: 200, body: noBody, perform: approve },
    }),
    action(routes, 'reject', {
      summary: 'Drops the entitlement that the brake has parked.',
      ...{ status: 200, body: noBody, perform: reject },
    }),
  ]
}
