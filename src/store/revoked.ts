// Whose tokens for the LLM proxy count no more although they have not expired: tenants that their owners do not want to run.
import type { Db } from 'mongodb'
import { effectiveState } from '../../specs/effective.ts'
import type { Instant } from '../../specs/clock.ts'
import type { TenantRecord } from './tenants.ts'

/** The uids, sorted: of tenants that are suspended or deleted, and of those purged after `since`. */
export function revokedIn(db: Db): (since: Instant) => Promise<readonly string[]> {
  const tenants = db.collection<TenantRecord>('tenants')
  const projection = { 'spec.state': 1, entitlement: 1, purged: 1 } as const
  return async (since) => {
    const withheld = [
      { 'spec.state': { $ne: 'running' as const } },
      { 'entitlement.state': { $ne: 'active' as const } },
    ]
    // What was purged before it counts no more has no token that is still valid.
    const gone = { purged: true, 'status.purgingSince': { $gt: since } }
    const records = await tenants.find({ $or: [{ purged: false, $or: withheld }, gone] }, { projection }).toArray()
    return records
      .filter(({ purged, spec, entitlement }) => {
        const effective = effectiveState({ admin: spec.state, billing: entitlement.state, idle: 'awake' })
        return purged || effective !== 'running'
      })
      .map(({ _id }) => _id)
      .sort()
  }
}
