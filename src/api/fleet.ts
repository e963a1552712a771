// The routes of the fleet as a whole: how it is, how much Moorage may do, and what waits for a person.
import Router from '@koa/router'
import type { Context } from 'koa'
import { z } from 'zod'
import { ledgerMs } from '../../reconciler/guards/budget.ts'
import { withApproved } from './brake.ts'
import { readDocument } from './body.ts'
import { fleetView } from './fleet-view.ts'
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

/** The routes under /v1/fleet. */
export function fleetRouter(routes: TenantRoutes): Router {
  const { fleet, clock } = routes
  const router = new Router({ prefix: '/v1/fleet', sensitive: true })
  router.get('/', (context) => show(routes, context))
  router.put('/', async (context) => {
    await fleet.want(await readDocument(context, fleetDocument))
    await show(routes, context)
  })
  router.post('/actions/acknowledge', async (context) => {
    await fleet.want({ acknowledgedAt: clock.now() })
    await show(routes, context, 202)
  })
  router.post('/actions/retry', async (context) => {
    await fleet.want({ retryRequestedAt: clock.now() })
    await show(routes, context, 202)
  })
  router.post('/actions/approve', async (context) => {
    context.body = { approved: await approveAll(routes) }
    context.status = 202
  })
  return router
}
