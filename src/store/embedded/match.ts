// Whether a document matches a filter, as mongod decides it: type bracketing, null and missing, arrays element by element.
import { type Doc, isDoc, numberOf, typeOf } from './bson.ts'
import type { Clause, Comparison, Filter, Test } from './filter.ts'
import { compareValues, rankOf, sameValue } from './order.ts'
import { reach } from './path.ts'

export function matches(filter: Filter, doc: Doc): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.parts.every((part) => matches(part, doc))
    case 'or':
      return filter.parts.some((part) => matches(part, doc))
    case 'nor':
      return !filter.parts.some((part) => matches(part, doc))
    case 'field':
      return holds(filter.clause, (test) => reach(doc, filter.path, spreads(test), (value) => passes(test, value)))
  }
}

/** Whether a single value, such as an element to `$pull`, meets the clauses; an array among them is not searched. */
export function valueMatches(clauses: readonly Clause[], value: unknown): boolean {
  return clauses.every((clause) => holds(clause, (test) => passes(test, value)))
}

function holds(clause: Clause, any: (test: Test) => boolean): boolean {
  if (clause.kind === 'nand') return !clause.clauses.every((part) => holds(part, any))
  return any(clause.test) !== clause.negated
}

/** Whether a test looks into an array at the end of its path, or at the array as a whole. */
function spreads(test: Test): boolean {
  return test.kind === 'compare' || test.kind === 'in' || test.kind === 'type'
}

function passes(test: Test, value: unknown): boolean {
  switch (test.kind) {
    case 'compare':
      return compares(test.op, test.operand, value)
    case 'in':
      return test.operands.some((operand) => compares('eq', operand, value))
    case 'exists':
      return value !== undefined
    case 'type':
      return value !== undefined && test.types.has(typeOf(value))
    case 'size':
      return Array.isArray(value) && value.length === test.size
    case 'elements':
      return Array.isArray(value) && value.some((element) => elementMatches(test.filter, element))
    case 'element':
      return Array.isArray(value) && value.some((element) => valueMatches(test.clauses, element))
    case 'never':
      return false
  }
}

/** `$elemMatch` with a filter sees embedded documents, and nested arrays as documents with index names. */
function elementMatches(filter: Filter, element: unknown): boolean {
  if (isDoc(element)) return matches(filter, element)
  return Array.isArray(element) && matches(filter, Object.fromEntries(element.entries()))
}

function compares(op: Comparison, operand: unknown, value: unknown): boolean {
  const present = value ?? null
  if (op === 'eq') return sameValue(present, operand)
  if (isEnd(operand)) return inOrder(op, compareValues(present, operand))
  if (rankOf(present) !== rankOf(operand)) return false
  if (isNaNumber(present) || isNaNumber(operand)) {
    return (op === 'gte' || op === 'lte') && isNaNumber(present) && isNaNumber(operand)
  }
  return inOrder(op, compareValues(present, operand))
}

/** MinKey and MaxKey are the two operands that a range compares with values of any type. */
function isEnd(operand: unknown): boolean {
  const type = typeOf(operand)
  return type === 'minKey' || type === 'maxKey'
}

function isNaNumber(value: unknown): boolean {
  return Number.isNaN(numberOf(value) ?? 0)
}

function inOrder(op: Exclude<Comparison, 'eq'>, order: number): boolean {
  switch (op) {
    case 'gt':
      return order > 0
    case 'gte':
      return order >= 0
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
  }
}
