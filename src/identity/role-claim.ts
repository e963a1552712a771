// From what an issuer says about somebody to a role of ours. Pure.
import { roles, type Role } from './identity.ts'

export interface RoleMapping {
  /** The claim that holds the role: its name, or a path with dots such as `realm_access.roles`. */
  readonly claim: string
  /** The values of the claim that stand for a role. */
  readonly values: Readonly<Record<Role, readonly string[]>>
}

type Claims = Readonly<Record<string, unknown>>

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Claims)[name] : undefined
}

/** A name may have dots itself (namespaced claims are URLs), so the whole comes first. */
function claimAt(claims: Claims, path: string): unknown {
  return member(claims, path) ?? path.split('.').reduce<unknown>(member, claims)
}

function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((one) => typeof one === 'string')
}

/** The first role, in the order admin, billing, viewer, that a value stands for; undefined: none. */
export function roleOf(claims: Claims, { claim, values }: RoleMapping): Role | undefined {
  const said = textsOf(claimAt(claims, claim))
  return roles.find((role) => values[role].some((value) => said.includes(value)))
}

/** Reads `admin=ops,admin=root,billing=finance`; a role that is not named stands for itself. Undefined where it is no such list. */
export function readRoleValues(text: string): RoleMapping['values'] | undefined {
  const pairs = text.split(',').map((pair) => pair.trim().split('='))
  const isRole = (name: string | undefined): name is Role => roles.some((role) => role === name)
  const known = pairs.flatMap(([role, value = '', ...more]) =>
    isRole(role) && value !== '' && more.length === 0 ? [{ role, value }] : [],
  )
  if (known.length !== pairs.length) return undefined
  const of = (role: Role) => known.flatMap((pair) => (pair.role === role ? [pair.value] : []))
  const values = (role: Role) => (of(role).length === 0 ? [role] : of(role))
  return { admin: values('admin'), billing: values('billing'), viewer: values('viewer') }
}
