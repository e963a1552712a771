// Tenants whose wishes remember the request that they came with, so that the passes which follow become a part of its trace.
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Tenants } from '../store/tenants.ts'
import type { Tracing } from './open.ts'

/** The request under way as a wish remembers it. */
export function wishTrace(tracing: Pick<Tracing, 'traceparent'>, clock: Pick<Clock, 'now'>): Pick<Tenant, 'trace'> {
  const parent = tracing.traceparent()
  return { trace: parent === undefined ? undefined : { parent, at: clock.now() } }
}

/** The same tenants; each write that goes through carries the trace that is under way, or none. */
export function tracedTenants(
  tenants: Tenants,
  tracing: Pick<Tracing, 'traceparent'>,
  clock: Pick<Clock, 'now'>,
): Tenants {
  const trace = () => wishTrace(tracing, clock)
  return {
    ...tenants,
    add: (tenant) => tenants.add({ ...tenant, ...trace() }),
    change: (before, wish) => tenants.change(before, { ...wish, ...trace() }),
  }
}
