// What it costs to let machines stand ready: the price table for a day, nothing measured. Pure.
import type { ResolvedSpec } from '../../specs/class.ts'
import type { Prices } from '../../specs/prices.ts'
import { runningPrice } from './costs.ts'

/** How the price table counts: for a month of thirty days. */
const monthDays = 30
const perMille = 1_000
const mbPerGb = 1_024

/** One machine with its volume for a day, in micro-units of the currency. */
export function dailyCost(
  prices: Prices,
  { guest, region, volumeSizeGb }: Pick<ResolvedSpec, 'guest' | 'region' | 'volumeSizeGb'>,
  state: 'running' | 'resting',
): number {
  const running = Number(runningPrice(prices, guest, region)) / mbPerGb / perMille
  const resting = prices.rootfs.perGb * prices.rootfs.assumedGb
  return ((state === 'running' ? running : resting) + prices.volume.perGb * volumeSizeGb) / monthDays
}
