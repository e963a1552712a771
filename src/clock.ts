// The real clock: the one place that reads the wall clock and the random source of the machine.
import { randomBytes } from 'node:crypto'
import type { Clock } from '../specs/clock.ts'

/** Time and randomness as they are. */
export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
  bytes: (length) => randomBytes(length),
}
