// Every secret of a tenant, derived from one master key: nothing secret is stored, and the same question gets the same
// answer in every process. Losing the master key means new tokens for every machine; leaking it means all of them.
import { hkdfSync, type KeyObject } from 'node:crypto'
import type { Secrets } from '../reconciler/ports.ts'
import type { Clock } from '../specs/clock.ts'
import { keyPeriodMs, llmKeysFrom, privateKeyOf, type LlmKeys } from './llm-keys.ts'

export interface Keys extends Secrets, Pick<LlmKeys, 'jwks'> {
  /** What messages to a webhook endpoint are signed with: `whsec_…`. */
  webhookSecret(endpoint: string, version: number): string
}

function derive(master: Uint8Array, purpose: string, ...context: readonly (string | number)[]): Buffer {
  return Buffer.from(hkdfSync('sha256', master, 'moorage/1', [purpose, ...context].join('\n'), 32))
}

/** What the service tokens of the API are signed with. */
export const serviceTokenKey = (master: Uint8Array): KeyObject =>
  privateKeyOf(derive(master, 'service-token-signing', 1))

/** The keys that follow from a master key of 32 bytes; an LLM token lives for `llmTokenMs`. */
export function keysFrom(
  master: Uint8Array,
  clock: Pick<Clock, 'now'>,
  llmTokenMs: number = keyPeriodMs,
): Promise<Keys> {
  if (master.length !== 32) return Promise.reject(new RangeError('the master key must have 32 bytes'))
  const llm = llmKeysFrom(master, clock, llmTokenMs)
  return Promise.resolve({
    gatewayToken: (uid) => derive(master, 'gateway-token', uid, 1).toString('base64url'),
    bridgeKey: (uid, incarnation) => derive(master, 'bridge-key', uid, incarnation),
    webhookSecret: (endpoint, version) => `whsec_${derive(master, 'webhook', endpoint, version).toString('base64')}`,
    llmToken: (uid) => llm.token(uid),
    jwks: () => llm.jwks(),
  })
}
