// What is asked of any JWT before a key is looked for, and what jose's refusals mean. After RFC 8725: one set of algorithms,
// no key that the token brings along, the type that is expected here.
import { decodeProtectedHeader, errors, type ProtectedHeaderParameters } from 'jose'
import type { Refusal } from './identity.ts'

/** Longer than any token with a sensible number of groups in it. */
export const longestToken = 8_192

const compact = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/

/** A key, or where to get one, from whoever wrote the token; extensions that change what is signed. */
const unwelcome = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'] as const

type Header = ProtectedHeaderParameters & Readonly<Record<string, unknown>>

function headerOf(token: string): Header | undefined {
  try {
    return decodeProtectedHeader(token)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

/** `application/` may be left out, and case does not count (RFC 7515, 4.1.9). */
function typeOf({ typ }: Header): string | undefined {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined
}

/** Why the token is not worth looking for a key; undefined where it is. `types`: undefined stands for none at all. */
export function formProblem(token: string, types: readonly (string | undefined)[]): Refusal | undefined {
  if (token.length > longestToken) return 'oversized'
  if (!compact.test(token)) return 'malformed'
  const header = headerOf(token)
  if (header === undefined) return 'malformed'
  if (unwelcome.some((name) => name in header)) return 'header'
  if (header.typ !== undefined && typeof header.typ !== 'string') return 'header'
  return types.includes(typeOf(header)) ? undefined : 'header'
}

const claimRefusals: Readonly<Record<string, Refusal>> = { iss: 'issuer', aud: 'audience', nbf: 'not-yet-valid' }

/** What an error of jose's says about the token; undefined: it is not about the token. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusals[error.claim] ?? 'claims'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return 'key'
  if (error instanceof errors.JOSENotSupported) return 'header'
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed'
  return undefined
}
