// The keys that sign the tenants' tokens for the LLM proxy. They follow from the master key and the calendar: every process
// knows them without being told, and a key is gone for good once the last token that it signed has expired.
import { createHmac, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from 'jose'
import type { Clock, Instant } from '../specs/clock.ts'

const dayMs = 86_400_000

/** A key signs for so long, and is published for one such time before and one after. No token lives longer. */
export const keyPeriodMs = 30 * dayMs

export const llmIssuer = 'moorage'
export const llmAudience = 'llm-proxy'

/** PKCS #8 header of an Ed25519 private key (RFC 8410, section 7): the 32 bytes of the seed follow. */
const ed25519Header = Buffer.from('302e020100300506032b657004220420', 'hex')

interface SigningKey {
  readonly key: KeyObject
  readonly kid: string
  readonly jwk: JWK
}

export interface LlmKeys {
  /** A token for the tenant, issued now. */
  token(uid: string): Promise<string>
  /** The keys that verify every token that may still be valid, and the next one, so that a cached answer knows it in time. */
  jwks(): Promise<{ readonly keys: readonly JWK[] }>
}

/** Which key signs at this time: they are numbered by thirty days since 1970. */
export const generationAt = (now: Instant) => Math.floor(now / keyPeriodMs)

/** The Ed25519 key of a seed of 32 bytes. */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ed25519Header, seed]), format: 'der', type: 'pkcs8' })
}

async function signingKey(master: Uint8Array, generation: number): Promise<SigningKey> {
  const seed = Buffer.from(hkdfSync('sha256', master, 'moorage/1', `llm-signing\n${generation}`, 32))
  const key = privateKeyOf(seed)
  const jwk = await exportJWK(createPublicKey(key))
  const kid = await calculateJwkThumbprint(jwk)
  return { key, kid, jwk: { ...jwk, kid, alg: 'EdDSA', use: 'sig' } }
}

/** The same for the same tenant and moment, so that a repeated call is not another token. */
function idOf(master: Uint8Array, uid: string, now: Instant): string {
  return createHmac('sha256', master).update(`llm-jti\n${uid}\n${now}`).digest().subarray(0, 16).toString('base64url')
}

/** The keys that follow from a master key. `lifeMs` is a token's life, `keyPeriodMs` at most. */
export function llmKeysFrom(master: Uint8Array, clock: Pick<Clock, 'now'>, lifeMs: number): LlmKeys {
  if (!(lifeMs > 0) || lifeMs > keyPeriodMs) throw new RangeError('an LLM token lives for thirty days at most')
  return {
    token: async (uid) => {
      const now = clock.now()
      const { key, kid } = await signingKey(master, generationAt(now))
      return new SignJWT()
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'at+jwt' })
        .setIssuer(llmIssuer)
        .setAudience(llmAudience)
        .setSubject(uid)
        .setJti(idOf(master, uid, now))
        .setIssuedAt(new Date(now))
        .setExpirationTime(new Date(now + lifeMs))
        .sign(key)
    },
    jwks: async () => {
      const generation = generationAt(clock.now())
      const keys = await Promise.all([-1, 0, 1].map((offset) => signingKey(master, generation + offset)))
      return { keys: keys.map(({ jwk }) => jwk) }
    },
  }
}
