// The destructive budget: how much Moorage may destroy in a while, by itself and on a person's word. A defect of ours or a
// lie of Fly's then costs a few machines and not a fleet. Pure.
import type { Instant } from '../../specs/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Step } from '../step.ts'
import type { DestructiveKind, FleetView, LedgerEntry } from './view.ts'

const minuteMs = 60_000
const dayMs = 86_400_000

/** Times in milliseconds (controllers' practice: Karpenter's and Cluster API's brakes, made smaller). */
export const budgetSettings = {
  /** What Moorage decides by itself, of the whole fleet. */
  fleet: { least: 1, share: 0.02, windowMs: 10 * minuteMs },
  /** The same, of one region. */
  region: { most: 5, windowMs: 10 * minuteMs },
  /** Machines of one tenant given up for another one. */
  replacement: { most: 1, windowMs: dayMs },
  /** What a person has asked for: deletions and purges. */
  asked: { most: 10, windowMs: minuteMs },
  /** Machines and volumes of pool members that nobody has claimed. */
  retired: { most: 40, windowMs: 10 * minuteMs },
} as const

/** Older entries of the ledger count for nothing. */
export const ledgerMs = dayMs

const ownKinds: ReadonlySet<DestructiveKind> = new Set(['replace', 'stray', 'orphan'])

const destroyKinds = { deleted: 'delete', replaced: 'replace', stray: 'stray', retired: 'retire' } as const

/** The entry that a step makes in the ledger; undefined for one that destroys nothing. */
export function entryOf({ uid, spec, pool }: Tenant, step: Step, at: Instant): LedgerEntry | undefined {
  switch (step.kind) {
    case 'destroyMachine':
      return { at, kind: destroyKinds[step.why], uid, region: step.region, target: step.id }
    case 'destroyVolume':
      return { at, kind: pool === undefined ? 'purge' : 'retire', uid, region: spec.region, target: step.id }
    default:
      return undefined
  }
}

type Ledger = Pick<FleetView, 'ledger' | 'tenants'>

interface Window {
  readonly name: 'fleet' | 'region' | 'replacement' | 'asked' | 'retired'
  readonly most: number
  readonly windowMs: number
  readonly message: string
  readonly counts: (entry: LedgerEntry) => boolean
}

/** How many machines Moorage may destroy by itself within one window. */
export function fleetBudget(tenants: number): number {
  const { least, share } = budgetSettings.fleet
  return Math.max(least, Math.floor(tenants * share))
}

const own = ({ kind }: LedgerEntry) => ownKinds.has(kind)

function fleetWindow(tenants: number): Window {
  const most = fleetBudget(tenants)
  const message = `Moorage destroys ${most} machines of the fleet in ten minutes by itself at most, and has done so.`
  return { name: 'fleet', most, windowMs: budgetSettings.fleet.windowMs, message, counts: own }
}

function regionWindow(region: string): Window {
  const { most } = budgetSettings.region
  return {
    ...budgetSettings.region,
    name: 'region',
    message: `Moorage destroys ${most} machines in ${region} in ten minutes by itself at most, and has done so.`,
    counts: (entry) => own(entry) && entry.region === region,
  }
}

function replacementWindow(uid: string): Window {
  return {
    ...budgetSettings.replacement,
    name: 'replacement',
    message: 'A machine of this tenant was replaced within a day already.',
    counts: (entry) => entry.kind === 'replace' && entry.uid === uid,
  }
}

const askedWindow: Window = {
  ...budgetSettings.asked,
  name: 'asked',
  message: `${budgetSettings.asked.most} deletions are carried out in a minute at most; this one has its turn soon.`,
  counts: ({ kind }) => kind === 'delete' || kind === 'purge',
}

const retiredWindow: Window = {
  ...budgetSettings.retired,
  name: 'retired',
  message: `${budgetSettings.retired.most} machines and volumes of pool members are destroyed in ten minutes at most.`,
  counts: ({ kind }) => kind === 'retire',
}

function windowsFor({ kind, uid, region }: LedgerEntry, tenants: number): readonly Window[] {
  if (kind === 'retire') return [retiredWindow]
  if (!ownKinds.has(kind)) return [askedWindow]
  return [fleetWindow(tenants), regionWindow(region), ...(kind === 'replace' ? [replacementWindow(uid)] : [])]
}

interface Level {
  readonly left: number
  /** When the first token comes back; undefined while nothing has been taken, or while some is left. */
  readonly until: Instant | undefined
}

function levelOf({ most, windowMs, counts }: Window, ledger: readonly LedgerEntry[], now: Instant): Level {
  const taken = ledger.filter((entry) => counts(entry) && entry.at + windowMs > now)
  const left = Math.max(0, most - taken.length)
  const oldest = taken[taken.length - most]
  return { left, until: left > 0 || oldest === undefined ? undefined : oldest.at + windowMs }
}

export interface Exhausted {
  readonly message: string
  /** When the oldest entry that is in the way leaves its window. */
  readonly until: Instant
}

/** Whether the ledger has this act already: it is tried again, and takes nothing more from the budget. */
export function taken(ledger: readonly LedgerEntry[], { kind, target }: LedgerEntry): boolean {
  return ledger.some((entry) => entry.target === target && entry.kind === kind)
}

/** Why the act has to wait; of several windows that are full, the one that is so for longest. Undefined: it may go on. */
export function exhausted({ ledger, tenants }: Ledger, wanted: LedgerEntry, now: Instant): Exhausted | undefined {
  if (taken(ledger, wanted)) return undefined
  return windowsFor(wanted, tenants)
    .flatMap((window): Exhausted[] => {
      const { until } = levelOf(window, ledger, now)
      return until === undefined ? [] : [{ message: window.message, until }]
    })
    .reduce<Exhausted | undefined>(
      (last, one) => (last === undefined || one.until > last.until ? one : last),
      undefined,
    )
}

export interface BudgetLevel extends Level {
  readonly name: Window['name']
  /** Of a region's window. */
  readonly region?: string
  readonly most: number
  readonly windowMs: number
}

/** What is left of the windows that the whole fleet shares, and of each region where something was destroyed. */
export function budgetLevels({ ledger, tenants }: Ledger, now: Instant): readonly BudgetLevel[] {
  const level = (window: Window): BudgetLevel => {
    const { name, most, windowMs } = window
    return { name, most, windowMs, ...levelOf(window, ledger, now) }
  }
  const recent = ledger.filter((entry) => own(entry) && entry.at + budgetSettings.region.windowMs > now)
  const regions = [...new Set(recent.map(({ region }) => region))].sort()
  return [
    level(fleetWindow(tenants)),
    ...regions.map((region) => ({ ...level(regionWindow(region)), region })),
    level(askedWindow),
  ]
}
