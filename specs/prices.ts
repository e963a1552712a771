// The price table: what the cloud asks for, as data. Integers in micro-units of the currency, for a month of 30 days.
import { z } from 'zod'
import { region } from './fields.ts'

const price = z.int().min(0).max(1e12)
const perMille = z.int().min(1).max(100_000)
const machinePrice = z.strictObject({ perCpu: price, perGb: price })
const states = z.array(z.string().regex(/^[a-z_]+$/, 'must be a machine state'))

export const prices = z
  .strictObject({
    kind: z.literal('Prices'),
    /** The day that the figures are from. */
    asOf: z.iso.date(),
    currency: z.string().regex(/^[A-Z]{3}$/, 'must be a currency code such as USD'),
    machine: z.strictObject({ shared: machinePrice, performance: machinePrice }),
    rootfs: z.strictObject({ perGb: price, assumedGb: z.int().min(0).max(500) }),
    volume: z.strictObject({ perGb: price }),
    running: states,
    resting: states,
    regions: z.record(region, perMille),
    otherRegions: perMille,
  })
  .refine(({ running, resting }) => !running.some((state) => resting.includes(state)), {
    path: ['resting'],
    message: 'must not name a state that is paid for as running',
  })

export type Prices = z.infer<typeof prices>

/** The month that prices are for. */
export const monthMs = 30 * 86_400_000
