// Which index, if any, answers a query, and between which keys. Bounds may be wider than the filter, never narrower:
// every document is matched again.
import { numberOf, typeOf } from './bson.ts'
import type { Collection, Index } from './catalog.ts'
import type { Comparison, Filter, Test } from './filter.ts'
import type { KeyField } from './keys.ts'
import { encodeKey, encodeValue, rankOf } from './order.ts'

/** Keys from `low` up to, but not with, `high`. */
export interface Interval {
  readonly low: Uint8Array
  readonly high: Uint8Array
}

export interface Plan {
  /** All documents in the order of insertion, when undefined. */
  readonly index: Index | undefined
  readonly intervals: readonly Interval[]
  readonly reverse: boolean
  /** Whether the rows come in the order of the sort. */
  readonly sorted: boolean
}

interface Condition {
  readonly name: string
  readonly test: Test
}

/** More values of `$in` than this are cheaper to scan for. */
const maxPoints = 1000

export function planQuery(collection: Collection, filter: Filter, sort: readonly KeyField[]): Plan {
  const conditions = conditionsOf(filter)
  const scan: Plan = { index: undefined, intervals: [], reverse: false, sorted: sort.length === 0 }
  const candidates = collection.indexes
    .filter((index) => index.partial === undefined || implies(conditions, index.partial))
    .map((index) => planIndex(index, conditions, sort))
  return candidates.reduce((best, next) => (next.score > best.score ? next : best), { plan: scan, score: 0 }).plan
}

/** What must hold of a matching document: the tests on fields that are joined by `and`, not negated. */
function conditionsOf(filter: Filter): Condition[] {
  if (filter.kind === 'and') return filter.parts.flatMap(conditionsOf)
  if (filter.kind !== 'field' || filter.clause.kind !== 'test' || filter.clause.negated) return []
  return [{ name: filter.path.join('.'), test: filter.clause.test }]
}

/** Whether the query asks for everything that the partial index asks for, word by word (or by an equality that is). */
function implies(conditions: readonly Condition[], partial: Filter): boolean {
  if (partial.kind === 'and') return partial.parts.every((part) => implies(conditions, part))
  const [wanted] = conditionsOf(partial)
  if (wanted === undefined) return false
  return conditions.some(({ name, test }) => name === wanted.name && covers(test, wanted.test))
}

function covers(test: Test, wanted: Test): boolean {
  if (test.kind === 'exists' && wanted.kind === 'exists') return true
  if (test.kind !== 'compare') return false
  if (wanted.kind === 'exists') return test.op === 'eq' ? test.operand !== null : isRangeable(test.operand)
  return wanted.kind === 'compare' && test.op === wanted.op && sameBytes(test.operand, wanted.operand)
}

function sameBytes(a: unknown, b: unknown): boolean {
  return Buffer.compare(encodeValue(a), encodeValue(b)) === 0
}

function planIndex(
  index: Index,
  conditions: readonly Condition[],
  sort: readonly KeyField[],
): { plan: Plan; score: number } {
  const usable = index.multikey ? index.fields.slice(0, 1) : index.fields
  const points = pointsOf(usable, conditions)
  const prefixes = points.reduce<Uint8Array[]>(
    (all, values, at) => all.flatMap((prefix) => values.map((value) => join(prefix, part(value, index.fields[at])))),
    [new Uint8Array()],
  )
  const next = usable[points.length]
  const range = next === undefined ? undefined : rangeOf(next, conditions, index.multikey)
  const intervals = prefixes.map((prefix) => intervalOf(prefix, range))
  const order = index.multikey || intervals.length > 1 ? undefined : orderOf(index.fields, points.length, sort)
  const sorted = sort.length === 0 || order !== undefined
  const plan = { index, intervals, reverse: order === -1, sorted }
  return { plan, score: points.length * 10 + (range === undefined ? 0 : 5) + (order === undefined ? 0 : 6) }
}

