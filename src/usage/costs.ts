// What usage costs: spans of the ledger times the price table, in integers; each sum is rounded once. Pure.
import type { MachineSize } from '../../reconciler/observed.ts'
import { overlaps, sizeSpans, stateSpans, volumeSpans, type UsageState } from '../../reconciler/usage/ledger.ts'
import type { Instant } from '../../specs/clock.ts'
import { monthMs, type Prices } from '../../specs/prices.ts'
import type { UsedThing } from '../store/usage.ts'

/** What one tenant used and what that costs, in micro-units of the currency. */
export interface UsageSums {
  /** Seconds in each state of a machine. */
  readonly seconds: Readonly<Record<string, number>>
  readonly volumeGbHours: number
  readonly cost: {
    readonly running: number
    readonly resting: number
    readonly volume: number
    readonly total: number
  }
  /** What the seconds at rest would have cost running, without what they did cost. */
  readonly saved: number
}

export interface Window {
  readonly from: Instant
  readonly to: Instant
}

/** Exact sums, before rounding: prices times milliseconds (times thousandths and MB, for machines). */
interface Exact {
  readonly ms: Map<UsageState, number>
  gbMs: number
  running: bigint
  resting: bigint
  wouldRun: bigint
  volume: bigint
}

const perMille = 1_000n
const mbPerGb = 1_024n

const nothing = (): Exact => ({ ms: new Map(), gbMs: 0, running: 0n, resting: 0n, wouldRun: 0n, volume: 0n })

/** Of a running machine for a month, times 1024 and 1000. */
export function runningPrice(prices: Prices, { cpuKind, cpus, memoryMb }: MachineSize, region: string): bigint {
  const { perCpu, perGb } = prices.machine[cpuKind === 'performance' ? 'performance' : 'shared']
  const share = prices.regions[region] ?? prices.otherRegions
  return (BigInt(perCpu) * BigInt(cpus) * mbPerGb + BigInt(perGb) * BigInt(memoryMb)) * BigInt(share)
}

function addMachine(sum: Exact, prices: Prices, thing: Extract<UsedThing, { kind: 'machine' }>, window: Window): void {
  const states = stateSpans(thing.changes, window.from, window.to)
  for (const { from, to, value } of states) sum.ms.set(value, (sum.ms.get(value) ?? 0) + to - from)
  const rootfs = BigInt(prices.rootfs.perGb * prices.rootfs.assumedGb)
  for (const { from, to, value } of overlaps(states, sizeSpans(thing.sizes, window.from, window.to))) {
    const [state, size] = value
    const ms = BigInt(to - from)
    const running = ms * runningPrice(prices, size, thing.region)
    if (prices.running.includes(state)) sum.running += running
    else if (prices.resting.includes(state)) {
      sum.resting += ms * rootfs
      sum.wouldRun += running
    }
  }
}

function addVolume(sum: Exact, prices: Prices, thing: Extract<UsedThing, { kind: 'volume' }>, window: Window): void {
  for (const { from, to, value: gb } of volumeSpans(thing.sizes, window.from, window.to)) {
    sum.gbMs += (to - from) * gb
    sum.volume += BigInt(to - from) * BigInt(gb) * BigInt(prices.volume.perGb)
  }
}

/** Rounded half up. */
const divided = (dividend: bigint, divisor: bigint) => Number((2n * dividend + divisor) / (2n * divisor))

function rounded({ ms, gbMs, running, resting, wouldRun, volume }: Exact): UsageSums {
  const month = BigInt(monthMs)
  const machine = month * perMille * mbPerGb
  const cost = {
    running: divided(running, machine),
    resting: divided(resting, month),
    volume: divided(volume, month),
  }
  const seconds = [...ms].map(([state, time]) => [state, Math.round(time / 1_000)] as const)
  return {
    seconds: Object.fromEntries(seconds.sort(([a], [b]) => a.localeCompare(b))),
    volumeGbHours: Math.round(gbMs / 3_600) / 1_000,
    cost: { ...cost, total: cost.running + cost.resting + cost.volume },
    saved: Math.max(0, divided(wouldRun, machine) - cost.resting),
  }
}

/** The sums of each tenant by its uid; '' has what belongs to none. */
export function sumsByTenant(things: readonly UsedThing[], prices: Prices, window: Window): Map<string, UsageSums> {
  const sums = new Map<string, Exact>()
  for (const thing of things) {
    const sum = sums.get(thing.uid) ?? nothing()
    sums.set(thing.uid, sum)
    if (thing.kind === 'machine') addMachine(sum, prices, thing, window)
    else addVolume(sum, prices, thing, window)
  }
  return new Map([...sums].map(([uid, sum]) => [uid, rounded(sum)]))
}

/** What nobody used. */
export const noUsage: UsageSums = rounded(nothing())

/** The sum of rounded sums, so that a table adds up. */
export function totalOf(sums: readonly UsageSums[]): UsageSums {
  const add = (of: (sum: UsageSums) => number) => sums.reduce((total, sum) => total + of(sum), 0)
  const states = [...new Set(sums.flatMap(({ seconds }) => Object.keys(seconds)))].sort()
  return {
    seconds: Object.fromEntries(states.map((state) => [state, add(({ seconds }) => seconds[state] ?? 0)])),
    volumeGbHours: Math.round(add(({ volumeGbHours }) => volumeGbHours) * 1_000) / 1_000,
    cost: {
      running: add(({ cost }) => cost.running),
      resting: add(({ cost }) => cost.resting),
      volume: add(({ cost }) => cost.volume),
      total: add(({ cost }) => cost.total),
    },
    saved: add(({ saved }) => saved),
  }
}

/** A month in UTC, such as 2026-11, as far as it has gone by. */
export function monthWindow(month: string, now: Instant): Window & { readonly complete: boolean } {
  const [year = 0, number = 1] = month.split('-').map(Number)
  const [from, end] = [Date.UTC(year, number - 1), Date.UTC(year, number)]
  return { from, to: Math.max(from, Math.min(end, now)), complete: now >= end }
}
