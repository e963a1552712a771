// Tenants whose changes by people become events. The store itself knows nothing of it, and no write waits for it.
import type { Clock } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Tenants } from '../store/tenants.ts'
import { changeEvent } from './change.ts'
import type { TenantEvent } from './event.ts'

export interface NotedOptions {
  readonly clock: Pick<Clock, 'now'>
  readonly note: (event: TenantEvent) => void
}

/** The same tenants; each write that went through is noted. */
export function notedTenants(tenants: Tenants, { clock, note }: NotedOptions): Tenants {
  const tell = (before: Tenant | undefined, after: Tenant) => {
    const event = changeEvent(before, after, clock.now())
    if (event !== undefined) note(event)
  }
  return {
    ...tenants,
    add: async (tenant) => {
      const result = await tenants.add(tenant)
      if (result === 'added') tell(undefined, tenant)
      return result
    },
    change: async (before, wish) => {
      const after = await tenants.change(before, wish)
      if (after !== undefined) tell(before, after)
      return after
    },
  }
}
