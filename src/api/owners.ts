// Whose a field is. A document that sets a field of somebody else's is not misspelt but in conflict, and is told with whom.
import type { z } from 'zod'
import type { Problem as FieldProblem } from '../../specs/parse.ts'
import { classDocument } from '../../specs/class.ts'
import { poolDocument } from '../../specs/pool.ts'
import { entitlement, tenantDocument } from '../../specs/tenant.ts'
import { invalid, Problem } from './problem.ts'

interface Ownership {
  readonly owner: string
  /** How it is changed. */
  readonly instead: string
  /** Whether an admin may take it over by `force=true`. */
  readonly force?: true
}

const byController: Ownership = { owner: 'controller', instead: 'it is only read' }
const byBilling: Ownership = {
  ...{ owner: 'billing', force: true },
  instead: 'PUT /v1/tenants/{name}/entitlement sets it, and an admin may take it over with force=true',
}
const byAdmin: Ownership = { owner: 'admin', instead: 'PUT /v1/tenants/{name} sets it' }

const kept = { status: byController, generation: byController, revision: byController, createdAt: byController }

/** What is not part of a document, and whose it is; by the schema's definition, which it keeps when it is given a name. */
const foreign: ReadonlyMap<object, Readonly<Record<string, Ownership>>> = new Map<
  object,
  Readonly<Record<string, Ownership>>
>([
  [
    tenantDocument.def,
    {
      entitlement: byBilling,
      parked: { owner: 'billing', instead: 'approve or reject it' },
      ...{ status: byController, uid: byController, generation: byController },
      ...{ revision: byController, createdAt: byController },
    },
  ],
  [entitlement.def, { spec: byAdmin, labels: byAdmin, status: byController }],
  [classDocument.def, kept],
  [poolDocument.def, kept],
])

/** A tenant's document as an admin may send it with force: with the fields that can be taken over. */
export const forcedDocument = tenantDocument.extend({ entitlement: entitlement.optional() })

/**
 * The problem for a document with wrong fields: 409 where all that is wrong is that it sets fields of others, else 400.
 */
export function refusedDocument(schema: z.ZodType, problems: readonly FieldProblem[]): Problem {
  const owned = foreign.get(schema.def === forcedDocument.def ? tenantDocument.def : schema.def) ?? {}
  const conflicts = problems.flatMap(({ path }) => {
    const ownership = Object.hasOwn(owned, path) ? owned[path] : undefined
    return ownership === undefined ? [] : [{ field: path, ...ownership }]
  })
  if (conflicts.length === 0 || conflicts.length < problems.length) return invalid(problems)
  const words = conflicts.map(({ field, owner, instead }) => `${field} is the ${owner}’s (${instead})`)
  const errors = problems.map(({ path, pointer }, index) => ({ path, pointer, detail: words[index] ?? '' }))
  const detail = `Leave out what is not yours: ${words.join('; ')}.`
  return new Problem(409, 'field-conflict', detail, { errors, extra: { conflicts } })
}
