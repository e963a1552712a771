// The fleet as the API shows it. Pure.
import { z } from 'zod'
import { budgetLevels } from '../../reconciler/guards/budget.ts'
import type { FleetState, FleetWish, KeptHold } from '../../reconciler/guards/state.ts'
import type { LedgerEntry } from '../../reconciler/guards/view.ts'
import type { Instant } from '../../specs/clock.ts'
import type { FleetCounts, ParkedTenant } from '../store/fleet.ts'
import { entitlementShape, instant } from './view.ts'

export interface FleetReport {
  readonly wish: FleetWish
  /** Undefined before the first controller. */
  readonly state: FleetState | undefined
  readonly ledger: readonly LedgerEntry[]
  /** Not deleted. */
  readonly tenants: number
  readonly counts: FleetCounts
  /** The first of them. */
  readonly parked: readonly ParkedTenant[]
  readonly parkedCount: number
  readonly now: Instant
}

const modeField = z.enum(['normal', 'observe-only'])

export const fleetShape = z
  .strictObject({
    kind: z.literal('Fleet'),
    mode: modeField,
    requestedMode: modeField.optional(),
    tenants: z.strictObject({
      total: z.int(),
      effective: z.record(z.string(), z.int()),
      ready: z.int(),
      notReady: z.int(),
    }),
    suspicion: z.strictObject({ since: instant, message: z.string() }).optional(),
    budget: z.array(
      z.strictObject({
        name: z.string(),
        region: z.string().optional(),
        windowSeconds: z.number(),
        most: z.int(),
        left: z.int(),
        freeAt: instant.optional(),
      }),
    ),
    holds: z.array(
      z.strictObject({
        ...{ scope: z.string(), reason: z.string(), message: z.string(), attempts: z.int() },
        ...{ since: instant, nextTryAt: instant },
      }),
    ),
    pendingApprovals: z.strictObject({
      total: z.int(),
      items: z.array(z.strictObject({ name: z.string(), entitlement: entitlementShape, since: instant })),
    }),
    observedAt: instant.optional(),
  })
  .meta({ id: 'Fleet' })

export type FleetView = z.infer<typeof fleetShape>

const iso = (instant: Instant) => new Date(instant).toISOString()

function holdView({ key, reason, message, attempts, since, notBefore }: KeptHold) {
  return { scope: key, reason, message, attempts, since: iso(since), nextTryAt: iso(notBefore) }
}

function budgetView({ ledger, tenants, now }: FleetReport) {
  return budgetLevels({ ledger, tenants }, now).map(({ name, region, most, left, windowMs, until }) => ({
    name,
    ...(region === undefined ? {} : { region }),
    windowSeconds: windowMs / 1000,
    most,
    left,
    ...(until === undefined ? {} : { freeAt: iso(until) }),
  }))
}

/** The mode in force may be stricter than the one that was asked for over REST: the controller's own setting wins. */
function modeView({ wish, state }: FleetReport) {
  const mode = state?.mode ?? wish.mode
  return mode === wish.mode ? { mode } : { mode, requestedMode: wish.mode }
}

export function fleetView(report: FleetReport): FleetView {
  const { state, counts, parked, parkedCount } = report
  const suspect = state?.suspect
  return {
    kind: 'Fleet',
    ...modeView(report),
    tenants: {
      total: counts.total,
      effective: counts.effective,
      ready: counts.ready,
      notReady: counts.total - counts.ready,
    },
    ...(suspect === undefined ? {} : { suspicion: { since: iso(suspect.since), message: suspect.message } }),
    budget: budgetView(report),
    holds: (state?.holds ?? []).map(holdView),
    pendingApprovals: {
      total: parkedCount,
      items: parked.map(({ name, entitlement: asked, since }) => ({ name, entitlement: asked, since: iso(since) })),
    },
    ...(state === undefined ? {} : { observedAt: iso(state.at) }),
  }
}
