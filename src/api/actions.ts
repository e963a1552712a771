// What a person asks for once, beside the spec: try again, take a deletion back, restore from a snapshot. Each answers the
// tenant as it is afterwards.
import type { Context } from 'koa'
import { z } from 'zod'
import type { Tenant } from '../../specs/tenant.ts'
import { readOptional } from './body.ts'
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

/** The actions under /v1/tenants/{name}/actions, by name. */
export const actions: Readonly<Record<string, Action>> = { retry, undelete, restore }
