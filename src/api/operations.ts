// All operations of the API, in the order in which they are described.
import { adoptOperations } from './adopt.ts'
import { auditOperations } from './audit.ts'
import { bulkOperations } from './bulk.ts'
import { classOperations } from './classes.ts'
import { docsOperations } from './docs.ts'
import { billingOperations } from './billing.ts'
import { costOperations } from './costs.ts'
import { eventOperations } from './events.ts'
import { feedsOf } from './feeds.ts'
import { fleetOperations } from './fleet.ts'
import { insightOperations } from './insight.ts'
import { llmOperations } from './llm.ts'
import type { Operation } from './operation.ts'
import { orphanOperations } from './orphans.ts'
import { pairingOperations } from './pairings.ts'
import { platformOperations } from './platform.ts'
import { poolOperations } from './pools.ts'
import { rolloutOperations } from './rollouts.ts'
import type { ApiOptions } from './server.ts'
import { tenantOperations } from './tenants.ts'
import { tokenOperations } from './tokens.ts'
import { webhookOperations } from './webhooks.ts'

/** The operations that are served with these options; each is also described. */
export function allOperations(given: ApiOptions): readonly Operation[] {
  const options = { ...given, feeds: feedsOf(given) }
  const served: readonly Operation[] = [
    ...tenantOperations(options),
    ...bulkOperations(options),
    ...insightOperations(options),
    ...pairingOperations(options),
    ...eventOperations(options),
    ...billingOperations({ ...options, ...options.money }),
    ...webhookOperations({ ...options, ...options.money }),
    ...costOperations({ ...options, ...options.money }),
    ...classOperations(options),
    ...poolOperations(options),
    ...rolloutOperations(options),
    ...fleetOperations(options),
    ...adoptOperations(options),
    ...orphanOperations(options),
    ...llmOperations(options),
    ...tokenOperations(options),
    ...auditOperations(options),
    ...platformOperations(options),
    ...docsOperations(() => served),
  ]
  return served
}
