// A tenant as the API shows it: an allow-list, so that what is added to the status later stays inside until it is meant to
// be seen. Pure.
import { z } from 'zod'
import { conditionTypes, type Condition } from '../../specs/conditions.ts'
import { labels } from '../../specs/fields.ts'
import { entitlement, tenantDocument, tenantSpec, type Tenant } from '../../specs/tenant.ts'

export const instant = z.iso.datetime()
const iso = (at: number) => new Date(at).toISOString()

const conditionShape = z
  .strictObject({
    type: z.enum(conditionTypes),
    status: z.enum(['True', 'False', 'Unknown']),
    reason: z.string(),
    message: z.string(),
    observedGeneration: z.int(),
    lastTransitionTime: instant,
    nextTryAt: instant.optional(),
  })
  .meta({ id: 'Condition' })

/** Billing's word, in requests and in answers. */
export const entitlementShape = entitlement.meta({ id: 'Entitlement' })

/** A tenant as it is sent. */
export const tenantInput = tenantDocument.meta({ id: 'TenantDocument' })

export const tenantShape = z
  .strictObject({
    kind: z.literal('Tenant'),
    name: z.string(),
    uid: z.string(),
    labels,
    spec: tenantSpec.meta({ id: 'TenantSpec' }),
    entitlement: entitlementShape,
    parked: z.strictObject({ entitlement: entitlementShape, since: instant }).optional(),
    status: z.strictObject({
      conditions: z.array(conditionShape),
      observedGeneration: z.int(),
      effective: z.string(),
      machine: z
        .strictObject({ id: z.string(), state: z.string(), region: z.string(), incarnation: z.int() })
        .optional(),
      volume: z.strictObject({ id: z.string() }).optional(),
      snapshot: z.strictObject({ id: z.string() }).optional(),
      retainedSince: instant.optional(),
      hosts: z.array(z.string()),
    }),
    generation: z.int(),
    revision: z.int(),
    createdAt: instant,
  })
  .meta({ id: 'Tenant' })

export type TenantView = z.infer<typeof tenantShape>

/** A page of a list. */
export function pageOf<S extends z.ZodType>(item: S) {
  return z.strictObject({ items: z.array(item), nextCursor: z.string().optional() })
}

function conditionView({
  type,
  status,
  reason,
  message,
  observedGeneration,
  lastTransitionTime,
  nextTryAt,
}: Condition): z.infer<typeof conditionShape> {
  const view = { type, status, reason, message, observedGeneration, lastTransitionTime: iso(lastTransitionTime) }
  return nextTryAt === undefined ? view : { ...view, nextTryAt: iso(nextTryAt) }
}

function statusView({ status }: Tenant): TenantView['status'] {
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
    hosts: [...status.hosts],
  }
}

export function tenantView(tenant: Tenant): TenantView {
  const { kind, name, uid, labels, spec, entitlement, parked, generation, revision, createdAt } = tenant
  const waits = parked === undefined ? {} : { parked: { entitlement: parked.entitlement, since: iso(parked.since) } }
  const times = { generation, revision, createdAt: iso(createdAt) }
  return { kind, name, uid, labels, spec, entitlement, ...waits, status: statusView(tenant), ...times }
}
