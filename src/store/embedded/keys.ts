// Which keys a document has under a list of paths: the entries of an index, and what a sort compares.
import { type Doc, fieldOf, isDoc, numberOf } from './bson.ts'
import { CommandError } from './errors.ts'
import { type Direction, encodeKey } from './order.ts'
import { arrayIndex, type Path, splitPath } from './path.ts'

/** One part of an index or of a sort. */
export interface KeyField {
  readonly name: string
  readonly path: Path
  readonly direction: Direction
}

export interface Keys {
  /** Distinct entries, each one value per field. null stands for missing, undefined for an empty array. */
  readonly entries: readonly (readonly unknown[])[]
  /** Whether an array was on the way: then one document may have several entries. */
  readonly multikey: boolean
}

interface Slot {
  readonly value: unknown
  readonly rest: Path
  readonly done: boolean
}

/** Parts of a key pattern, such as `{ state: 1, 'claim.at': -1 }`; `wrong` makes the error for any other direction. */
export function keyFields(pattern: Doc, wrong: (name: string) => Error): KeyField[] {
  return Object.entries(pattern).map(([name, value]) => {
    const direction = numberOf(value)
    if (direction !== 1 && direction !== -1) throw wrong(name)
    return { name, path: splitPath(name), direction }
  })
}

/** Errors: 171 when two fields of one key lie in different arrays. */
export function keysOf(doc: Doc, fields: readonly KeyField[]): Keys {
  return expand(fields.map((field) => ({ value: doc, rest: field.path, done: false })))
}

/** The bytes that a document sorts by: its least entry in the order of the sort, as mongod picks it for arrays. */
export function sortKey(doc: Doc, fields: readonly KeyField[]): Uint8Array {
  const directions = fields.map((field) => field.direction)
  const keys = entriesForSort(doc, fields).map((entry) => encodeKey(entry, directions))
  return keys.reduce((least, key) => (Buffer.compare(key, least) < 0 ? key : least))
}

function entriesForSort(doc: Doc, fields: readonly KeyField[]): readonly (readonly unknown[])[] {
  try {
    return keysOf(doc, fields).entries
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError('BadValue', 'cannot sort with keys that are parallel arrays')
  }
}

function expand(slots: readonly Slot[]): Keys {
  const reached = slots.map(descend)
  const arrays = new Set(reached.filter((slot) => !slot.done).map((slot) => slot.value))
  const [array] = arrays
  if (!Array.isArray(array)) return { entries: [reached.map((slot) => slot.value)], multikey: false }
  if (arrays.size > 1) throw new CommandError('CannotIndexParallelArrays', 'cannot index parallel arrays')
  const elements: readonly unknown[] = array.length === 0 ? [emptyArray] : array
  const entries = elements.flatMap((element) => expand(reached.map((slot) => into(slot, element))).entries)
  return { entries, multikey: true }
}

const emptyArray: unique symbol = Symbol('an array without elements')

function into(slot: Slot, element: unknown): Slot {
  if (slot.done) return slot
  if (slot.rest.length === 0) {
    return { value: element === emptyArray ? undefined : (element ?? null), rest: [], done: true }
  }
  if (isDoc(element)) return { value: element, rest: slot.rest, done: false }
  return { value: null, rest: [], done: true }
}

/** Follows a path to its end or to the first array; a number after an array picks that element. */
function descend(slot: Slot): Slot {
  if (slot.done) return slot
  let value = slot.value
  for (const [at, component] of slot.rest.entries()) {
    const index = Array.isArray(value) ? arrayIndex(component) : undefined
    if (Array.isArray(value) && index === undefined) return { value, rest: slot.rest.slice(at), done: false }
    if (Array.isArray(value)) value = index === undefined ? undefined : value[index]
    else value = isDoc(value) ? fieldOf(value, component) : undefined
  }
  return { value: value ?? null, rest: [], done: !Array.isArray(value) }
}
