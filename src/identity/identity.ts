// Who somebody is, once a token has been believed; and the closed list of why one is not.

export const roles = ['admin', 'billing', 'viewer'] as const
export type Role = (typeof roles)[number]

export interface Identity {
  /** Stable and no secret: `token:<id>` or `oidc:<subject>`. */
  readonly id: string
  /** For people: what a token is called, or whose it is. */
  readonly name: string
  readonly role: Role
  /** Limits it to the tenants whose labels match; undefined: all of them. */
  readonly selector: string | undefined
}

/** Why a token is not believed. For the log; who sent it is told nothing but that it is not. */
export type Refusal =
  | 'oversized'
  | 'malformed'
  | 'header'
  | 'algorithm'
  | 'key'
  | 'signature'
  | 'expired'
  | 'not-yet-valid'
  | 'issuer'
  | 'audience'
  | 'claims'
  | 'unknown'
  | 'revoked'

export type Verdict =
  | { readonly kind: 'known'; readonly identity: Identity }
  /** The issuer vouches for somebody who has no role here. */
  | { readonly kind: 'roleless'; readonly id: string }
  | { readonly kind: 'refused'; readonly reason: Refusal }

/** How far two clocks may be apart, in seconds. */
export const clockToleranceSeconds = 30

export const refused = (reason: Refusal): Verdict => ({ kind: 'refused', reason })
