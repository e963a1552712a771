// Which members a new tenant can have, the readiest first, and what becomes of one when it is claimed. Pure.
import type { ClassSpec } from '../../specs/class.ts'
import type { Instant } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'

/** What a new tenant may want of its own without needing a machine of its own. */
function isPlain({ spec, entitlement }: Tenant, defaults: ClassSpec): boolean {
  const { guest } = spec
  const sameGuest =
    guest === undefined ||
    (guest.cpuKind === defaults.guest.cpuKind &&
      guest.cpus === defaults.guest.cpus &&
      guest.memoryMb === defaults.guest.memoryMb)
  // A volume grows while it is used; a smaller one than the class's cannot be had from a pool.
  const fitsVolume = (spec.volume?.sizeGb ?? defaults.volume.sizeGb) >= defaults.volume.sizeGb
  return spec.state === 'running' && entitlement.state === 'active' && !spec.paused && sameGuest && fitsVolume
}

/** The tenant that a member becomes: its words, the member's uid, machine and volume. */
export function claimedFrom(member: Tenant, tenant: Tenant, now: Instant): Tenant {
  const { uid, status, generation, revision, pool } = member
  const { warm, ...rest } = status
  const { effective, hosts, route } = tenant.status
  const { name: poolName = '', tier = 'running' } = pool ?? {}
  return {
    ...tenant,
    ...{ uid, generation, revision, createdAt: now },
    claim: { at: now, pool: poolName, tier, image: warm?.image ?? '' },
    status: { ...rest, effective, hosts, route, conditions: [] },
  }
}

const tierOrder = ({ pool }: Tenant) => (pool?.tier === 'running' ? 0 : 1)

/** Running ones before sleeping ones, and of each the one that has waited longest. */
function readiest(a: Tenant, b: Tenant): number {
  return tierOrder(a) - tierOrder(b) || (a.status.warm?.since ?? 0) - (b.status.warm?.since ?? 0)
}

/**
 * The members that `tenant` can have, each as the tenant that it would become, in the order in which they are to be tried.
 * `classOf` says which image that very tenant is to have now.
 */
export function fitting(
  tenant: Tenant,
  members: readonly Tenant[],
  classOf: (tenant: Tenant) => ClassSpec | undefined,
  now: Instant,
): readonly { readonly member: Tenant; readonly claimed: Tenant }[] {
  return [...members].sort(readiest).flatMap((member) => {
    const claimed = claimedFrom(member, tenant, now)
    const defaults = classOf(claimed)
    if (defaults === undefined || !isPlain(tenant, defaults)) return []
    const image = tenant.spec.image ?? defaults.image
    return member.status.warm?.image === image ? [{ member, claimed }] : []
  })
}
