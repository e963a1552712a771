// A class: the defaults of a plan (byok, standard, ...), and the tenant's spec with them filled in.
import { z } from 'zod'
import type { Instant } from './clock.ts'
import * as field from './fields.ts'
import type { TenantSpec } from './tenant.ts'

export const classDocument = z.strictObject({
  kind: z.literal('Class'),
  name: field.dnsLabel,
  spec: z.strictObject({
    image: field.imageRef,
    guest: field.guest,
    volume: field.volume,
    idle: field.idle,
    /** Managed classes reach the LLM through the platform's proxy, with a token of the tenant's own. */
    llmProxy: z.boolean(),
    price: z.strictObject({ monthlyMicros: z.int().min(0), currency: z.string().regex(/^[A-Z]{3}$/) }),
  }),
})

export type ClassDocument = z.infer<typeof classDocument>
export type ClassSpec = ClassDocument['spec']

/** A class as it is kept: what is wanted of it, and how far its image has come. */
export interface StoredClass extends ClassDocument {
  /** Tells it from a later class of the same name. */
  readonly uid: string
  /** The image of the tenants that no rollout has reached. */
  readonly stable: string
  /** The rollout that brings `spec.image`, while that is not the stable image. One field, so that one write decides both. */
  readonly rollout?: { readonly id: string; readonly startedAt: Instant } | undefined
  /** +1 whenever its spec changes. */
  readonly generation: number
  /** +1 on every write. */
  readonly revision: number
  readonly createdAt: Instant
}

/** The classes as this process knows them now. */
export interface Classes {
  get(name: string): StoredClass | undefined
  names(): readonly string[]
}

/** Everything about the wanted machine that the tenant or its class decides. */
export interface ResolvedSpec {
  readonly image: string
  readonly guest: field.Guest
  readonly region: string
  readonly volumeSizeGb: number
  readonly idle: field.IdlePolicy
  readonly managed: boolean
  readonly overlay: TenantSpec['config']
}

/** The tenant's own words, and its class's where it is silent. */
export function resolveSpec(spec: TenantSpec, defaults: ClassSpec): ResolvedSpec {
  return {
    image: spec.image ?? defaults.image,
    guest: spec.guest ?? defaults.guest,
    region: spec.region,
    volumeSizeGb: spec.volume?.sizeGb ?? defaults.volume.sizeGb,
    idle: spec.idle ?? defaults.idle,
    managed: defaults.llmProxy,
    overlay: spec.config,
  }
}
