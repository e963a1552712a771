// A query filter as a tree: what `find`, `$match`, `$elemMatch` and partial indexes have in common. Parsing refuses by
// name whatever is not understood, so that matching never has to guess.
import { type BsonType, type Doc, isDoc, numberOf, show, typeOf } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import { encodeValue } from './order.ts'
import { type Path, splitPath } from './path.ts'

export type Comparison = 'eq' | 'gt' | 'gte' | 'lt' | 'lte'

/** A question to a single value. */
export type Test =
  | { readonly kind: 'compare'; readonly op: Comparison; readonly operand: unknown }
  | { readonly kind: 'in'; readonly operands: readonly unknown[] }
  | { readonly kind: 'exists' }
  | { readonly kind: 'type'; readonly types: ReadonlySet<BsonType> }
  | { readonly kind: 'size'; readonly size: number }
  | { readonly kind: 'elements'; readonly filter: Filter }
  | { readonly kind: 'element'; readonly clauses: readonly Clause[] }
  | { readonly kind: 'never' }

/** A question to all values that a path reaches: does any pass (or, negated, does none). */
export type Clause =
  | { readonly kind: 'test'; readonly negated: boolean; readonly test: Test }
  | { readonly kind: 'nand'; readonly clauses: readonly Clause[] }

export type Filter =
  | { readonly kind: 'and' | 'or' | 'nor'; readonly parts: readonly Filter[] }
  | { readonly kind: 'field'; readonly path: Path; readonly clause: Clause }

/** Parses a filter document. Errors: 2 BadValue for a wrong one, 238 NotImplemented for what is outside the subset. */
export function parseFilter(doc: Doc): Filter {
  return { kind: 'and', parts: Object.entries(doc).flatMap(([name, value]) => parseEntry(name, value)) }
}

function parseEntry(name: string, value: unknown): Filter[] {
  if (name === '$and') return [{ kind: 'and', parts: parseParts(name, value) }]
  if (name === '$or') return [{ kind: 'or', parts: parseParts(name, value) }]
  if (name === '$nor') return [{ kind: 'nor', parts: parseParts(name, value) }]
  if (name.startsWith('$')) throw unknownOperator(name, 'unknown top level operator')
  const path = splitPath(name)
  return parseClauses(value).map((clause) => ({ kind: 'field', path, clause }))
}

function parseParts(name: string, value: unknown): Filter[] {
  if (!Array.isArray(value) || value.length === 0) throw bad(`${name} must be a nonempty array`)
  return value.map((part) => {
    if (!isDoc(part)) throw bad(`${name} argument's entries must be objects`)
    return parseFilter(part)
  })
}

/** Whether a field's value is a set of operators and not a document to compare with: its first name decides. */
export function isOperators(value: unknown): value is Doc {
  return isDoc(value) && (Object.keys(value)[0]?.startsWith('$') ?? false)
}

/** What is asked of one field: an implicit equality, or all of its operators. */
export function parseClauses(value: unknown): Clause[] {
  if (!isOperators(value)) return [compare('eq', value)]
  return Object.entries(value).flatMap(([operator, operand]) => parseOperator(operator, operand))
}

function parseOperator(operator: string, operand: unknown): Clause[] {
  switch (operator) {
    case '$eq':
      return [compare('eq', operand)]
    case '$gt':
      return [compare('gt', operand)]
    case '$gte':
      return [compare('gte', operand)]
    case '$lt':
      return [compare('lt', operand)]
    case '$lte':
      return [compare('lte', operand)]
    case '$ne':
      return [negate({ kind: 'compare', op: 'eq', operand: checked(operand) })]
    case '$in':
      return [ask(oneOf(operator, operand))]
    case '$nin':
      return [negate(oneOf(operator, operand))]
    case '$exists':
      return [isTruthy(operand) ? ask({ kind: 'exists' }) : negate({ kind: 'exists' })]
    case '$type':
      return [ask({ kind: 'type', types: parseTypes(operand) })]
    case '$size':
      return [ask({ kind: 'size', size: parseSize(operand) })]
    case '$elemMatch':
      return [ask(parseElemMatch(operand))]
    case '$all':
      return parseAll(operand)
    case '$not':
      if (typeOf(operand) === 'regex') throw refused('$not with a regular expression')
      if (!isOperators(operand)) throw bad('$not needs a document with operators')
      return [{ kind: 'nand', clauses: parseClauses(operand) }]
    default:
      throw unknownOperator(operator, 'unknown operator')
  }
}

