// $group with what counting needs: keys and accumulators over field paths and constants.
import { BSON } from 'mongodb'
import { type Doc, fieldOf, isDoc } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import { add, isNumber } from './numbers.ts'
import { compareValues, encodeValue } from './order.ts'
import { type Path, splitPath } from './path.ts'

type Expression = (doc: Doc) => unknown

/** What an accumulator holds after one more value; `undefined` stands for a missing value and for nothing yet. */
type Fold = (held: unknown, value: unknown, isFirst: boolean) => unknown

const folds: Readonly<Record<string, Fold>> = {
  $sum: (held, value) => (isNumber(value) ? add(held ?? new BSON.Int32(0), value) : (held ?? new BSON.Int32(0))),
  $min: (held, value) => extreme(held, value, -1),
  $max: (held, value) => extreme(held, value, 1),
  $first: (held, value, isFirst) => (isFirst ? value : held),
  $last: (_held, value) => value,
}

function extreme(held: unknown, value: unknown, direction: 1 | -1): unknown {
  if (value === undefined || value === null) return held
  return held === undefined || direction * compareValues(value, held) > 0 ? value : held
}

interface Accumulator {
  readonly name: string
  readonly fold: Fold
  readonly expression: Expression
}

interface Group {
  readonly id: unknown
  readonly held: unknown[]
  isEmpty: boolean
}

/** Parses $group. Errors: 238 for expressions and accumulators outside the subset. */
export function parseGroup(spec: Doc): (documents: Iterable<Doc>) => Iterable<Doc> {
  if (!Object.hasOwn(spec, '_id')) throw new CommandError('FailedToParse', 'a group specification must include an _id')
  const idOf = parseExpression(spec['_id'])
  const accumulators = Object.entries(spec)
    .filter(([name]) => name !== '_id')
    .map(parseAccumulator)
  return function* group(documents) {
    const groups = new Map<string, Group>()
    for (const doc of documents) collect(groups, accumulators, idOf(doc) ?? null, doc)
    for (const { id, held } of groups.values()) {
      yield { _id: id, ...Object.fromEntries(accumulators.map(({ name }, at) => [name, held[at] ?? null])) }
    }
  }
}

function collect(groups: Map<string, Group>, accumulators: readonly Accumulator[], id: unknown, doc: Doc): void {
  const key = Buffer.from(encodeValue(id)).toString('latin1')
  const group = groups.get(key) ?? { id, held: [], isEmpty: true }
  groups.set(key, group)
  accumulators.forEach(({ fold, expression }, at) => {
    group.held[at] = fold(group.held[at], expression(doc), group.isEmpty)
  })
  group.isEmpty = false
}

function parseAccumulator([name, spec]: readonly [string, unknown]): Accumulator {
  const [operator = '', ...more] = isDoc(spec) ? Object.keys(spec) : []
  const fold = Object.hasOwn(folds, operator) ? folds[operator] : undefined
  if (!isDoc(spec) || fold === undefined || more.length > 0) throw refused(`the accumulator of '${name}' in $group`)
  return { name, fold, expression: parseExpression(spec[operator]) }
}

/** A field path, a constant, or a document of those. */
function parseExpression(spec: unknown): Expression {
  if (typeof spec === 'string' && spec.startsWith('$')) return fieldPath(spec)
  if (Array.isArray(spec)) throw refused('an array expression in $group')
  if (!isDoc(spec)) return () => spec
  const parts = Object.entries(spec).map(([name, value]) => {
    if (name.startsWith('$')) throw refused(`the expression ${name} in $group`)
    return [name, parseExpression(value)] as const
  })
  return (doc): Doc => {
    const fields = parts.map(([name, expression]): [string, unknown] => [name, expression(doc)])
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
  }
}

function fieldPath(text: string): Expression {
  if (text.startsWith('$$')) throw refused(`the variable ${text} in $group`)
  const path = splitPath(text.slice(1))
  return (doc) => follow(doc, path)
}

/** In expressions a path through an array gives the array of what its documents have there. */
function follow(value: unknown, path: Path): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value
  if (isDoc(value)) return follow(fieldOf(value, name), rest)
  if (!Array.isArray(value)) return undefined
  const elements: readonly unknown[] = value
  return elements.map((element) => follow(element, path)).filter((found) => found !== undefined)
}
