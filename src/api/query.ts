// Queries: every parameter is known and well formed, or the request is refused; a misspelt one would be a silent wish.
import type { Context } from 'koa'
import { z } from 'zod'
import { dnsLabel } from '../../specs/fields.ts'
import { check } from '../../specs/parse.ts'
import { invalid } from './problem.ts'

/** How many of a list are answered at once. */
export const limitField = z
  .string()
  .regex(/^\d{1,3}$/, 'must be a number from 1 to 500')
  .transform(Number)
  .pipe(z.int().min(1).max(500))
  .default(100)
  .meta({
    // It comes as text and is read as a number.
    override: ({ jsonSchema }) => {
      delete jsonSchema.pattern
      Object.assign(jsonSchema, { type: 'integer', minimum: 1, maximum: 500, default: 100 })
    },
  })

/** A cursor says after which name to go on; what it looks like is nobody's business. */
export const cursorOf = (name: string): string => Buffer.from(name).toString('base64url')

export const nameCursor = z
  .string()
  .transform((text) => Buffer.from(text, 'base64url').toString())
  .refine((name) => dnsLabel.safeParse(name).success, 'must be the nextCursor of an earlier answer')

/** The checked query of the request. Throws 400. */
export function readQuery<S extends z.ZodType>(context: Context, schema: S): z.infer<S> {
  const query = check(schema, { ...context.query })
  if (!query.ok) throw invalid(query.problems)
  return query.value
}

/** Nothing may be asked: every parameter is refused. */
export const nothingAsked = z.strictObject({})

/** Of a write that may be tried without being made. */
const forceField = z.enum(['true', 'false']).optional().meta({
  description: 'true: takes fields over that belong to somebody else, where an admin may; the audit has it.',
})

/** Of documents that may be tried, and may take fields over. */
export const applyQuery = z.strictObject({
  dryRun: z.literal('server', 'must be server').optional(),
  force: forceField,
})

export const dryRunQuery = z.strictObject({ dryRun: z.literal('server', 'must be server').optional() })