function ask(test: Test): Clause {
  return { kind: 'test', negated: false, test }
}

function negate(test: Test): Clause {
  return { kind: 'test', negated: true, test }
}

function compare(op: Comparison, operand: unknown): Clause {
  return ask({ kind: 'compare', op, operand: checked(operand) })
}

/** Refuses operands that cannot be compared, also when there is no document to compare them with yet. */
function checked(operand: unknown): unknown {
  if (typeOf(operand) === 'regex') throw refused('$regex')
  if (operand === undefined) throw bad('cannot compare to undefined')
  encodeValue(operand)
  return operand
}

function oneOf(operator: string, operand: unknown): Test {
  if (!Array.isArray(operand)) throw bad(`${operator} needs an array`)
  return { kind: 'in', operands: operand.map(checked) }
}

function parseAll(operand: unknown): Clause[] {
  if (!Array.isArray(operand)) throw bad('$all needs an array')
  if (operand.length === 0) return [ask({ kind: 'never' })]
  return operand.map((value) => {
    if (!isOperators(value)) return compare('eq', value)
    if (Object.keys(value).join() !== '$elemMatch') throw bad('no $ expressions in $all')
    return ask(parseElemMatch(value['$elemMatch']))
  })
}

function parseElemMatch(operand: unknown): Test {
  if (!isDoc(operand)) throw bad('$elemMatch needs an Object')
  const first = Object.keys(operand)[0] ?? ''
  const ofValues = first.startsWith('$') && !['$and', '$or', '$nor'].includes(first)
  if (!ofValues) return { kind: 'elements', filter: parseFilter(operand) }
  return { kind: 'element', clauses: parseClauses(operand) }
}

function parseSize(operand: unknown): number {
  const size = numberOf(operand)
  if (size === undefined || !Number.isInteger(size)) throw bad(`Failed to parse $size. Expected an integer`)
  if (size < 0) throw bad(`Failed to parse $size. Expected a non-negative number in: $size: ${size}`)
  return size
}

/** mongod takes any value for `$exists`; false, null and zero mean "does not exist". */
function isTruthy(value: unknown): boolean {
  const number = numberOf(value)
  return number === undefined ? value !== false && value !== null && value !== undefined : number !== 0
}

const typeCodes: Readonly<Record<string, BsonType>> = {
  '1': 'double',
  '2': 'string',
  '3': 'object',
  '4': 'array',
  '5': 'binData',
  '7': 'objectId',
  '8': 'bool',
  '9': 'date',
  '10': 'null',
  '11': 'regex',
  '16': 'int',
  '17': 'timestamp',
  '18': 'long',
  '19': 'decimal',
}

function parseTypes(operand: unknown): ReadonlySet<BsonType> {
  const names = Array.isArray(operand) ? operand : [operand]
  if (names.length === 0) throw new CommandError('FailedToParse', 'must match at least one type')
  return new Set(names.flatMap(typesNamed))
}

function typesNamed(name: unknown): readonly BsonType[] {
  if (name === 'number') return ['int', 'long', 'double', 'decimal']
  const code = numberOf(name)
  const known = Object.values(typeCodes)
  const type = code === undefined ? known.find((alias) => alias === name) : typeCodes[String(code)]
  if (type === undefined) throw bad(`Unknown type name alias or code: ${show(name)}`)
  return [type]
}

const refusedOperators = new Set([
  '$regex',
  '$options',
  '$expr',
  '$where',
  '$text',
  '$jsonSchema',
  '$mod',
  '$comment',
  '$bitsAllSet',
  '$bitsAllClear',
  '$bitsAnySet',
  '$bitsAnyClear',
  '$geoWithin',
  '$geoIntersects',
  '$near',
  '$nearSphere',
  '$sampleRate',
  '$alwaysTrue',
  '$alwaysFalse',
])

function unknownOperator(operator: string, what: string): CommandError {
  return refusedOperators.has(operator) ? refused(operator) : bad(`${what}: ${operator}`)
}

function bad(message: string): CommandError {
  return new CommandError('BadValue', message)
}
