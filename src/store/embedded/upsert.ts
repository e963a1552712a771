// The document that an upsert inserts: what the filter fixes by equality, then the update on top of it.
import { BSON } from 'mongodb'
import { alter } from './alter.ts'
import { type Doc, isDoc, typeOf } from './bson.ts'
import { CommandError } from './errors.ts'
import type { Filter } from './filter.ts'
import type { Path } from './path.ts'
import { applyUpdate, type Update } from './update.ts'

/** Errors: 54 when the filter fixes one path twice, 66 when filter and update disagree on `_id`. */
export function upsertDocument(filter: Filter, update: Update, now: Date): Doc {
  const fixed = equalities(filter)
  const seed = update.kind === 'replace' ? idOnly(fixed) : fixed
  refuseRepeats(seed)
  const base = seed.reduce<Doc>((doc, [path, value]) => alter(doc, path, true, () => value), {})
  return withIdFirst(applyUpdate(update, base, { now, inserting: true }))
}

/** The document with `_id` in first place, as mongod stores it; a new ObjectId where it has none. Errors: 53, 52. */
export function withIdFirst(doc: Doc): Doc {
  const { _id: given, ...rest } = doc
  const id = given ?? (Object.hasOwn(doc, '_id') ? null : new BSON.ObjectId())
  checkId(id)
  return { _id: id, ...rest }
}

function checkId(id: unknown): void {
  const type = typeOf(id)
  if (type === 'array' || type === 'regex' || type === 'undefined') {
    throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${type}`)
  }
  const dollar = isDoc(id) ? Object.keys(id).find((name) => name.startsWith('$')) : undefined
  if (dollar !== undefined) {
    throw new CommandError(
      'DollarPrefixedFieldName',
      `_id fields may not contain '$'-prefixed fields: ${dollar} is not valid for storage.`,
    )
  }
}

type Equality = readonly [path: Path, value: unknown]

function equalities(filter: Filter): Equality[] {
  if (filter.kind === 'and') return filter.parts.flatMap(equalities)
  if (filter.kind === 'or' && filter.parts.length === 1) return filter.parts.flatMap(equalities)
  if (filter.kind !== 'field' || filter.clause.kind !== 'test' || filter.clause.negated) return []
  const { test } = filter.clause
  if (test.kind === 'compare' && test.op === 'eq') return [[filter.path, test.operand]]
  if (test.kind === 'in' && test.operands.length === 1) return [[filter.path, test.operands[0]]]
  return []
}

function idOnly(fixed: readonly Equality[]): Equality[] {
  return fixed.filter(([path]) => path.length === 1 && path[0] === '_id')
}

function refuseRepeats(fixed: readonly Equality[]): void {
  const texts = fixed.map(([path]) => path.join('.'))
  const repeated = texts.find((text, at) => texts.some((other, i) => i !== at && `${text}.`.startsWith(`${other}.`)))
  if (repeated === undefined) return
  throw new CommandError('NotSingleValueField', `cannot infer query fields to set, path '${repeated}' is matched twice`)
}
