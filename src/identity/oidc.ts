// Tokens of an OIDC issuer: people who log in elsewhere. Believed by the issuer's own public keys, for our audience only.
import { jwtVerify, type JWTPayload } from 'jose'
import type { Clock } from '../../specs/clock.ts'
import { clockToleranceSeconds, refused, type Verdict } from './identity.ts'
import { IssuerKeys, issuerTimes, type IssuerTimes } from './issuer-keys.ts'
import { formProblem, refusalOf } from './jwt.ts'
import { roleOf, type RoleMapping } from './role-claim.ts'

export interface OidcSettings {
  /** As the issuer writes itself, letter by letter. */
  readonly issuer: string
  readonly audience: string
  readonly role: RoleMapping
}

export interface OidcOptions extends OidcSettings {
  readonly clock: Clock
  readonly log: { warn(fields: object, message: string): void }
  readonly times?: Partial<IssuerTimes>
}

/** Asymmetric ones only: with any HS* the issuer's public key would be a password that everybody knows. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']
/** An ID token has none or `JWT`, an access token after RFC 9068 `at+jwt`. */
const types = [undefined, 'jwt', 'at+jwt']
const longestSubject = 255

/** A name for people, from the claims that OIDC has for it; the subject where there is none. */
function nameOf({ email, preferred_username: username, sub }: JWTPayload): string {
  const names: readonly unknown[] = [email, username, sub]
  const name = names.find((one) => typeof one === 'string' && one !== '' && one.length <= longestSubject)
  return typeof name === 'string' ? name : ''
}

function verdictOn(claims: JWTPayload, role: RoleMapping): Verdict {
  const { sub } = claims
  if (typeof sub !== 'string' || sub === '' || sub.length > longestSubject) return refused('claims')
  const id = `oidc:${sub}`
  const found = roleOf(claims, role)
  if (found === undefined) return { kind: 'roleless', id }
  return { kind: 'known', identity: { id, name: nameOf(claims), role: found, selector: undefined } }
}

/** Whose a token is. Rejects with a Fault where the issuer cannot be asked about a key that is not known. */
export function oidcVerifier({ issuer, audience, role, clock, log, times }: OidcOptions) {
  const keys = new IssuerKeys({ issuer, clock, log, times: { ...issuerTimes, ...times } })
  return async (token: string): Promise<Verdict> => {
    const problem = formProblem(token, types)
    if (problem !== undefined) return refused(problem)
    try {
      const { payload } = await jwtVerify(token, (header, jws) => keys.find(header, jws), {
        ...{ algorithms, issuer, audience },
        requiredClaims: ['sub', 'exp', 'iat'],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(clock.now()),
      })
      return verdictOn(payload, role)
    } catch (error) {
      const reason = refusalOf(error)
      if (reason === undefined) throw error
      return refused(reason)
    }
  }
}
