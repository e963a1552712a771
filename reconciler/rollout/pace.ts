// How long a rollout takes its time. Milliseconds.

const minuteMs = 60_000

export interface RolloutPace {
  /** How long each wave runs before the next one may open. */
  readonly bakeMs: readonly number[]
  /** How long a member may take to become Ready, or its update to be accepted. */
  readonly graceMs: number
  /** How long after its bake a wave still waits for members that should have been updated by now. */
  readonly patienceMs: number
  /** When to look again at something without a time of its own. */
  readonly lookMs: number
}

const bakeMinutes = [10, 10, 10, 15, 30, 30] as const

/** The pace where the cloud takes `scale` of Fly's time. A machine's start cannot be scaled below some seconds. */
export function rolloutPace(scale: number): RolloutPace {
  return {
    bakeMs: bakeMinutes.map((minutes) => minutes * minuteMs * scale),
    graceMs: Math.max(15_000, 5 * minuteMs * scale),
    patienceMs: 60 * minuteMs * scale,
    lookMs: Math.max(5_000, minuteMs * scale),
  }
}
