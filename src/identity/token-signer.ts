// Service tokens as text: a JWT that Moorage signs with a key of its own, behind a word by which people and secret scanners
// know it. It says which token it is and until when; what it may do stands in the store.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, jwtVerify, SignJWT } from 'jose'
import type { Clock, Instant } from '../../specs/clock.ts'
import { clockToleranceSeconds, type Refusal } from './identity.ts'
import { formProblem, longestToken, refusalOf } from './jwt.ts'

/** What every service token begins with. */
export const tokenPrefix = 'moor_'

const issuer = 'moorage'
const audience = 'moorage-api'
/** No other JWT of Moorage's has this type, so none can be taken for another (RFC 8725, 3.11). */
const type = 'moorage-service+jwt'

/** Which token, and which of the secrets that it has had. */
export interface TokenReference {
  readonly id: string
  readonly version: number
}

export type TokenReading =
  { readonly ok: true; readonly reference: TokenReference } | { readonly ok: false; readonly reason: Refusal }

export interface TokenSigner {
  sign(token: TokenReference & { readonly expiresAt: Instant }): Promise<string>
  read(text: string): Promise<TokenReading>
}

const jtiShape = /^([a-z2-7]{16})\.([1-9]\d{0,8})$/

function referenceOf(jti: string | undefined): TokenReference | undefined {
  const [, id, version] = jtiShape.exec(jti ?? '') ?? []
  return id === undefined ? undefined : { id, version: Number(version) }
}

async function read(text: string, key: KeyObject, clock: Pick<Clock, 'now'>): Promise<TokenReading> {
  const refusal = (reason: Refusal) => ({ ok: false, reason }) as const
  if (!text.startsWith(tokenPrefix)) return refusal('malformed')
  if (text.length > longestToken) return refusal('oversized')
  const jwt = text.slice(tokenPrefix.length)
  const problem = formProblem(jwt, [type])
  if (problem !== undefined) return refusal(problem)
  try {
    const { payload } = await jwtVerify(jwt, key, {
      ...{ algorithms: ['EdDSA'], issuer, audience, typ: type },
      requiredClaims: ['jti', 'iat', 'exp'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.now()),
    })
    const reference = referenceOf(payload.jti)
    return reference === undefined ? refusal('claims') : { ok: true, reference }
  } catch (error) {
    const reason = refusalOf(error)
    if (reason === undefined) throw error
    return refusal(reason)
  }
}

/** Signs and reads service tokens with an Ed25519 key. */
export async function tokenSigner(key: KeyObject, clock: Pick<Clock, 'now'>): Promise<TokenSigner> {
  const publicKey = createPublicKey(key)
  const kid = await calculateJwkThumbprint(await exportJWK(publicKey))
  return {
    sign: async ({ id, version, expiresAt }) => {
      const jwt = await new SignJWT()
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: type })
        .setIssuer(issuer)
        .setAudience(audience)
        .setJti(`${id}.${version}`)
        .setIssuedAt(new Date(clock.now()))
        .setExpirationTime(new Date(expiresAt))
        .sign(key)
      return `${tokenPrefix}${jwt}`
    },
    read: (text) => read(text, publicKey, clock),
  }
}
