// What is in a database, to be compared.
import type { Db } from 'mongodb'

/** Kept answers are no change of anything that a caller could see. */
const aside = new Set(['replays', 'heads'])
/** When a token was last used is noted whatever it was used for. */
const withoutUse = (key: string, value: unknown) => (key === 'lastUsedAt' ? undefined : value)
/** A refusal is in the audit, without any change. */
const ofAudit = { 'changes.0': { $exists: true } }

/** The whole database as text, collection by collection: what a refusal or a dry run must leave as it is. */
export async function everything(db: Db): Promise<string> {
  const found: unknown[] = []
  for (const { name } of await db.listCollections().toArray()) {
    if (aside.has(name)) continue
    const filter = name === 'audit' ? ofAudit : {}
    found.push([name, await db.collection(name).find(filter).sort({ _id: 1 }).toArray()])
  }
  return JSON.stringify(found.sort(), withoutUse)
}
