// Which tenants a selector means, for the database and for one tenant. The database leaves out what it can; what it hands over
// is matched again, so that a filter that says too little costs time and never a result. Pure.
import { matchesFields, matchesLabels, type FieldSelector, type LabelSelector } from '../../specs/selector.ts'
import type { Tenant } from '../../specs/tenant.ts'

export interface Selection {
  readonly labels?: LabelSelector | undefined
  readonly fields?: FieldSelector | undefined
}

export const selectableFields = [
  ...['name', 'uid', 'spec.state', 'spec.class', 'spec.region', 'spec.update', 'status.effective'],
  ...['status.machine.state', 'status.machine.id', 'status.volume.id', 'entitlement.state'],
]

function fieldAt(tenant: Tenant, path: string): string | undefined {
  const found = path
    .split('.')
    .reduce<unknown>(
      (inner, key) =>
        typeof inner === 'object' && inner !== null ? new Map(Object.entries(inner)).get(key) : undefined,
      tenant,
    )
  return typeof found === 'string' ? found : undefined
}

/** Whether the tenant is meant. */
export function selects({ labels = [], fields = [] }: Selection, tenant: Tenant): boolean {
  return matchesLabels(labels, tenant.labels) && matchesFields(fields, (path) => fieldAt(tenant, path))
}

/** A key with a dot would be taken for a path. */
function labelFilters(selector: LabelSelector): object[] {
  return selector
    .filter(({ key }) => !key.includes('.'))
    .map((requirement) => {
      const path = `labels.${requirement.key}`
      switch (requirement.kind) {
        case 'in':
          return { [path]: { $in: requirement.values } }
        case 'notIn':
          return { [path]: { $nin: requirement.values } }
        case 'exists':
          return { [path]: { $exists: true } }
        case 'absent':
          return { [path]: { $exists: false } }
      }
    })
}

/** An empty value also means a field that is not there. */
function fieldFilters(selector: FieldSelector): object[] {
  return selector
    .filter(({ value }) => value !== '')
    .map(({ kind, path, value }) => {
      const field = path === 'uid' ? '_id' : path
      return kind === 'is' ? { [field]: value } : { [field]: { $ne: value } }
    })
}

/** The parts of a filter, which together may find more than the selection means and never less. */
export function selectionFilters({ labels = [], fields = [] }: Selection): readonly object[] {
  return [...labelFilters(labels), ...fieldFilters(fields)]
}
