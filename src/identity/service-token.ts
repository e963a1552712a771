// A service token as it is kept: everything but its secret. Pure.
import type { Instant } from '../../specs/clock.ts'
import type { Refusal, Role } from './identity.ts'
import type { TokenReference } from './token-signer.ts'

export interface ServiceToken {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** A label selector; undefined: every tenant. */
  readonly selector?: string | undefined
  readonly createdAt: Instant
  /** The id of who made it. */
  readonly createdBy: string
  readonly expiresAt: Instant
  /** +1 with each rotation: which secret is the present one. */
  readonly version: number
  /** The secret before that one, while it is still taken. */
  readonly previous?: { readonly version: number; readonly until: Instant } | undefined
  readonly revokedAt?: Instant | undefined
  /** To the minute. */
  readonly lastUsedAt?: Instant | undefined
  /** +1 on every write but that of the last use. */
  readonly revision: number
}

export const day = 86_400_000
export const tokenLife = { usualDays: 90, mostDays: 366 } as const
/** How long a secret is taken after it was rotated. */
export const graceHours = { usual: 1, most: 168 } as const

/** Why the secret is not taken; undefined where it is. */
export function tokenProblem(token: ServiceToken, { version }: TokenReference, now: Instant): Refusal | undefined {
  if (token.revokedAt !== undefined) return 'revoked'
  if (version === token.version) return now < token.expiresAt ? undefined : 'expired'
  const { previous } = token
  return previous?.version === version && now < previous.until ? undefined : 'revoked'
}

/** The token with a new secret to come; the present one is taken until then. */
export function rotated(token: ServiceToken, expiresAt: Instant, until: Instant): ServiceToken {
  const { version } = token
  return { ...token, version: version + 1, expiresAt, previous: { version, until: Math.min(until, token.expiresAt) } }
}
