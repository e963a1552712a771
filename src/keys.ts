// Every secret of a tenant, derived from one master key: nothing secret is stored, and the same question gets the same
// answer in every process. Losing the master key means new tokens for every machine; leaking it means all of them.
import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, SignJWT, type JWK } from 'jose'
import type { Secrets } from '../reconciler/ports.ts'
import type { Clock } from '../specs/clock.ts'

export interface Keys extends Secrets {
  /** The public keys that verify the tenants' LLM tokens. */
  jwks(): { readonly keys: readonly JWK[] }
}

/** PKCS #8 header of an Ed25519 private key (RFC 8410, section 7): the 32 bytes of the seed follow. */
const ed25519Header = Buffer.from('302e020100300506032b657004220420', 'hex')

/** How long an LLM token lives. Until tokens are rotated by themselves it outlives the machine's next update. */
const llmTokenLife = '365d'

function derive(master: Uint8Array, purpose: string, ...context: readonly (string | number)[]): Buffer {
  return Buffer.from(hkdfSync('sha256', master, 'moorage/1', [purpose, ...context].join('\n'), 32))
}

function signingKey(master: Uint8Array, purpose: 'llm-signing' | 'service-token-signing'): KeyObject {
  const key = Buffer.concat([ed25519Header, derive(master, purpose, 1)])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

/** What the service tokens of the API are signed with. */
export const serviceTokenKey = (master: Uint8Array): KeyObject => signingKey(master, 'service-token-signing')

/** The keys that follow from a master key of 32 bytes. */
export async function keysFrom(master: Uint8Array, clock: Pick<Clock, 'now'>): Promise<Keys> {
  if (master.length !== 32) throw new RangeError('the master key must have 32 bytes')
  const signer = signingKey(master, 'llm-signing')
  const publicJwk = await exportJWK(createPublicKey(signer))
  const kid = await calculateJwkThumbprint(publicJwk)
  return {
    gatewayToken: (uid) => derive(master, 'gateway-token', uid, 1).toString('base64url'),
    bridgeKey: (uid, incarnation) => derive(master, 'bridge-key', uid, incarnation),
    llmToken: (uid) =>
      new SignJWT()
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'at+jwt' })
        .setIssuer('moorage')
        .setAudience('llm-proxy')
        .setSubject(uid)
        .setIssuedAt(new Date(clock.now()))
        .setExpirationTime(llmTokenLife)
        .sign(signer),
    jwks: () => ({ keys: [{ ...publicJwk, kid, alg: 'EdDSA', use: 'sig' }] }),
  }
}
