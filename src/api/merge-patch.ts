// JSON Merge Patch (RFC 7396): what is named is replaced, null takes away, the rest stays.
import type { Context } from 'koa'
import { z } from 'zod'
import { check } from '../../specs/parse.ts'
import { readDocument, unsupported, type BodyReader } from './body.ts'
import { refusedDocument } from './owners.ts'

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The target with the patch applied. */
export function merged(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch
  const fields = new Map(isFields(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) fields.delete(key)
    else fields.set(key, merged(fields.get(key), value))
  }
  return Object.fromEntries(fields)
}

/** The document that the patch makes of the present one, checked. Throws 400, or 409 for a field of somebody else's. */
export function patched<S extends z.ZodType>(schema: S, present: object, patch: Fields): z.infer<S> {
  const result = check(schema, merged(present, patch))
  if (!result.ok) throw refusedDocument(schema, result.problems)
  return result.value
}

const type = 'application/merge-patch+json'
const fields = z.record(z.string(), z.unknown())

async function read(context: Context): Promise<Fields> {
  if (context.is(type) !== type) throw unsupported(`Send ${type}.`, type)
  return readDocument(context, fields)
}

/** A merge patch as the body. */
export const mergePatch: BodyReader<Fields> = { schema: fields, types: [type], required: true, read }
