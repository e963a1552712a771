// The indexes that the store rests on, applied at each start; applying them again changes nothing.
import type { Db } from 'mongodb'

/** A name is unique among tenants that are not purged, so that it can be used again after the purge. */
export async function applySchema(db: Db): Promise<void> {
  await db
    .collection('tenants')
    .createIndex({ name: 1 }, { name: 'live_name', unique: true, partialFilterExpression: { purged: false } }, {})
}
