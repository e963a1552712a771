// What a person asks for once, beside the spec: try again, take a deletion back, restore from a snapshot. Each answers the
// tenant as it is afterwards.
import type { Context } from 'koa'
import { z } from 'zod'
import type { Tenant } from '../../specs/tenant.ts'
import type { TenantWish } from '../store/tenants.ts'
import { readOptional } from './body.ts'
import { withApproved, withRejected } from './brake.ts'
import { preconditions } from './etag.ts'
import { Problem } from './problem.ts'
import { changeTenant, type WriteContext } from './writes.ts'

type Action = (routes: WriteContext, context: Context, name: string) => Promise<Tenant>

async function retry(routes: WriteContext, context: Context, name: string): Promise<Tenant> {
  const retryRequestedAt = routes.clock.now()
  return changeTenant(routes, name, preconditions(context), (wish) => ({ ...wish, retryRequestedAt }))
}

/** Takes a deletion back inside the retention: the tenant runs (or rests) again on the volume that was kept. */
async function undelete(routes: WriteContext, context: Context, name: string): Promise<Tenant> {
  const { state } = await readOptional(
    context,
    z.strictObject({ state: z.enum(['running', 'suspended']).default('running') }),
  )
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
async function restore(routes: WriteContext, context: Context, name: string): Promise<Tenant> {
  const { snapshot } = await readOptional(context, restoreBody)
  const request = { snapshot, requestedAt: routes.clock.now() }
  return changeTenant(routes, name, preconditions(context), (wish, before) => {
    if (before.spec.state === 'deleted') throw new Problem(409, 'wrong-state', `${name} is deleted: undelete it first.`)
    if (before.status.volume === undefined) throw new Problem(409, 'wrong-state', `${name} has no volume yet.`)
    return { ...wish, restore: request }
  })
}

/** An admin's word on what the brake on billing has parked. */
const decided =
  (alter: (wish: TenantWish) => TenantWish): Action =>
  (routes, context, name) =>
    changeTenant(routes, name, preconditions(context), (wish) => {
      if (wish.parked === undefined)
        throw new Problem(409, 'nothing-parked', `Nothing that billing wants of ${name} waits for approval.`)
      return alter(wish)
    })

/** The actions under /v1/tenants/{name}/actions, by name: 202 where the controller carries the word out, 200 where it is done. */
export const actions: Readonly<Record<string, { readonly status: number; readonly perform: Action }>> = {
  retry: { status: 202, perform: retry },
  undelete: { status: 202, perform: undelete },
  restore: { status: 202, perform: restore },
  approve: { status: 200, perform: decided(withApproved) },
  reject: { status: 200, perform: decided(withRejected) },
}
