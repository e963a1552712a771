// Adoption with its adapters: the reconciler's ports, and the database that it fills.
import { adopt, type AdoptionOptions, type AdoptionReport } from '../reconciler/adoption/adopt.ts'
import type { Ports } from '../reconciler/ports.ts'
import type { ClassBook } from '../reconciler/rollout/book.ts'
import type { Db } from 'mongodb'
import type { ClassStore } from './store/classes.ts'
import { ownersIn } from './store/owners.ts'
import type { Tenants } from './store/tenants.ts'

/** The book and the store of classes, as main.ts has opened them. */
export interface AdoptionClasses {
  readonly book: ClassBook
  readonly classes: ClassStore
}

/** A class that has tenants, or an image on its way, is left as it is. */
async function keepImage({ book, classes }: AdoptionClasses, name: string, image: string, dryRun: boolean) {
  const found = await classes.read(name)
  if (found === undefined || found.rollout !== undefined) return false
  if (found.stable === image || dryRun) return true
  const { spec, generation } = found
  const saved = await classes.save({ ...found, spec: { ...spec, image }, stable: image, generation: generation + 1 })
  if (saved !== undefined) book.takeClass(saved)
  return saved !== undefined
}

/** Takes the fleet back into `tenants`. Throws a Fault when Fly cannot be asked or contradicts itself. */
export function adoption(
  ports: Ports,
  db: Db,
  tenants: Tenants,
  classes: AdoptionClasses,
): (options: AdoptionOptions) => Promise<AdoptionReport> {
  const whole = {
    ...ports,
    owners: ownersIn(db),
    add: (tenant: Parameters<Tenants['add']>[0]) => tenants.add(tenant),
    nameTaken: async (name: string) => (await tenants.byName(name)) !== undefined,
    keepImages: async (images: ReadonlyMap<string, string>, dryRun: boolean) => {
      const kept = new Map<string, string>()
      for (const [name, image] of images)
        if ((await tenants.countOfClass(name)) === 0 && (await keepImage(classes, name, image, dryRun)))
          kept.set(name, image)
      return kept
    },
  }
  return (options) => adopt(whole, options)
}
