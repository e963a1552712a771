// The operations of the fleet as a whole: how it is, how much Moorage may do, and what waits for a person.
import type { Context } from 'koa'
import { z } from 'zod'
import { ledgerMs } from '../../reconciler/guards/budget.ts'
import { withApproved } from './brake.ts'
import { document, optionalDocument } from './body.ts'
import { fleetShape, fleetView } from './fleet-view.ts'
import { json, operation, type Operation } from './operation.ts'
import { Problem } from './problem.ts'
import type { TenantRoutes } from './tenants.ts'
import { changeTenant } from './writes.ts'

const fleetDocument = z.strictObject({ mode: z.enum(['normal', 'observe-only']) })

/** So many pending approvals are shown; how many there are is said besides. */
const mostShown = 100

async function show({ fleet, clock }: TenantRoutes, context: Context, status = 200): Promise<void> {
  const now = clock.now()
  const [wish, state, ledger, tenants, counts, parked, parkedCount] = await Promise.all([
    fleet.wish(),
    fleet.state(),
    fleet.ledger(now - ledgerMs),
    fleet.liveTenants(),
    fleet.counts(),
    fleet.parked(mostShown),
    fleet.countParked(),
  ])
  context.status = status
  context.body = fleetView({ wish, state, ledger, tenants, counts, parked, parkedCount, now })
}

/** Whoever was approved, rejected or purged meanwhile is no failure of the others. */
async function approveOne(routes: TenantRoutes, name: string): Promise<boolean> {
  try {
    const tenant = await changeTenant(routes, name, { ifMatch: '', ifNoneMatch: '' }, withApproved)
    routes.wake(tenant.uid)
    return true
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return false
    throw error
  }
}

/** Approves what is parked now; what billing adds meanwhile stays parked. */
async function approveAll(routes: TenantRoutes): Promise<number> {
  let approved = 0
  const parked = await routes.fleet.parked(await routes.fleet.countParked())
  for (const { name } of parked) if (await approveOne(routes, name)) approved += 1
  return approved
}

const noBody = optionalDocument(z.strictObject({}))
const asItIs = json(fleetShape, { description: 'The fleet.' })
const taken = json(fleetShape, { description: 'The fleet; the reconciler follows at its next look.' })

function actions(routes: TenantRoutes): readonly Operation[] {
  const { fleet, clock } = routes
  const at = { method: 'post', tag: 'fleet', roles: ['admin'], body: noBody } as const
  return [
    operation({
      ...at,
      ...{ id: 'acknowledgeFleet', path: '/v1/fleet/actions/acknowledge' },
      summary: 'The lists are right: ends a doubt.',
      answers: { 202: taken },
      handle: async ({ context }) => {
        await fleet.want({ acknowledgedAt: clock.now() })
        await show(routes, context, 202)
      },
    }),
    operation({
      ...at,
      ...{ id: 'retryFleet', path: '/v1/fleet/actions/retry' },
      summary: 'Ends all shared waits.',
      answers: { 202: taken },
      handle: async ({ context }) => {
        await fleet.want({ retryRequestedAt: clock.now() })
        await show(routes, context, 202)
      },
    }),
    operation({
      ...at,
      ...{ id: 'approveFleet', path: '/v1/fleet/actions/approve' },
      summary: 'Lets every parked entitlement take effect.',
      answers: { 202: json(z.strictObject({ approved: z.int() })) },
      handle: async ({ context }) => {
        context.body = { approved: await approveAll(routes) }
        context.status = 202
      },
    }),
  ]
}

/** The operations under /v1/fleet. */
export function fleetOperations(routes: TenantRoutes): readonly Operation[] {
  return [
    operation({
      ...{ id: 'getFleet', method: 'get', path: '/v1/fleet', tag: 'fleet', roles: ['admin', 'viewer'] },
      summary: 'Counts, mode, doubts, budget, holds and pending approvals.',
      answers: { 200: asItIs },
      handle: ({ context }) => show(routes, context),
    }),
    operation({
      ...{ id: 'putFleet', method: 'put', path: '/v1/fleet', tag: 'fleet', roles: ['admin'] },
      summary: 'Sets the mode: normal or observe-only.',
      body: document(fleetDocument),
      answers: { 200: asItIs },
      handle: async ({ context, body }) => {
        await routes.fleet.want(body)
        await show(routes, context)
      },
    }),
    ...actions(routes),
  ]
}
