// The slow and simple truth for the properties: BSON order and matching written down from the manual, sharing nothing
// with the code under test but the wrappers of BSON.
import { BSON } from 'mongodb'

const { Binary, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } = BSON

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function numeric(value: unknown): number | bigint | undefined {
  if (value instanceof Int32 || value instanceof Double) return value.value
  return Long.isLong(value) && !(value instanceof Timestamp) ? value.toBigInt() : undefined
}

/** The manual's list of types, least first. */
function rank(value: unknown): number {
  const tests = [
    value instanceof MinKey,
    value === null || value === undefined,
    numeric(value) !== undefined,
    typeof value === 'string',
    isFields(value),
    Array.isArray(value),
    value instanceof Binary,
    value instanceof ObjectId,
    typeof value === 'boolean',
    value instanceof Date,
    value instanceof Timestamp,
    value instanceof MaxKey,
  ]
  return tests.indexOf(true)
}

/** BSON order. JavaScript compares a number with a bigint exactly, which settles doubles and longs. */
export function compare(a: unknown, b: unknown): number {
  if (rank(a) !== rank(b)) return Math.sign(rank(a) - rank(b))
  const [left, right] = [numeric(a), numeric(b)]
  if (left !== undefined && right !== undefined) return compareNumbers(left, right)
  if (typeof a === 'string' && typeof b === 'string') return compareLists(codePoints(a), codePoints(b))
  if (isFields(a) && isFields(b)) return compareFields(Object.entries(a), Object.entries(b))
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(a, b)
  if (a instanceof Binary && b instanceof Binary) return a.position - b.position || compareLists(bytes(a), bytes(b))
  if (a instanceof ObjectId && b instanceof ObjectId) return Math.sign(Buffer.compare(a.id, b.id))
  if (a instanceof Date && b instanceof Date) return Math.sign(a.getTime() - b.getTime())
  if (a instanceof Timestamp && b instanceof Timestamp) return Math.sign(a.t - b.t) || Math.sign(a.i - b.i)
  return Math.sign(Number(a === true) - Number(b === true))
}

function compareNumbers(a: number | bigint, b: number | bigint): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
  if (a < b) return -1
  return a > b ? 1 : 0
}

function codePoints(text: string): Double[] {
  return Array.from(text, (character) => new Double(character.codePointAt(0) ?? 0))
}

function bytes(value: BSON.Binary): Double[] {
  return Array.from(value.buffer.subarray(0, value.position), (byte) => new Double(byte))
}

type Double = BSON.Double

function compareLists(a: readonly unknown[], b: readonly unknown[]): number {
  for (const [at, value] of a.entries()) {
    if (at >= b.length) return 1
    const order = compare(value, b[at])
    if (order !== 0) return order
  }
  return a.length < b.length ? -1 : 0
}

function compareFields(a: readonly [string, unknown][], b: readonly [string, unknown][]): number {
  for (const [at, [name, value]] of a.entries()) {
    const other = b[at]
    if (other === undefined) return 1
    const order = rank(value) - rank(other[1]) || compare(name, other[0]) || compare(value, other[1])
    if (order !== 0) return Math.sign(order)
  }
  return a.length < b.length ? -1 : 0
}

/** All values that a path without numbers reaches: through documents, and through the documents in arrays. */
function reached(value: unknown, names: readonly string[]): unknown[] {
  const [name, ...rest] = names
  if (name === undefined) return [value]
  if (isFields(value)) return reached(value[name], rest)
  if (!Array.isArray(value)) return [undefined]
  return value.filter(isFields).flatMap((element) => reached(element, names))
}

function withElements(values: readonly unknown[]): unknown[] {
  return values.flatMap((value) => (Array.isArray(value) ? [...(value as unknown[]), value] : [value]))
}

function inBracket(value: unknown, operand: unknown, holds: (order: number) => boolean): boolean {
  return rank(value) === rank(operand) && holds(compare(value, operand))
}

const tests: Readonly<Record<string, (values: readonly unknown[], operand: unknown) => boolean>> = {
  $eq: (values, operand) => withElements(values).some((value) => compare(value, operand) === 0),
  $ne: (values, operand) => !withElements(values).some((value) => compare(value, operand) === 0),
  $gt: (values, operand) => withElements(values).some((value) => inBracket(value, operand, (order) => order > 0)),
  $gte: (values, operand) => withElements(values).some((value) => inBracket(value, operand, (order) => order >= 0)),
  $lt: (values, operand) => withElements(values).some((value) => inBracket(value, operand, (order) => order < 0)),
  $lte: (values, operand) => withElements(values).some((value) => inBracket(value, operand, (order) => order <= 0)),
  $in: (values, operand) =>
    withElements(values).some((value) => (operand as unknown[]).some((o) => compare(value, o) === 0)),
  $nin: (values, operand) =>
    !withElements(values).some((value) => (operand as unknown[]).some((o) => compare(value, o) === 0)),
  $exists: (values, operand) => values.some((value) => value !== undefined) === operand,
  $size: (values, operand) => values.some((value) => Array.isArray(value) && value.length === numeric(operand)),
}

export function matches(filter: Fields, doc: Fields): boolean {
  return Object.entries(filter).every(([name, condition]) => {
    const parts = Array.isArray(condition) ? (condition as Fields[]).map((part) => matches(part, doc)) : []
    if (name === '$and') return parts.every(Boolean)
    if (name === '$or') return parts.some(Boolean)
    if (name === '$nor') return !parts.some(Boolean)
    return meets(reached(doc, name.split('.')), condition as Fields)
  })
}

function meets(values: readonly unknown[], condition: Fields): boolean {
  return Object.entries(condition).every(([operator, operand]) =>
    operator === '$not' ? !meets(values, operand as Fields) : tests[operator]?.(values, operand) === true,
  )
}
