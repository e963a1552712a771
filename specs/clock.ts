// Time and randomness, as a port: the one way in for both, so that a test can own them.

/** Epoch milliseconds. A Date never enters the core. */
export type Instant = number

export interface Clock {
  now(): Instant
  /** Runs `action` once, `ms` milliseconds from now; the answer cancels it. */
  after(ms: number, action: () => void): () => void
  /** A number in [0, 1), for jitter. */
  random(): number
  /** `length` unpredictable bytes, for identifiers and nonces. */
  bytes(length: number): Uint8Array
}
