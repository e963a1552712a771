// A rollout: how a new image of a class reaches its tenants, wave by wave, and what became of it. Types and names only.
import type { Instant } from './clock.ts'

/** The waves in their order. A share is of all members, by a hash that stays the same. */
export const waves = [
  { name: 'pool', share: 0 },
  { name: 'internal', share: 0 },
  { name: '1 %', share: 0.01 },
  { name: '5 %', share: 0.05 },
  { name: '25 %', share: 0.25 },
  { name: '100 %', share: 1 },
] as const

export const lastWave = waves.length - 1

/** A tenant with this label set to "true" is one of our own, and goes before the customers. */
export const internalLabel = 'moorage/internal'

/**
 * `halted` by a person, until a person resumes it; `rolled-back` by a failing gate or a person; `superseded` by a class that
 * wants yet another image, or is gone.
 */
export type RolloutState = 'rolling' | 'halted' | 'rolled-back' | 'done' | 'superseded'

/** How the members of one wave are doing, as of the last look. */
export interface WaveCounts {
  readonly members: number
  readonly updated: number
  readonly ready: number
  /** In use: updated at their next stop. */
  readonly deferred: number
  readonly failing: number
}

export interface RolloutEvent {
  readonly at: Instant
  readonly what: 'started' | 'advanced' | 'paused' | 'resumed' | 'hurried' | 'rolled-back' | 'superseded' | 'done'
  /** The number of the wave that was open. */
  readonly wave: number
  readonly message: string
}

export interface Canary {
  readonly uid: string
  readonly wave: number
}

export interface Rollout {
  readonly id: string
  readonly class: string
  readonly from: string
  readonly to: string
  /** The number of the last wave that is open; it and all before it get `to`. */
  readonly wave: number
  readonly waveSince: Instant
  /** Members that go in an earlier wave than their hash says, because else nobody would go in it. */
  readonly canaries: readonly Canary[]
  readonly state: RolloutState
  /** What it waits for, or why it ended: a stable word and a sentence. */
  readonly reason: string
  readonly message: string
  /** When the next decision is due, while it rolls. */
  readonly nextAt?: Instant | undefined
  /** A person does not want to wait for the rest of this wave's bake. */
  readonly hurried: boolean
  readonly counts: readonly WaveCounts[]
  readonly startedAt: Instant
  readonly endedAt?: Instant | undefined
  readonly history: readonly RolloutEvent[]
  /** +1 on every write. */
  readonly revision: number
}