/** For each leading field of the index that is fixed: the values it may have. */
function pointsOf(fields: readonly KeyField[], conditions: readonly Condition[]): unknown[][] {
  const points: unknown[][] = []
  for (const { name } of fields) {
    const found = conditions.filter((condition) => condition.name === name).map(({ test }) => valuesOf(test))
    const values = found.find((candidate) => candidate !== undefined)
    const total = points.reduce((product, some) => product * some.length, values?.length ?? 0)
    if (values === undefined || total > maxPoints) break
    points.push(values)
  }
  return points
}

function valuesOf(test: Test): unknown[] | undefined {
  if (test.kind === 'compare' && test.op === 'eq') return isPoint(test.operand) ? [test.operand] : undefined
  if (test.kind !== 'in' || test.operands.length === 0 || !test.operands.every(isPoint)) return undefined
  const distinct = new Map(test.operands.map((value) => [Buffer.from(encodeValue(value)).toString('latin1'), value]))
  return [...distinct.values()]
}

/** An array is indexed by its elements, so no single key stands for it. */
function isPoint(value: unknown): boolean {
  return !Array.isArray(value)
}

type Range = readonly { readonly op: Exclude<Comparison, 'eq'>; readonly field: KeyField; readonly operand: unknown }[]

/** The range tests on one field; of a multikey index only one, because each may hold for another element. */
function rangeOf(field: KeyField, conditions: readonly Condition[], multikey: boolean): Range | undefined {
  const tests = conditions.flatMap(({ name, test }) => {
    if (name !== field.name || test.kind !== 'compare' || test.op === 'eq' || !isRangeable(test.operand)) return []
    return [{ op: test.op, field, operand: test.operand }]
  })
  const [first] = tests
  if (first === undefined) return undefined
  return multikey ? [first] : tests
}

function isRangeable(operand: unknown): boolean {
  const odd = ['null', 'array', 'minKey', 'maxKey', 'undefined'].includes(typeOf(operand))
  return !odd && !Number.isNaN(numberOf(operand) ?? 0)
}

/** No key part starts with 0xff, so a prefix with it comes after all keys that start with the prefix. */
const after = new Uint8Array([0xff])

function intervalOf(prefix: Uint8Array, range: Range | undefined): Interval {
  const bounds = (range ?? []).map((test) => boundsOf(prefix, test))
  return {
    low: bounds.reduce((low, bound) => (Buffer.compare(bound.low, low) > 0 ? bound.low : low), prefix),
    high: bounds.reduce(
      (high, bound) => (Buffer.compare(bound.high, high) < 0 ? bound.high : high),
      join(prefix, after),
    ),
  }
}

/** Keys within the operand's type: range operators compare with no other. A descending field mirrors its bounds. */
function boundsOf(prefix: Uint8Array, { op, field, operand }: Range[number]): Interval {
  const value = join(prefix, part(operand, field))
  const rank = field.direction === 1 ? rankOf(operand) : 0xff - rankOf(operand)
  const low = join(prefix, new Uint8Array([rank]))
  const high = join(prefix, new Uint8Array([rank + 1]))
  const above = field.direction === 1 ? op === 'gt' || op === 'gte' : op === 'lt' || op === 'lte'
  const past = op === 'gt' || op === 'lt' ? above : !above
  const edge = past ? join(value, after) : value
  return above ? { low: edge, high } : { low, high: edge }
}

/** 1 or -1 when the index, after its fixed fields, runs in the order of the sort or against it. */
function orderOf(fields: readonly KeyField[], fixed: number, sort: readonly KeyField[]): 1 | -1 | undefined {
  if (sort.length === 0) return undefined
  const fixedNames = new Set(fields.slice(0, fixed).map((field) => field.name))
  const wanted = sort.filter((field) => !fixedNames.has(field.name))
  const given = fields.slice(fixed, fixed + wanted.length)
  if (wanted.some((field, at) => field.name !== given[at]?.name)) return undefined
  const [turn = 1, ...others] = wanted.map((field, at) => (field.direction === given[at]?.direction ? 1 : -1))
  return others.every((other) => other === turn) ? turn : undefined
}

function part(value: unknown, field: KeyField | undefined): Uint8Array {
  return encodeKey([value], [field?.direction ?? 1])
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  return Buffer.concat([a, b])
}
