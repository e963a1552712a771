// The operations of the audit: its entries exactly as they are stored and hashed, so that a reader can check them.
import { z } from 'zod'
import { auditOutcomes } from '../audit/entry.ts'
import type { Trail } from '../audit/trail.ts'
import type { AuditStore } from '../store/audit.ts'
import { json, operation, type Operation } from './operation.ts'
import { limitField } from './query.ts'

export interface AuditRoutes {
  readonly audit: { readonly trail: Trail; readonly entries: Pick<AuditStore, 'page' | 'head'> }
}

const seq = z
  .string()
  .regex(/^\d{1,15}$/, 'must be the nextCursor of an earlier answer')
  .transform(Number)

/** Entries have milliseconds, in UTC: compared as text they are in order. */
const time = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text).toISOString())
  .optional()

const query = z.strictObject({
  limit: limitField,
  cursor: seq.optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
  caller: z.string().min(1).max(300).optional(),
  object: z
    .string()
    .regex(/^[a-z-]+(\/[A-Za-z0-9_.-]{1,128})?$/, 'must be such as tenants/acme')
    .optional(),
  outcome: z.enum(auditOutcomes).optional(),
  since: time,
  until: time,
})

const value = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])
const generation = z.int().nullable()

export const auditShape = z
  .strictObject({
    seq: z.int(),
    at: z.iso.datetime(),
    outcome: z.enum(auditOutcomes),
    intent: z.int().optional(),
    caller: z.strictObject({ id: z.string(), name: z.string(), role: z.string(), address: z.string() }),
    request: z.strictObject({ id: z.string(), operation: z.string(), method: z.string(), path: z.string() }),
    object: z.string(),
    reason: z.string().optional(),
    status: z.int().optional(),
    code: z.string().optional(),
    changes: z.array(
      z.strictObject({
        object: z.string(),
        uid: z.string().optional(),
        generation: z.strictObject({ from: generation, to: generation }).optional(),
        fields: z.array(
          z.strictObject({
            path: z.string(),
            from: value.optional(),
            to: value.optional(),
            changed: z.literal(true).optional(),
          }),
        ),
      }),
    ),
    previous: z.string(),
    hash: z.string(),
  })
  .meta({ id: 'AuditEntry' })

const pageShape = z.strictObject({
  items: z.array(auditShape),
  /** Where the audit ended when this was answered, as it is kept beside it; null: nothing was written yet. */
  head: z.strictObject({ seq: z.int(), hash: z.string() }).nullable(),
  nextCursor: z.string().optional(),
})

export type AuditPageView = z.infer<typeof pageShape>

/** `GET /v1/audit`. */
export function auditOperations(routes: AuditRoutes): readonly Operation[] {
  return [
    operation({
      ...{ id: 'listAudit', method: 'get', path: '/v1/audit', tag: 'audit', roles: ['admin'] },
      summary: 'Who changed what, newest first; with order=oldest from the first entry on, for a check.',
      query,
      answers: { 200: json(pageShape) },
      handle: async ({ context, query: { limit, cursor: after, ...wanted } }) => {
        const { entries } = routes.audit
        // The head first: entries that come meanwhile make the chain longer, never shorter.
        const head = (await entries.head()) ?? null
        const found = await entries.page({ ...wanted, after, limit: limit + 1 })
        const items = found.slice(0, limit)
        const last = found.length > limit ? items.at(-1)?.seq : undefined
        context.body = { items, head, ...(last === undefined ? {} : { nextCursor: String(last) }) }
      },
    }),
  ]
}
