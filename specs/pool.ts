// A pool: how many machines of a class stand ready in a region for tenants that do not exist yet.
import { z } from 'zod'
import * as field from './fields.ts'

export const poolDocument = z.strictObject({
  kind: z.literal('Pool'),
  name: field.dnsLabel,
  spec: z
    .strictObject({
      region: field.region,
      class: field.dnsLabel,
      min: z.int().min(0).max(1000),
      max: z.int().min(0).max(1000),
      tier: z.enum(['running', 'suspended']).default('running'),
      maxAgeHours: z.int().min(1).max(720).default(24),
    })
    .refine((spec) => spec.max >= spec.min, { path: ['max'], message: 'must not be less than min' }),
})

export type PoolDocument = z.infer<typeof poolDocument>
