// A pool: how many machines of a class stand ready in a region for tenants that do not exist yet.
import { z } from 'zod'
import type { Instant } from './clock.ts'
import * as field from './fields.ts'

/** `running`: the gateway runs; `suspended`: its memory is kept at the price of storage, and the claim wakes it. */
export const poolTier = z.enum(['running', 'suspended'])

export const poolDocument = z.strictObject({
  kind: z.literal('Pool'),
  name: field.dnsLabel,
  spec: z
    .strictObject({
      region: field.region,
      class: field.dnsLabel,
      /** However little is asked for, and however much. */
      min: z.int().min(0).max(1000),
      max: z.int().min(0).max(1000),
      /** The share of new tenants that are to find a member ready. */
      ratio: z.number().min(0.5).max(0.9999).default(0.99),
      tier: poolTier.default('running'),
      maxAgeHours: z.int().min(1).max(720).default(24),
    })
    .refine((spec) => spec.max >= spec.min, { path: ['max'], message: 'must not be less than min' }),
})

export type PoolTier = z.infer<typeof poolTier>
export type PoolDocument = z.infer<typeof poolDocument>

/** A pool as it is kept. */
export interface StoredPool extends PoolDocument {
  /** Tells it from a later pool of the same name. */
  readonly uid: string
  /** +1 whenever its spec changes. */
  readonly generation: number
  /** +1 on every write. */
  readonly revision: number
  readonly createdAt: Instant
}
