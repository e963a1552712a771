// Signatures as Standard Webhooks has them: HMAC-SHA256 over id, time and body, with a secret `whsec_…`.
import { timingSafeEqual } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import type { Instant } from '../../specs/clock.ts'

export interface Message {
  readonly id: string
  readonly at: Instant
  readonly body: string
}

const toleranceMs = 300_000

/** The value of the header `webhook-signature`: one for each secret, with a space between. */
export function signatureOf(secrets: readonly string[], { id, at, body }: Message): string {
  return secrets.map((secret) => new Webhook(secret).sign(id, new Date(at), body)).join(' ')
}

function equal(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

export interface SignedHeaders {
  readonly id: string
  /** Seconds, as it came. */
  readonly timestamp: string
  readonly signature: string
}

/** Why a message is not to be trusted; undefined: it is. Every signature is compared with every secret. */
export function whyNotTrusted(
  secrets: readonly string[],
  { id, timestamp, signature }: SignedHeaders,
  body: string,
  now: Instant,
): string | undefined {
  // A dot in the id would let a signature of one text stand for another.
  if (!/^[\w-]{1,128}$/.test(id)) return 'The header webhook-id is missing or not an id.'
  if (!/^\d{1,12}$/.test(timestamp)) return 'The header webhook-timestamp is missing or no time in seconds.'
  const at = Number(timestamp) * 1_000
  if (Math.abs(now - at) > toleranceMs) return 'The message is too old, or from the future.'
  const wanted = secrets.map((secret) => signatureOf([secret], { id, at, body }))
  const given = signature.split(' ').slice(0, 10)
  const matches = given.flatMap((one) => wanted.map((other) => equal(one, other)))
  return matches.includes(true) ? undefined : 'No signature of the header webhook-signature is right.'
}
