// Usage and costs as the API shows them, in JSON and as a table for spreadsheets. Pure.
import { z } from 'zod'
import type { UsageSums } from '../usage/costs.ts'
import { instant } from './view.ts'

const amount = z.int()

const sumsShape = z.strictObject({
  seconds: z.record(z.string(), z.int()),
  volumeGbHours: z.number(),
  /** In millionths of the currency. */
  cost: z.strictObject({ running: amount, resting: amount, volume: amount, total: amount }),
  saved: amount,
})

const frame = {
  month: z.string(),
  from: instant,
  to: instant,
  /** Whether the month is over. */
  complete: z.boolean(),
  currency: z.string(),
  /** The day that the prices are from. */
  pricesAsOf: z.string(),
  notCounted: z.array(z.string()),
}

const tenantCost = z.strictObject({ tenant: z.string(), uid: z.string(), ...sumsShape.shape })

export const costsShape = z
  .strictObject({ ...frame, items: z.array(tenantCost), total: sumsShape })
  .meta({ id: 'Costs' })

export const usageShape = z
  .strictObject({ ...frame, tenant: z.string(), uid: z.string(), ...sumsShape.shape })
  .meta({ id: 'Usage' })

export type Costs = z.infer<typeof costsShape>
export type TenantCost = z.infer<typeof tenantCost>

/** What Fly bills and the ledger does not know. */
export const notCounted = ['snapshots', 'traffic', 'addresses', 'reservations']

export const sumsView = ({ seconds, ...rest }: UsageSums) => ({ seconds: { ...seconds }, ...rest })

/** Millionths as a decimal number with six places. */
export function decimal(micro: number): string {
  const digits = String(Math.abs(micro)).padStart(7, '0')
  return `${micro < 0 ? '-' : ''}${digits.slice(0, -6)}.${digits.slice(-6)}`
}

const columns = [
  'tenant',
  'uid',
  'running_seconds',
  'suspended_seconds',
  'stopped_seconds',
  'other_seconds',
  'volume_gb_hours',
  'running_cost',
  'resting_cost',
  'volume_cost',
  'total_cost',
  'saved',
  'currency',
]

function row(
  tenant: string,
  uid: string,
  { seconds, volumeGbHours, cost, saved }: UsageSums,
  currency: string,
): string {
  const { started = 0, suspended = 0, stopped = 0 } = seconds
  const other = Object.values(seconds).reduce((sum, count) => sum + count, 0) - started - suspended - stopped
  const money = [cost.running, cost.resting, cost.volume, cost.total, saved].map(decimal)
  return [tenant, uid, started, suspended, stopped, other, volumeGbHours, ...money, currency].join(',')
}

/** RFC 4180; names are DNS labels and need no quotes. The last row is the total. */
export function csvOf({ items, total, currency }: Costs): string {
  const rows = items.map(({ tenant, uid, ...sums }) => row(tenant, uid, sums, currency))
  return `${[columns.join(','), ...rows, row('total', '', total, currency)].join('\r\n')}\r\n`
}
