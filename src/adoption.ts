// Adoption with its adapters: the reconciler's ports, and the database that it fills.
import { adopt, type AdoptionOptions, type AdoptionReport } from '../reconciler/adoption/adopt.ts'
import type { Ports } from '../reconciler/ports.ts'
import type { Db } from 'mongodb'
import { ownersIn } from './store/owners.ts'
import type { Tenants } from './store/tenants.ts'

/** Takes the fleet back into `tenants`. Throws a Fault when Fly cannot be asked or contradicts itself. */
export function adoption(
  ports: Ports,
  db: Db,
  tenants: Tenants,
): (options: AdoptionOptions) => Promise<AdoptionReport> {
  const whole = {
    ...ports,
    owners: ownersIn(db),
    add: (tenant: Parameters<Tenants['add']>[0]) => tenants.add(tenant),
    nameTaken: async (name: string) => (await tenants.byName(name)) !== undefined,
  }
  return (options) => adopt(whole, options)
}
