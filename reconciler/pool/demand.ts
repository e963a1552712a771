// How many machines are to stand ready: the smallest stock that the arrivals while one is being made do not use up, as often
// as the pool's ratio says (controllers' practice: a Poisson stock over the lead time). Pure.
import type { Instant } from '../../specs/clock.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const weekMs = 7 * 24 * hourMs

/** Arrivals are counted in slots of this length. */
export const slotMs = 5 * minuteMs
/** How far back they matter: the same hour of the last weeks. */
export const historyMs = 5 * weekMs
/** From the moment a member is taken until another stands in its place: it is noticed, made, and its gateway starts. */
const leadMs = 90_000
/** What came this long ago counts half as much as what comes now (an EWMA of 15 minutes). */
const memoryMs = 15 * minuteMs

/** New tenants of one class in one region, in the slot that begins at `at`. */
export interface Arrivals {
  readonly at: Instant
  readonly count: number
}

export const slotOf = (now: Instant): Instant => Math.floor(now / slotMs) * slotMs

/** Arrivals an hour, as lately: each slot weighs less the older it is. */
export function recentRate(arrivals: readonly Arrivals[], now: Instant): number {
  const counts = new Map(arrivals.map(({ at, count }) => [at, count]))
  const slots = Array.from({ length: 24 }, (_slot, index) => slotOf(now) - index * slotMs)
  const weightOf = (at: Instant) => 0.5 ** ((slotOf(now) - at) / memoryMs)
  // The slot that has just begun stands for the time that it has lasted only.
  const shareOf = (at: Instant) => (at === slotOf(now) ? Math.max(0.2, (now - at) / slotMs) : 1)
  const came = slots.reduce((sum, at) => sum + weightOf(at) * (counts.get(at) ?? 0), 0)
  const time = slots.reduce((sum, at) => sum + weightOf(at) * shareOf(at), 0)
  return (came / time) * (hourMs / slotMs)
}

/** The nine in ten of the same hour in the weeks before: with few weeks, the busiest of them. */
export function usualRate(arrivals: readonly Arrivals[], now: Instant): number {
  const hour = (at: Instant) => Math.floor(at / hourMs)
  const same = [1, 2, 3, 4].map((weeks) => hour(now) - weeks * (weekMs / hourMs))
  const [oldest = Infinity] = arrivals.map(({ at }) => hour(at)).sort((a, b) => a - b)
  const counts = same
    .filter((at) => at >= oldest)
    .map((at) => arrivals.filter((each) => hour(each.at) === at).reduce((sum, { count }) => sum + count, 0))
    .sort((a, b) => a - b)
  return counts[Math.min(counts.length - 1, Math.floor(counts.length * 0.9))] ?? 0
}

/** The smallest k for which no more than k arrive with the probability `ratio`, where `mean` are expected. */
export function poissonStock(mean: number, ratio: number): number {
  if (mean <= 0) return 0
  // Beyond this the sum below would underflow, and the normal distribution is as good.
  if (mean > 500) return Math.ceil(mean + 3 * Math.sqrt(mean))
  let term = Math.exp(-mean)
  let sum = term
  let stock = 0
  while (sum < ratio && stock < 2_000) {
    stock += 1
    term *= mean / stock
    sum += term
  }
  return stock
}

/** How many an hour are expected now. */
export function expectedRate(arrivals: readonly Arrivals[], now: Instant): number {
  return Math.max(recentRate(arrivals, now), usualRate(arrivals, now))
}

/** How many came in the last hour, to hold against what was expected: twelve slots, of which the last has only begun. */
export function cameLately(arrivals: readonly Arrivals[], now: Instant): number {
  return arrivals.filter(({ at }) => at > slotOf(now) - hourMs).reduce((sum, { count }) => sum + count, 0)
}

/** How many are to stand ready now; `scale` is the cloud's pace, 1 on Fly. */
export function stockFor(arrivals: readonly Arrivals[], ratio: number, now: Instant, scale: number): number {
  return poissonStock((expectedRate(arrivals, now) * leadMs * scale) / hourMs, ratio)
}
