// What a valid document may still not ask for, given the classes, the platform's domain and what the tenant is already.
import { resolveSpec, type ClassDocument } from '../../specs/class.ts'
import type { CertificatePolicy } from '../../specs/names.ts'
import type { Tenant, TenantSpec } from '../../specs/tenant.ts'
import type { Tenants } from '../store/tenants.ts'
import { Problem, wrongField } from './problem.ts'

export interface RuleContext {
  readonly tenants: Tenants
  readonly classes: ReadonlyMap<string, ClassDocument>
  readonly policy: CertificatePolicy
}

function checkClass({ classes }: RuleContext, spec: TenantSpec): ClassDocument {
  const found = classes.get(spec.class)
  if (found !== undefined) return found
  const known = [...classes.keys()].sort().join(', ')
  throw wrongField('invalid', 400, 'spec.class', `must be one of the classes that exist: ${known}`)
}

/** A host under the platform's own domain is some tenant's already, or could be: claiming it would be a takeover. */
function checkOwnDomain({ policy }: RuleContext, spec: TenantSpec): void {
  const index = spec.domains.findIndex((host) => host === policy.domain || host.endsWith(`.${policy.domain}`))
  if (index >= 0)
    throw wrongField(
      'invalid',
      400,
      `spec.domains[${index}]`,
      `must not lie under the platform's own domain ${policy.domain}`,
    )
}

async function checkTaken({ tenants }: RuleContext, spec: TenantSpec, uid: string): Promise<void> {
  const other = await tenants.withDomain(spec.domains, uid)
  if (other === undefined) return
  const index = spec.domains.findIndex((host) => other.spec.domains.includes(host))
  throw wrongField('domain-taken', 409, `spec.domains[${Math.max(0, index)}]`, 'is in use already')
}

function hasResources({ status }: Tenant): boolean {
  return status.volume !== undefined || status.machine !== undefined || status.intent !== undefined
}

/** A volume cannot change its region, and it only grows. */
function checkImmutable({ classes }: RuleContext, spec: TenantSpec, wanted: ClassDocument, before: Tenant): void {
  if (!hasResources(before)) return
  if (spec.region !== before.spec.region)
    throw wrongField('immutable', 400, 'spec.region', `cannot change: the tenant's data is in ${before.spec.region}`)
  const beforeClass = classes.get(before.spec.class)
  if (beforeClass === undefined) return
  const { volumeSizeGb: now } = resolveSpec(before.spec, beforeClass.spec)
  const { volumeSizeGb: next } = resolveSpec(spec, wanted.spec)
  if (next < now)
    throw wrongField(
      'immutable',
      400,
      'spec.volume.sizeGb',
      `must be at least ${now}: a volume grows and never shrinks`,
    )
}

/** Throws the Problem of the first rule that the spec breaks; `before` is the tenant as it is, if it is. */
export async function checkRules(context: RuleContext, spec: TenantSpec, before: Tenant | undefined): Promise<void> {
  const wanted = checkClass(context, spec)
  checkOwnDomain(context, spec)
  if (before !== undefined) checkImmutable(context, spec, wanted, before)
  await checkTaken(context, spec, before?.uid ?? '')
}

/** The name in the document is the one in the address. */
export function checkName(name: string, inBody: string): void {
  if (name !== inBody) throw wrongField('invalid', 400, 'name', `must be ${name}, as in the address`)
}

export function notFound(name: string): Problem {
  return new Problem(404, 'not-found', `There is no tenant named ${name}.`)
}
