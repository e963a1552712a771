// The definition of an index: parsed from createIndexes, kept as the document that listIndexes shows.
import { BSON } from 'mongodb'
import { type Doc, fieldOf, isDoc, numberOf, show } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import { type Clause, type Filter, parseFilter } from './filter.ts'
import { type KeyField, keyFields } from './keys.ts'
import { encodeValue } from './order.ts'

export interface IndexSpec {
  readonly name: string
  readonly fields: readonly KeyField[]
  readonly unique: boolean
  /** Which documents the index holds; all, when undefined. */
  readonly partial: Filter | undefined
  readonly expireAfterSeconds: number | undefined
  /** As listIndexes shows it, and as it is stored. */
  readonly document: Doc
}

export const idIndex: Doc = { v: new BSON.Int32(2), key: { _id: new BSON.Int32(1) }, name: '_id_' }

/** Indexes may say these and nothing else. `background` has had no meaning in mongod since 4.2. */
const known = new Set(['v', 'key', 'name', 'unique', 'partialFilterExpression', 'expireAfterSeconds', 'background'])

const maxExpireAfterSeconds = 2 ** 31 - 1

/** Errors: 67 for a definition that cannot be built, 72 for an option outside the subset. */
export function parseIndexSpec(document: Doc): IndexSpec {
  for (const option of Object.keys(document)) {
    if (!known.has(option))
      throw new CommandError('InvalidOptions', `the index option '${option}' is not in the embedded store's subset`)
  }
  const key = fieldOf(document, 'key')
  const name = fieldOf(document, 'name')
  if (!isDoc(key) || Object.keys(key).length === 0) throw cannot('an index needs a key pattern')
  if (typeof name !== 'string' || name === '') throw cannot('an index needs a name')
  const fields = parseKey(key)
  const expireAfterSeconds = parseExpiry(fieldOf(document, 'expireAfterSeconds'), fields)
  const partial = parsePartial(fieldOf(document, 'partialFilterExpression'))
  const unique = fieldOf(document, 'unique') === true || name === '_id_'
  return { name, fields, unique, partial, expireAfterSeconds, document: listed(document) }
}

/** What two indexes must differ in to exist side by side: mongod's uniquely identifying options. */
export function identityOf(spec: IndexSpec): string {
  const { key, partialFilterExpression } = spec.document
  return Buffer.from(encodeValue([key, partialFilterExpression ?? null, spec.unique])).toString('base64')
}

function parseKey(key: Doc): KeyField[] {
  const fields = keyFields(key, (name) => cannot(`the index on '${name}' must be ascending (1) or descending (-1)`))
  for (const { name, path } of fields) {
    if (path.some((part) => part === '' || part.startsWith('$'))) throw cannot(`'${name}' is no path for an index`)
    if (path.some((part) => /^\d+$/.test(part))) throw refused(`an index on an array position ('${name}')`)
  }
  return fields
}

function parseExpiry(value: unknown, fields: readonly KeyField[]): number | undefined {
  if (value === undefined) return undefined
  const seconds = numberOf(value)
  if (seconds === undefined || !(seconds >= 0 && seconds <= maxExpireAfterSeconds)) {
    throw cannot(`TTL index 'expireAfterSeconds' must be between 0 and ${maxExpireAfterSeconds}, not ${show(value)}`)
  }
  if (fields.length > 1 || fields[0]?.name === '_id')
    throw cannot('TTL indexes are single-field indexes, and not on _id')
  return seconds
}

function parsePartial(value: unknown): Filter | undefined {
  if (value === undefined) return undefined
  if (!isDoc(value)) throw cannot('partialFilterExpression must be a document')
  const filter = parseFilter(value)
  refuseInPartial(filter)
  return filter
}

/** As in mongod: equality, $exists: true, ranges, $in, $type, joined by $and and $or. */
function refuseInPartial(filter: Filter): void {
  if (filter.kind === 'nor') throw notInPartial()
  if (filter.kind === 'field') refuseClause(filter.clause)
  else filter.parts.forEach(refuseInPartial)
}

function refuseClause(clause: Clause): void {
  const kinds = ['compare', 'in', 'exists', 'type']
  if (clause.kind !== 'test' || clause.negated || !kinds.includes(clause.test.kind)) throw notInPartial()
}

function notInPartial(): CommandError {
  return cannot(
    'Expression not supported in partial index: use equality, $exists: true, $gt, $gte, $lt, $lte, $in, $type',
  )
}

function listed(document: Doc): Doc {
  const rest = Object.entries(document).filter(([option]) => !['v', 'key', 'name', 'background'].includes(option))
  return { v: new BSON.Int32(2), key: document['key'], name: document['name'], ...Object.fromEntries(rest) }
}

function cannot(message: string): CommandError {
  return new CommandError('CannotCreateIndex', message)
}
