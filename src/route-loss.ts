// Whether a list that lacks routes is believed. A database that was lost, or restored from too little, answers as calmly as
// any other; closing every tenant's road on its word would be the outage. Pure.
import type { Instant } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'

const fewRoutes = 3
const share = 0.1

/** So many good lists in a row, over so long, end a doubt: the reconciler asks the same of Fly's lists. */
const goodLists = 3
export const goodForMs = 120_000

/** Whether it is too much to have gone at once: more than 3 and a tenth of the routes, or every one. */
export function isMassLoss(gone: number, known: number): boolean {
  return gone > 0 && (gone === known || gone > Math.max(fewRoutes, known * share))
}

/** A deleted tenant's route is expected to go. */
export function countsAsLoss({ route }: Pick<TenantRoute, 'route'>): boolean {
  return route.kind === 'forward' || route.reason !== 'deleting'
}

export interface Doubt {
  readonly since: Instant
  /** Lists in a row that lack few enough. */
  readonly good: number
  readonly goodSince: Instant | undefined
}

export interface Listed {
  readonly now: Instant
  /** How many routes are known that would be missed, and how many of them the list lacks. */
  readonly known: number
  readonly gone: number
  /** When an operator last said that the lists are right. */
  readonly acknowledgedAt: Instant | undefined
}

/** The doubt after a list; undefined: the list is believed. A doubt does not end because what it doubts is repeated. */
export function judge(
  before: Doubt | undefined,
  { now, known, gone, acknowledgedAt = -Infinity }: Listed,
): Doubt | undefined {
  if (gone === 0) return undefined
  const mass = isMassLoss(gone, known)
  if (before === undefined) return mass ? { since: now, good: 0, goodSince: undefined } : undefined
  if (acknowledgedAt > before.since) return undefined
  if (mass) return { since: before.since, good: 0, goodSince: undefined }
  const after = { since: before.since, good: before.good + 1, goodSince: before.goodSince ?? now }
  return after.good >= goodLists && now - after.goodSince >= goodForMs ? undefined : after
}
