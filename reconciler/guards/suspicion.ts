// Whether a list of the fleet can be believed. Fly's lists have answered with nothing, or with a part, for apps that had
// machines (fly.io/infra-log: machines-api-duplicates); who believes such a list makes duplicates or destroys. Pure.
import type { Instant } from '../../specs/clock.ts'
import type { FleetReading } from '../observed.ts'
import type { FleetDoubt } from './view.ts'

/** A machine that a list showed, or that a tenant's record names. */
export interface KnownMachine {
  readonly id: string
  readonly uid: string
}

export interface Doubt extends FleetDoubt {
  /** Plausible lists in a row since, and when the first of them came. */
  readonly good: number
  readonly goodSince: Instant | undefined
}

export interface Suspicion {
  /** The machines of the last list that was believed; undefined before the first, or after an acknowledgement. */
  readonly known: readonly KnownMachine[] | undefined
  readonly doubt: Doubt | undefined
}

export const suspicionSettings = {
  /** A list is doubted when more than this share of the machines, */
  machineShare: 0.1,
  /** or of the tenants, has vanished, */
  tenantShare: 0.05,
  /** and at least so many machines: one that was destroyed by hand is no riddle. */
  least: 3,
  /** A list without any machine is doubted from so many on. */
  leastToZero: 2,
  /** The doubt ends after so many plausible lists in a row over so long. */
  goodLists: 3,
  goodMs: 120_000,
} as const

/** These are expected to be missing from the next list. */
const leaving = new Set<string>(['destroying', 'launch_failed'])

export interface Judged {
  readonly reading: FleetReading
  /** The ids of machines that Moorage has destroyed, or tried to. */
  readonly destroyed: ReadonlySet<string>
  readonly now: Instant
  /** PlanSettings.scale. */
  readonly scale: number
}

/** What is wrong with a list, as a sentence; undefined for a plausible one. */
export function flawOf(
  known: readonly KnownMachine[],
  { reading, destroyed }: Pick<Judged, 'reading' | 'destroyed'>,
): string | undefined {
  const { machineShare, tenantShare, least, leastToZero } = suspicionSettings
  const seen = new Set(reading.machines.map(({ id }) => id))
  const expected = known.filter(({ id }) => !destroyed.has(id))
  const lost = expected.filter(({ id }) => !seen.has(id))
  const all = expected.length
  if (seen.size === 0 && lost.length >= leastToZero) return `Fly's list of machines is empty, though there were ${all}.`
  if (lost.length < least) return undefined
  const fall = all - seen.size
  if (fall > all * machineShare)
    return `Fly's list shows ${seen.size} machines, though there were ${all} that nobody here has destroyed.`
  const before = new Set(expected.map(({ uid }) => uid)).size
  const gone = new Set(lost.map(({ uid }) => uid)).size
  return gone > before * tenantShare
    ? `The machines of ${gone} of ${before} tenants vanished from Fly's list at once.`
    : undefined
}

function knownIn({ machines }: FleetReading): readonly KnownMachine[] {
  return machines.filter(({ state }) => !leaving.has(state)).map(({ id, uid }) => ({ id, uid }))
}

/** A plausible list during a doubt: the doubt ends with the last one that it takes. */
function better(before: Suspicion, doubt: Doubt, { reading, now, scale }: Judged): Suspicion {
  const { goodLists, goodMs } = suspicionSettings
  const goodSince = doubt.goodSince ?? now
  const good = doubt.good + 1
  if (good >= goodLists && now - goodSince >= goodMs * scale) return { known: knownIn(reading), doubt: undefined }
  // What was believed stays the measure until the doubt is over.
  return { ...before, doubt: { ...doubt, good, goodSince } }
}

/** Judges a complete list against the last one that was believed. */
export function judged(before: Suspicion, judging: Judged): Suspicion {
  const { known, doubt } = before
  const flaw = known === undefined ? undefined : flawOf(known, judging)
  if (flaw === undefined) {
    if (doubt === undefined) return { known: knownIn(judging.reading), doubt: undefined }
    return better(before, doubt, judging)
  }
  return { known, doubt: { since: doubt?.since ?? judging.now, message: flaw, good: 0, goodSince: undefined } }
}

/** An operator has looked: what the next list shows is believed, whatever it is. */
export function acknowledged(before: Suspicion): Suspicion {
  return before.doubt === undefined ? before : { known: undefined, doubt: undefined }
}
