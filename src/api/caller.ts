// Who calls: set once for each request by auth.ts, read by whatever serves it.
import type { Context } from 'koa'
import type { Role } from '../identity/identity.ts'
import { Problem } from './problem.ts'

export { roles, type Role } from '../identity/identity.ts'

export interface Caller {
  /** Stable, for rate limits, repeated requests and the audit; no secret. */
  readonly id: string
  /** For people; left out, it is the id. */
  readonly name?: string
  readonly role: Role
  /** Limits the caller to the tenants whose labels it matches; undefined: all of them. */
  readonly selector: string | undefined
}

interface CallerState {
  caller?: Caller
}

/** The caller of a request; undefined where nobody said who they are, which only an open operation allows. */
export function knownCaller(context: Context): Caller | undefined {
  return (context.state as CallerState).caller
}

export function setCaller(context: Context, caller: Caller): void {
  ;(context.state as CallerState).caller = caller
}

/** The caller of an operation that is not open. Throws 401 where there is none. */
export function callerOf(context: Context): Caller {
  const caller = knownCaller(context)
  if (caller === undefined) throw unauthorized()
  return caller
}

/** Who says a word of billing's; undefined: billing itself. */
export function inBillingsPlace(context: Context): 'admin' | undefined {
  return callerOf(context).role === 'admin' ? 'admin' : undefined
}

/** The 401; it tells nothing but how to ask. */
export function unauthorized(): Problem {
  const headers = { 'WWW-Authenticate': 'Bearer realm="moorage"' }
  return new Problem(401, 'unauthorized', 'Send the header "Authorization: Bearer <token>".', { headers })
}

/** Throws 403 where the caller's role is none of these. */
export function checkRole({ role }: Caller, allowed: readonly Role[]): void {
  if (allowed.includes(role)) return
  const needed = allowed.length === 1 ? `the role ${allowed.join('')}` : `one of the roles ${allowed.join(', ')}`
  throw new Problem(403, 'forbidden', `This needs ${needed}; the token has the role ${role}.`, {
    extra: { needed: allowed },
  })
}
