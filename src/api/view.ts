// A tenant as the API shows it: an allow-list, so that what is added to the status later stays inside until it is meant to
// be seen. Pure.
import type { Condition } from '../../specs/conditions.ts'
import type { Tenant } from '../../specs/tenant.ts'

const iso = (instant: number) => new Date(instant).toISOString()

function conditionView({
  type,
  status,
  reason,
  message,
  observedGeneration,
  lastTransitionTime,
  nextTryAt,
}: Condition) {
  const view = { type, status, reason, message, observedGeneration, lastTransitionTime: iso(lastTransitionTime) }
  return nextTryAt === undefined ? view : { ...view, nextTryAt: iso(nextTryAt) }
}

function statusView({ status }: Tenant) {
  const { machine, volume, snapshot, retainedSince } = status
  return {
    conditions: status.conditions.map(conditionView),
    observedGeneration: status.observedGeneration,
    effective: status.effective,
    ...(machine === undefined
      ? {}
      : {
          machine: { id: machine.id, state: machine.state, region: machine.region, incarnation: machine.incarnation },
        }),
    ...(volume === undefined ? {} : { volume: { id: volume.id } }),
    ...(snapshot?.id === undefined ? {} : { snapshot: { id: snapshot.id } }),
    ...(retainedSince === undefined ? {} : { retainedSince: iso(retainedSince) }),
    hosts: status.hosts,
  }
}

export function tenantView(tenant: Tenant): object {
  const { kind, name, uid, labels, spec, entitlement, parked, generation, revision, createdAt } = tenant
  const waits = parked === undefined ? {} : { parked: { entitlement: parked.entitlement, since: iso(parked.since) } }
  const times = { generation, revision, createdAt: iso(createdAt) }
  return { kind, name, uid, labels, spec, entitlement, ...waits, status: statusView(tenant), ...times }
}
