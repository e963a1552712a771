// The usage ledger: which state a machine came into and when, by Fly's own times. A set of changes that only grows, so that
// the same change seen twice, late or in another order makes no difference; sums are folded from it when somebody reads. Pure.
import type { Instant } from '../../specs/clock.ts'
import type { MachineSize, StateChange } from '../observed.ts'

export type UsageState = StateChange['state']

/** One entry about a machine. */
export interface Change extends StateChange {
  /** Its place among those of the same millisecond. */
  readonly rank: number
  /** No time of Fly's was to be had: `at` is when we looked. */
  readonly look?: true
}

export interface SizeChange extends MachineSize {
  readonly at: Instant
}

/** One entry about a volume; 0 GB: it has ended. */
export interface VolumeChange {
  readonly at: Instant
  readonly sizeGb: number
}

/** What is so from `from` to `to`. */
export interface Span<T> {
  readonly from: Instant
  readonly to: Instant
  readonly value: T
}

const byTime = (a: Change, b: Change) => a.at - b.at || a.rank - b.rank || a.state.localeCompare(b.state)

/** An end that we only concluded, from a machine that was not to be found, is disproved by whatever came after it. */
const isDisproved = ({ look, state, at }: Change, newest: Instant) =>
  look === true && state === 'destroyed' && at < newest

/** The changes in their order, without those that say nothing new. */
export function inOrder(changes: readonly Change[]): Change[] {
  const sorted = changes.toSorted(byTime)
  const newest = sorted.at(-1)?.at ?? 0
  return sorted
    .filter((change) => !isDisproved(change, newest))
    .filter((change, index, all) => all[index - 1]?.state !== change.state)
}

/** Spans between the points, the last one open until `to`; what lies outside of `from` and `to` is cut off. */
function spans<T>(
  points: readonly { readonly at: Instant; readonly value: T }[],
  from: Instant,
  to: Instant,
): Span<T>[] {
  return points
    .map(({ at, value }, index) => ({ from: Math.max(from, at), to: Math.min(to, points[index + 1]?.at ?? to), value }))
    .filter((span) => span.to > span.from)
}

/** The states of a machine in a time; its last one holds until `to`, and what is destroyed is in none. */
export function stateSpans(changes: readonly Change[], from: Instant, to: Instant): Span<UsageState>[] {
  const points = inOrder(changes).map(({ at, state }) => ({ at, value: state }))
  return spans(points, from, to).filter(({ value }) => value !== 'destroyed')
}

/** The sizes in a time; the first one known counts for the time before it too. */
export function sizeSpans(sizes: readonly SizeChange[], from: Instant, to: Instant): Span<MachineSize>[] {
  const sorted = sizes.toSorted((a, b) => a.at - b.at || a.memoryMb - b.memoryMb)
  const points = sorted.map(({ at, ...value }, index) => ({ at: index === 0 ? Math.min(at, from) : at, value }))
  return spans(points, from, to)
}

/** The sizes of a volume in a time, in GB. A volume never shrinks, so the greatest size so far is the size. */
export function volumeSpans(changes: readonly VolumeChange[], from: Instant, to: Instant): Span<number>[] {
  const sorted = changes.toSorted((a, b) => a.at - b.at || b.sizeGb - a.sizeGb)
  const newest = sorted.findLast(({ sizeGb }) => sizeGb > 0)
  // A volume that was believed to have ended and is there again was there all the time.
  const kept = sorted.filter(({ sizeGb, at }) => sizeGb > 0 || newest === undefined || at >= newest.at)
  let greatest = 0
  const points = kept.map(({ at, sizeGb }) => {
    greatest = sizeGb === 0 ? 0 : Math.max(greatest, sizeGb)
    return { at, value: greatest }
  })
  return spans(points, from, to).filter(({ value }) => value > 0)
}

/** Each part of time in which neither changes, with both values; where `b` says nothing the time is left out. */
export function overlaps<A, B>(a: readonly Span<A>[], b: readonly Span<B>[]): Span<readonly [A, B]>[] {
  return a.flatMap((one) =>
    b
      .map((other) => ({
        from: Math.max(one.from, other.from),
        to: Math.min(one.to, other.to),
        value: [one.value, other.value] as const,
      }))
      .filter(({ from, to }) => to > from),
  )
}
