// The indexes that the store rests on, applied at each start; applying them again changes nothing.
import type { Db } from 'mongodb'
import { applyArrivalSchema } from './arrivals.ts'
import { applyAuditSchema } from './audit.ts'
import { applyBillingSchema } from './billing.ts'
import { applyEventSchema } from './events.ts'
import { applyUsageSchema } from './usage.ts'
import { applyReplaySchema } from './replays.ts'
import { applyTokenSchema } from './tokens.ts'
import { applyWebhookSchema } from './webhooks.ts'

/**
 * A name is unique among tenants that are not purged, so that it can be used again after the purge; so is each domain of
 * theirs. Tenants without domains stay out of that index: an empty list would count as a value that they all share.
 */
export async function applySchema(db: Db): Promise<void> {
  const tenants = db.collection('tenants')
  const live = { purged: false }
  await tenants.createIndex({ name: 1 }, { name: 'live_name', unique: true, partialFilterExpression: live }, {})
  const inPool = { 'pool.name': { $exists: true } }
  const withDomains = { ...live, 'spec.domains.0': { $exists: true } }
  await tenants.createIndex(
    { 'spec.domains': 1 },
    { name: 'live_domain', unique: true, partialFilterExpression: withDomains },
    {},
  )
  await tenants.createIndex({ 'pool.name': 1 }, { name: 'pool_member', partialFilterExpression: inPool }, {})
  const claimed = { 'claim.at': { $exists: true } }
  await tenants.createIndex({ 'claim.at': 1 }, { name: 'claimed_at', partialFilterExpression: claimed }, {})
  await applyEventSchema(db)
  await applyArrivalSchema(db)
  await applyUsageSchema(db)
  await applyBillingSchema(db)
  await applyReplaySchema(db)
  await applyTokenSchema(db)
  await applyWebhookSchema(db)
  await applyAuditSchema(db)
}
