// What a valid document may still not ask for, given the classes, the platform's domain and what the tenant is already.
import { resolveSpec, type Classes } from '../../specs/class.ts'
import type { CertificatePolicy } from '../../specs/names.ts'
import type { Tenant, TenantSpec } from '../../specs/tenant.ts'
import type { Tenants } from '../store/tenants.ts'
import { Problem, refused, type Violation } from './problem.ts'

export interface RuleContext {
  readonly tenants: Tenants
  readonly classes: Classes
  readonly policy: CertificatePolicy
  /** Throws 403 where a tenant with these labels would be none of the caller's. */
  readonly admits?: ((name: string, labels: Tenant['labels']) => void) | undefined
}

/** The class is one that exists. */
function classRule({ classes }: RuleContext, spec: TenantSpec): Violation[] {
  if (classes.get(spec.class) !== undefined) return []
  const known = classes.names().join(', ')
  return [{ code: 'invalid', path: 'spec.class', detail: `must be one of the classes that exist: ${known}` }]
}

/** A host under the platform's own domain is some tenant's already, or could be: claiming it would be a takeover. */
function platformRule({ policy }: RuleContext, spec: TenantSpec): Violation[] {
  const detail = `must not lie under the platform's own domain ${policy.domain}`
  return spec.domains.flatMap((host, index) =>
    host === policy.domain || host.endsWith(`.${policy.domain}`)
      ? [{ code: 'invalid', path: `spec.domains[${index}]`, detail }]
      : [],
  )
}

/** A domain leads to one tenant; whose it is, is nobody else's business. */
async function takenRule({ tenants }: RuleContext, spec: TenantSpec, uid: string): Promise<Violation[]> {
  const other = await tenants.withDomain(spec.domains, uid)
  return spec.domains.flatMap((host, index) =>
    other?.spec.domains.includes(host) === true
      ? [{ code: 'domain-taken', path: `spec.domains[${index}]`, detail: 'is in use already' }]
      : [],
  )
}

function hasResources({ status }: Tenant): boolean {
  return status.volume !== undefined || status.machine !== undefined || status.intent !== undefined
}

function regionRule(spec: TenantSpec, before: Tenant): Violation[] {
  if (spec.region === before.spec.region) return []
  const detail = `cannot change: the tenant's data is in ${before.spec.region}`
  return [{ code: 'immutable', path: 'spec.region', detail }]
}

/** What the class gives counts as wished for: a smaller class shrinks as well as a smaller number. */
function sizeRule({ classes }: RuleContext, spec: TenantSpec, before: Tenant): Violation[] {
  const [was, wanted] = [classes.get(before.spec.class), classes.get(spec.class)]
  if (was === undefined || wanted === undefined) return []
  const { volumeSizeGb: now } = resolveSpec(before.spec, was.spec)
  if (resolveSpec(spec, wanted.spec).volumeSizeGb >= now) return []
  const detail = `must be at least ${now}: a volume grows and never shrinks`
  return [{ code: 'immutable', path: 'spec.volume.sizeGb', detail }]
}

/** Throws a Problem with every rule that the spec breaks; `before` is the tenant as it is, if it is. */
export async function checkRules(context: RuleContext, spec: TenantSpec, before: Tenant | undefined): Promise<void> {
  const bound = before !== undefined && hasResources(before)
  const violations = [
    ...classRule(context, spec),
    ...platformRule(context, spec),
    ...(bound ? [...regionRule(spec, before), ...sizeRule(context, spec, before)] : []),
    ...(await takenRule(context, spec, before?.uid ?? '')),
  ]
  if (violations.length > 0) throw refused(violations)
}

/** The name in the document is the one in the address. */
export function checkName(name: string, inBody: string): void {
  if (name !== inBody) throw refused([{ code: 'invalid', path: 'name', detail: `must be ${name}, as in the address` }])
}

export function notFound(name: string): Problem {
  return new Problem(404, 'not-found', `There is no tenant named ${name}.`)
}
