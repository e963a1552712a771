// All operations of the API, in the order in which they are described.
import { adoptOperations } from './adopt.ts'
import { classOperations } from './classes.ts'
import { docsOperations } from './docs.ts'
import { costOperations } from './costs.ts'
import { eventOperations } from './events.ts'
import { fleetOperations } from './fleet.ts'
import { insightOperations } from './insight.ts'
import type { Operation } from './operation.ts'
import { orphanOperations } from './orphans.ts'
import { pairingOperations } from './pairings.ts'
import { platformOperations } from './platform.ts'
import { rolloutOperations } from './rollouts.ts'
import type { ApiOptions } from './server.ts'
import { tenantOperations } from './tenants.ts'

/** The operations that are served with these options; each is also described. */
export function allOperations(options: ApiOptions): readonly Operation[] {
  const served: readonly Operation[] = [
    ...tenantOperations(options),
    ...insightOperations(options),
    ...pairingOperations(options),
    ...eventOperations(options),
    ...costOperations({ ...options, ...options.money }),
    ...classOperations(options),
    ...rolloutOperations(options),
    ...fleetOperations(options),
    ...adoptOperations(options),
    ...orphanOperations(options),
    ...platformOperations(options),
    ...docsOperations(() => served),
  ]
  return served
}
