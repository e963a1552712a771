// An OIDC issuer over HTTP with keys of its own: they rotate, and it can fall silent.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'

/** Also what no issuer should say. */
export type Claims = Readonly<Record<string, unknown>>

export interface TestIssuer {
  readonly url: string
  /** How often the keys were asked for. */
  readonly asked: () => number
  /** Replaces the key; the former one is published no more unless `keep`. */
  rotate(kid: string, options?: { keep?: boolean; alg?: string }): Promise<void>
  /** What it answers instead; undefined: what is right. */
  answer(status: number | undefined, body?: string): void
  sign(claims: Claims, header?: Record<string, unknown>): Promise<string>
  readonly key: () => CryptoKey
  readonly published: () => readonly JWK[]
}

export const audience = 'moorage-test'

/** Seconds since the epoch, from now. */
export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds

export async function startIssuer(t: ExecutionContext): Promise<TestIssuer> {
  let keys: JWK[] = []
  let signer: { key: CryptoKey; kid: string; alg: string } | undefined
  let instead: { status: number; body: string } | undefined
  let asked = 0
  const server = createServer((request, response) => {
    if (request.url === '/keys') asked += 1
    const body =
      request.url === '/keys'
        ? JSON.stringify({ keys })
        : JSON.stringify({ issuer: address(), jwks_uri: `${address()}/keys` })
    response.writeHead(instead?.status ?? 200, { 'content-type': 'application/json' })
    response.end(instead?.body ?? body)
  })
  const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const rotate: TestIssuer['rotate'] = async (kid, { keep = false, alg = 'RS256' } = {}) => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
    keys = keep ? [...keys, jwk] : [jwk]
    signer = { key: privateKey, kid, alg }
  }
  const present = () => {
    if (signer === undefined) throw new Error('the issuer has no key yet')
    return signer
  }
  await rotate('first')
  return {
    url: address(),
    asked: () => asked,
    rotate,
    answer: (status, body = '') => {
      instead = status === undefined ? undefined : { status, body }
    },
    sign: (claims, header = {}) => {
      const { key, kid, alg } = present()
      const usual = { iss: address(), aud: audience, sub: 'ann', iat: inSeconds(0), exp: inSeconds(600) }
      return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg, kid, typ: 'JWT', ...header }).sign(key)
    },
    key: () => present().key,
    published: () => keys,
  }
}
