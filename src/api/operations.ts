// All operations of the API, in the order in which they are described.
import { adoptOperations } from './adopt.ts'
import { classOperations } from './classes.ts'
import { eventOperations } from './events.ts'
import { fleetOperations } from './fleet.ts'
import { insightOperations } from './insight.ts'
import type { Operation } from './operation.ts'
import { orphanOperations } from './orphans.ts'
import { platformOperations } from './platform.ts'
import { poolOperations } from './pools.ts'
import { rolloutOperations } from './rollouts.ts'
import type { ApiOptions } from './server.ts'
import { tenantOperations } from './tenants.ts'

/** The operations that are served with these options; each is also described. */
export function allOperations(options: ApiOptions): readonly Operation[] {
  return [
    ...tenantOperations(options),
    ...insightOperations(options),
    ...eventOperations(options),
    ...classOperations(options),
    ...poolOperations(options),
    ...rolloutOperations(options),
    ...fleetOperations(options),
    ...adoptOperations(options),
    ...orphanOperations(options),
    ...platformOperations(options),
  ]
}
