// The update operators on arrays: $push with $each, $sort and $slice, $addToSet, and $pull by value or by filter.
import type { Change } from './alter.ts'
import { type Doc, fieldOf, isDoc, numberOf, show, typeOf } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import { isOperators, parseClauses, parseFilter } from './filter.ts'
import { type KeyField, keyFields, sortKey } from './keys.ts'
import { matches, valueMatches } from './match.ts'
import { compareValues, sameValue } from './order.ts'
import type { Place } from './operators.ts'

type Elements = readonly unknown[]

/** Appends one value, or those of `$each`, then sorts and slices. Errors: 2 when the field is no array. */
export function push(argument: unknown, { path, id }: Place): Change {
  const plan = parsePush(argument)
  return (old) => {
    if (old !== undefined && !Array.isArray(old)) {
      throw bad(`The field '${path}' must be an array but is of type ${typeOf(old)} in document {_id: ${show(id)}}`)
    }
    return plan([...((old ?? []) as Elements), ...eachOf(argument, '$push')])
  }
}

function parsePush(argument: unknown): (elements: Elements) => Elements {
  if (!isEach(argument)) return (elements) => elements
  for (const name of Object.keys(argument)) {
    if (name === '$position') throw refused('$position in $push')
    if (!['$each', '$slice', '$sort'].includes(name)) throw bad(`Unrecognized clause in $push: ${name}`)
  }
  const sort = parseSort(fieldOf(argument, '$sort'))
  const slice = parseSlice(fieldOf(argument, '$slice'))
  return (elements) => slice(sort(elements))
}

function isEach(argument: unknown): argument is Doc {
  return isDoc(argument) && Object.hasOwn(argument, '$each')
}

function eachOf(argument: unknown, operator: string): Elements {
  if (!isEach(argument)) return [argument]
  const each = argument['$each']
  if (!Array.isArray(each))
    throw bad(`The argument to $each in ${operator} must be an array but it was of type ${typeOf(each)}`)
  return each
}

function parseSlice(argument: unknown): (elements: Elements) => Elements {
  if (argument === undefined) return (elements) => elements
  const count = numberOf(argument)
  if (count === undefined || !Number.isInteger(count)) throw bad('The value for $slice must be an integer value')
  return (elements) => (count < 0 ? elements.slice(count) : elements.slice(0, count))
}

function parseSort(argument: unknown): (elements: Elements) => Elements {
  if (argument === undefined) return (elements) => elements
  if (isDoc(argument)) {
    const fields = keyFields(argument, (name) => bad(`The $sort direction of '${name}' must be 1 or -1`))
    return (elements) => elements.toSorted((a, b) => Buffer.compare(keyOf(a, fields), keyOf(b, fields)))
  }
  const direction = numberOf(argument)
  if (direction !== 1 && direction !== -1) throw bad('The $sort element value must be either 1 or -1')
  return (elements) => elements.toSorted((a, b) => direction * compareValues(a, b))
}

/** A sort by fields sees an element without them, or one that is no document, as having null there. */
function keyOf(element: unknown, fields: readonly KeyField[]): Uint8Array {
  return sortKey(isDoc(element) ? element : {}, fields)
}

/** Appends what the array does not hold yet; 1 and 1.0 count as the same. Errors: 2 when the field is no array. */
export function addToSet(argument: unknown, { path }: Place): Change {
  if (isEach(argument) && Object.keys(argument).length > 1) throw bad('$addToSet takes no clause beside $each')
  const added = eachOf(argument, '$addToSet')
  return (old) => {
    if (old !== undefined && !Array.isArray(old)) {
      throw bad(`Cannot apply $addToSet to non-array field. Field named '${path}' has non-array type ${typeOf(old)}`)
    }
    const elements = (old ?? []) as Elements
    const result = added.reduce<Elements>((all, value) => (holds(all, value) ? all : [...all, value]), elements)
    return old !== undefined && result.length === elements.length ? old : result
  }
}

function holds(elements: Elements, value: unknown): boolean {
  return elements.some((element) => sameValue(element, value))
}

/** Removes the elements that equal the value, match the filter, or meet the operators. */
export function pull(argument: unknown): Change {
  const isPulled = parsePull(argument)
  return (old) => {
    if (old === undefined) return old
    if (!Array.isArray(old)) throw bad('Cannot apply $pull to a non-array value')
    const elements: Elements = old
    const rest = elements.filter((element) => !isPulled(element))
    return rest.length === elements.length ? elements : rest
  }
}

function parsePull(argument: unknown): (element: unknown) => boolean {
  if (typeOf(argument) === 'regex') throw refused('$pull with a regular expression')
  if (isOperators(argument)) {
    const clauses = parseClauses(argument)
    return (element) => valueMatches(clauses, element)
  }
  if (!isDoc(argument)) return (element) => sameValue(element, argument)
  const filter = parseFilter(argument)
  return (element) => isDoc(element) && matches(filter, element)
}

function bad(message: string): CommandError {
  return new CommandError('BadValue', message)
}
