// When a tenant rests, so that a phase is over.
import { findCondition } from '../../../specs/conditions.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import type { Cast } from './actions.ts'
import type { Stage } from './stage.ts'

/** Nothing is under way and nothing is planned: as wanted, or waiting for a person. */
function atRest({ generation, status }: Tenant): boolean {
  const { conditions, observedGeneration } = status
  const synced = findCondition(conditions, 'Synced')
  const moving = findCondition(conditions, 'Reconciling')?.status === 'True'
  return observedGeneration === generation && !moving && synced?.nextTryAt === undefined
}

/** Asks whether every tenant has been looked at since, and rests. It reads them again only after another look or step. */
export function allRest(
  { stores, recorder }: Stage,
  { uids }: Cast,
  since: ReadonlyMap<string, number>,
): () => Promise<boolean> {
  let asked = -1
  return async () => {
    if (asked === recorder.ended) return false
    asked = recorder.ended
    for (const uid of uids.values()) {
      const tenant = await stores.tenants.get(uid)
      if (tenant === undefined) continue
      if ((recorder.looks.get(uid) ?? 0) <= (since.get(uid) ?? 0) || !atRest(tenant)) return false
    }
    return true
  }
}
