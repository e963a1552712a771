// Which image a tenant gets now: its class's stable one, or the one of the rollout that has reached it. Pure.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ClassSpec, StoredClass } from '../../specs/class.ts'
import { internalLabel, lastWave, waves, type Rollout } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'

/** A class and the rollout that it names, if that is known already. */
export interface ClassEntry {
  readonly class: StoredClass
  readonly rollout: Rollout | undefined
}

/** A number in [0, 1) that is the same in every process: another order of tenants for each rollout. */
export function shareOf(uid: string, rollout: string): number {
  return createHash('sha256').update(`${uid}\n${rollout}`).digest().readUIntBE(0, 6) / 2 ** 48
}

/** The number of the wave that a tenant belongs to. */
export function waveOf(
  { uid, labels, status, pool, claim }: Tenant,
  { id, canaries, to }: Pick<Rollout, 'id' | 'canaries'> & Partial<Pick<Rollout, 'to'>>,
): number {
  // Pools come first, and a tenant that claims one of their new machines keeps what it runs.
  if (pool !== undefined || status.effective === 'pool-warm') return 0
  if (claim !== undefined && claim.image === to) return 0
  if (labels[internalLabel] === 'true') return 1
  const share = shareOf(uid, id)
  return canaries.find((canary) => canary.uid === uid)?.wave ?? waves.findIndex((wave) => share < wave.share)
}

/** A tenant with an image of its own takes no part, nor does one that is to go. */
export function takesPart({ spec }: Tenant): boolean {
  return spec.image === undefined && spec.state !== 'deleted'
}

function reaches(rollout: Rollout, tenant: Tenant): boolean {
  const { state, wave } = rollout
  switch (state) {
    case 'rolling':
    case 'halted':
      return wave === lastWave || waveOf(tenant, rollout) <= wave
    case 'done':
      return true
    case 'rolled-back':
    case 'superseded':
      return false
  }
}

/** The class's image for this tenant. Without a rollout that says otherwise it is the stable one. */
export function imageOf({ class: { stable }, rollout }: ClassEntry, tenant: Tenant): string {
  return rollout !== undefined && reaches(rollout, tenant) ? rollout.to : stable
}

/** The class for this tenant. */
export function classSpecOf(entry: ClassEntry, tenant: Tenant): ClassSpec {
  return { ...entry.class.spec, image: imageOf(entry, tenant) }
}

/** Whether two versions of a class surely give every tenant the same; counts and notes of a rollout change nothing. */
export function sameEffect(a: ClassEntry | undefined, b: ClassEntry | undefined): boolean {
  const effect = ({ class: { spec, stable }, rollout }: ClassEntry) => ({
    spec: { ...spec, image: stable },
    rollout: rollout && { id: rollout.id, state: rollout.state, wave: rollout.wave, canaries: rollout.canaries },
  })
  return isDeepStrictEqual(a && effect(a), b && effect(b))
}
