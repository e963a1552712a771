// What each update operator makes of the value at its path, with mongod's errors for values of the wrong type.
import type { Change } from './alter.ts'
import { addToSet, pull, push } from './array-operators.ts'
import { fieldOf, identical, isDoc, show, typeOf } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import { add, isNumber } from './numbers.ts'
import { compareValues } from './order.ts'

/** When, and whether for a document that the update is about to insert. */
export interface Moment {
  readonly now: Date
  readonly inserting: boolean
}

/** Where an operator works: for its messages. */
export interface Place extends Moment {
  readonly path: string
  readonly id: unknown
}

export interface Operation {
  /** Whether missing documents on the path are made. */
  readonly creates: boolean
  readonly change: Change
}

type Operator = (argument: unknown, place: Place) => Operation

const operators: Readonly<Record<string, Operator>> = {
  $set: (argument) => creating((old) => kept(old, argument)),
  $unset: () => ({ creates: false, change: () => undefined }),
  $setOnInsert: (argument, { inserting }) =>
    inserting ? creating(() => argument) : { creates: false, change: (old) => old },
  $inc: (argument, place) => creating(increment(argument, place)),
  $min: (argument) => creating((old) => (old === undefined || compareValues(argument, old) < 0 ? argument : old)),
  $max: (argument) => creating((old) => (old === undefined || compareValues(argument, old) > 0 ? argument : old)),
  $currentDate: (argument, { now }) => creating(currentDate(argument, now)),
  $push: (argument, place) => creating(push(argument, place)),
  $addToSet: (argument, place) => creating(addToSet(argument, place)),
  $pull: (argument) => ({ creates: false, change: pull(argument) }),
}

/** Operators that mongod has and this server refuses by name. */
export const refusedOperators: ReadonlySet<string> = new Set([
  '$mul',
  '$rename',
  '$bit',
  '$pop',
  '$pullAll',
  '$pushAll',
])

export function isOperator(name: string): boolean {
  return Object.hasOwn(operators, name)
}

export function operator(name: string, argument: unknown, place: Place): Operation {
  const found = operators[name]
  if (found === undefined) throw new CommandError('FailedToParse', `Unknown modifier: ${name}`)
  return found(argument, place)
}

function creating(change: Change): Operation {
  return { creates: true, change }
}

/** The old object where the new one has the same bytes, so that the update counts as changing nothing. */
function kept(old: unknown, value: unknown): unknown {
  return old !== undefined && identical(old, value) ? old : value
}

function increment(argument: unknown, { path, id }: Place): Change {
  if (!isNumber(argument)) {
    throw new CommandError('TypeMismatch', `Cannot increment with non-numeric argument: {${path}: ${show(argument)}}`)
  }
  return (old) => {
    if (old === undefined) return argument
    if (isNumber(old)) return kept(old, add(old, argument))
    throw new CommandError(
      'TypeMismatch',
      `Cannot apply $inc to a value of non-numeric type. {_id: ${show(id)}} has the field '${path}' of non-numeric type ${typeOf(old)}`,
    )
  }
}

function currentDate(argument: unknown, now: Date): Change {
  const type = isDoc(argument) ? fieldOf(argument, '$type') : undefined
  if (type === 'timestamp') throw refused('$currentDate with a timestamp')
  if (typeof argument !== 'boolean' && type !== 'date') {
    throw new CommandError(
      'BadValue',
      `${show(argument)} is not a valid type for $currentDate: use true or {$type: 'date'}`,
    )
  }
  return (old) => kept(old, now)
}
