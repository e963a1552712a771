// Update documents: parsed once into replacements or a list of changes, then applied to one document at a time.
import { type Doc, isDoc, show, typeOf } from './bson.ts'
import { alter } from './alter.ts'
import { CommandError, refused } from './errors.ts'
import { isOperator, type Moment, operator, refusedOperators } from './operators.ts'
import { sameValue } from './order.ts'
import { type Path, splitPath } from './path.ts'

/** One operator on one path. */
interface Modification {
  readonly path: Path
  readonly operator: string
  readonly argument: unknown
}

export type Update =
  | { readonly kind: 'replace'; readonly document: Doc }
  | { readonly kind: 'modify'; readonly modifications: readonly Modification[] }

/**
 * Parses the `u` of an update or the `update` of a findAndModify. Errors: 9 for unknown operators, 40 for two changes of
 * one path, 52 and 56 for field names, 238 for pipelines, arrayFilters and the operators outside the subset.
 */
export function parseUpdate(update: unknown): Update {
  if (Array.isArray(update)) throw refused('an update by aggregation pipeline')
  if (!isDoc(update)) throw new CommandError('FailedToParse', 'Update argument must be either an object or an array')
  const names = Object.keys(update)
  if (names[0]?.startsWith('$') !== true) return replacement(update, names)
  const modifications = Object.entries(update).flatMap(([name, argument]) => parseOperator(name, argument))
  refuseConflicts(modifications)
  return { kind: 'modify', modifications: modifications.toSorted(byPath) }
}

function replacement(document: Doc, names: readonly string[]): Update {
  const dollar = names.find((name) => name.startsWith('$'))
  if (dollar === undefined) return { kind: 'replace', document }
  throw new CommandError(
    'DollarPrefixedFieldName',
    `The dollar ($) prefixed field '${dollar}' is not allowed in the context of an update's replacement document`,
  )
}

function parseOperator(name: string, argument: unknown): Modification[] {
  if (refusedOperators.has(name)) throw refused(`the update operator ${name}`)
  if (!isOperator(name)) {
    throw new CommandError(
      'FailedToParse',
      `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`,
    )
  }
  if (!isDoc(argument)) {
    throw new CommandError('FailedToParse', `Modifiers operate on fields but we found type ${typeOf(argument)} instead`)
  }
  return Object.entries(argument).map(([path, value]) => {
    // Made once only for its complaints: a wrong argument is refused even where no document matches.
    operator(name, value, { path, id: undefined, now: new Date(0), inserting: false })
    return { path: parsePath(path), operator: name, argument: value }
  })
}

function parsePath(text: string): Path {
  const path = splitPath(text)
  if (path.includes('')) {
    throw new CommandError('EmptyFieldName', `The update path '${text}' contains an empty field name`)
  }
  const dollar = path.find((component) => component.startsWith('$'))
  if (dollar === '$' || dollar?.startsWith('$[') === true) throw refused(`the positional operator in '${text}'`)
  if (dollar === undefined) return path
  throw new CommandError(
    'DollarPrefixedFieldName',
    `The dollar ($) prefixed field '${dollar}' in '${text}' is not valid for storage.`,
  )
}

function refuseConflicts(modifications: readonly Modification[]): void {
  const seen = new Set<string>()
  for (const text of modifications.map(({ path }) => path.join('.'))) {
    const clash = [...seen].find((other) => `${text}.`.startsWith(`${other}.`) || `${other}.`.startsWith(`${text}.`))
    if (clash !== undefined) {
      const at = clash.length < text.length ? clash : text
      throw new CommandError(
        'ConflictingUpdateOperators',
        `Updating the path '${text}' would create a conflict at '${at}'`,
      )
    }
    seen.add(text)
  }
}

/** mongod adds new fields in the order of their names, whatever order the update names them in. */
function byPath(a: Modification, b: Modification): number {
  const [left, right] = [a.path.join('.'), b.path.join('.')]
  if (left === right) return 0
  return left < right ? -1 : 1
}

/** The document after the update; the same object when nothing changes. Errors: 66 when `_id` would change. */
export function applyUpdate(update: Update, doc: Doc, moment: Moment): Doc {
  const after = update.kind === 'replace' ? replace(update.document, doc) : modify(update.modifications, doc, moment)
  const id = doc['_id']
  if (id !== undefined && (after['_id'] === undefined || !sameValue(after['_id'], id))) {
    throw new CommandError(
      'ImmutableField',
      `Performing an update on the path '_id' would modify the immutable field '_id' (${show(id)})`,
    )
  }
  return after
}

/** A replacement keeps the old `_id`, in first place, unless it names one. */
function replace(document: Doc, old: Doc): Doc {
  const { _id: given, ...rest } = document
  const id = given ?? old['_id']
  return id === undefined ? rest : { _id: id, ...rest }
}

function modify(modifications: readonly Modification[], doc: Doc, moment: Moment): Doc {
  return modifications.reduce((current, { path, operator: name, argument }) => {
    const { creates, change } = operator(name, argument, { ...moment, path: path.join('.'), id: doc['_id'] })
    return alter(current, path, creates, change)
  }, doc)
}
