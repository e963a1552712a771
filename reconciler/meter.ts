// What the controller tells of its work, for whoever counts it. A port: the words are those of Kubernetes' controller-runtime
// where the meaning is the same, so that its dashboards and alerts fit. Nothing here names a tenant.
import type { PoolTier } from '../specs/pool.ts'

/**
 * How a pass ended. `success`: nothing to do until something changes; `requeue`: a step was taken, look again at once;
 * `requeue_after`: it waits for a known time; `error`: Fly failed, the next try has been set; `panic`: a defect of ours.
 */
export type PassResult = 'success' | 'requeue' | 'requeue_after' | 'error' | 'panic'

export interface QueueMeter {
  /** A key is in the queue that was not in it. */
  added(): void
  /** A worker takes a key, `waitedMs` after it was due. */
  taken(waitedMs: number): void
  /** It is done with it. */
  worked(tookMs: number): void
}

/** How a new tenant came to its machine: one that stood ready, running or asleep, or one that was made for it. */
export type ServedPath = PoolTier | 'cold'

export interface Meter extends QueueMeter {
  /** A pass has ended. */
  passed(result: PassResult, tookMs: number): void
  /** The road of a new tenant is open for the first time. */
  served(path: ServedPath, tookMs: number): void
}

/** The queue as it is now. */
export interface QueueState {
  /** Keys that are due and that nobody works on. */
  readonly depth: number
  /** Keys that are worked on. */
  readonly active: number
  /** For how long those have been, together and the longest. */
  readonly unfinishedMs: number
  readonly longestMs: number
}

export const idleQueue: QueueState = { depth: 0, active: 0, unfinishedMs: 0, longestMs: 0 }

/** Hears nothing. */
export const deafMeter: Meter = {
  ...{ added: () => {}, taken: () => {}, worked: () => {}, passed: () => {}, served: () => {} },
}
