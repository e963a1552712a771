// Whose a uid is: tenants and tombstones, read by majority (the client's read concern, store/open.ts) from the primary.
import type { Db } from 'mongodb'
import type { Owner, Owners } from '../../reconciler/owner.ts'
import type { TenantRecord } from './tenants.ts'

type Part = Pick<TenantRecord, '_id' | 'name' | 'purged'> & {
  readonly status: Partial<Pick<TenantRecord['status'], 'machine' | 'volume' | 'fenced' | 'retired' | 'intent'>>
}

const projection = {
  name: 1,
  purged: 1,
  'status.machine.id': 1,
  'status.volume.id': 1,
  'status.fenced': 1,
  'status.retired': 1,
  'status.intent.kind': 1,
  'status.intent.name': 1,
} as const

function ownerOf({ _id: uid, name, purged, status }: Part): Owner {
  const volume = status.volume?.id
  if (purged) return { kind: 'tombstone', uid, name, volume }
  const { machine, fenced = [], intent } = status
  const retired = (status.retired ?? []).map(({ id }) => id)
  return { kind: 'tenant', uid, name, machine: machine?.id, volume, fenced, retired, intent }
}

/** The owners in a database. */
export function ownersIn(db: Db): Owners {
  const collection = db.collection<TenantRecord>('tenants')
  return {
    of: async (uids) => {
      const found = await collection.find<Part>({ _id: { $in: [...uids] } }, { projection }).toArray()
      return new Map(found.map((part) => [part._id, ownerOf(part)]))
    },
  }
}
