// A tenant that did not exist before.
import type { Clock } from '../../specs/clock.ts'
import { effectiveState } from '../../specs/effective.ts'
import { newUid, tenantHosts, type CertificatePolicy } from '../../specs/names.ts'
import type { Entitlement, Tenant, TenantDocument } from '../../specs/tenant.ts'

/** The first state of a tenant: wanted, and nothing done about it yet. */
export function newTenant(
  { name, labels, spec, entitlement: forced }: TenantDocument & { readonly entitlement?: Entitlement | undefined },
  { clock, policy }: { readonly clock: Clock; readonly policy: CertificatePolicy },
): Tenant {
  const entitlement = forced ?? { state: 'active' }
  return {
    kind: 'Tenant',
    uid: newUid((length) => clock.bytes(length)),
    name,
    labels,
    spec,
    entitlement,
    ...(forced === undefined ? {} : { entitledBy: 'admin' }),
    status: {
      observedGeneration: 0,
      effective: effectiveState({ admin: spec.state, billing: entitlement.state, idle: 'awake' }),
      conditions: [],
      hosts: tenantHosts(name, spec.domains, policy),
      route: { kind: 'closed', reason: 'provisioning' },
    },
    generation: 1,
    revision: 1,
    createdAt: clock.now(),
  }
}
