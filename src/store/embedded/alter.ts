// Changes one value inside a document by copying only the containers on its path, so that what did not change stays
// the same object before and after.
import { type Doc, fieldOf, isDoc, show, withField } from './bson.ts'
import { CommandError } from './errors.ts'
import { arrayIndex, type Path } from './path.ts'

/** Makes the new value from the old one; `undefined` means missing on the way in and removed on the way out. */
export type Change = (old: unknown) => unknown

/** mongod's bound on how many nulls one update may put between the end of an array and a new element. */
const maxPadding = 1_500_000

/**
 * The document with the value at `path` changed; the same object when the value stays. With `create`, missing documents on
 * the way are made, and a value that cannot hold a field is error 28 PathNotViable; without, the document stays.
 */
export function alter(doc: Doc, path: Path, create: boolean, change: Change): Doc {
  return step(doc, path, create, change) as Doc
}

function step(node: unknown, path: Path, create: boolean, change: Change): unknown {
  const [name, ...rest] = path
  if (name === undefined) return change(node)
  if (isDoc(node)) return inDocument(node, name, rest, create, change)
  if (Array.isArray(node)) return inArray(node, name, rest, create, change)
  if (!create) return node
  if (node !== undefined) throw notViable(name, node)
  const value = step(undefined, rest, create, change)
  return value === undefined ? undefined : withField({}, name, value)
}

function inDocument(node: Doc, name: string, rest: Path, create: boolean, change: Change): unknown {
  const old = fieldOf(node, name)
  const value = within({ [name]: old }, old, rest, create, change)
  return value === old ? node : withField(node, name, value)
}

/** An element that is removed leaves null behind, as in mongod: the others keep their places. */
function inArray(node: readonly unknown[], name: string, rest: Path, create: boolean, change: Change): unknown {
  const index = arrayIndex(name)
  if (index === undefined) {
    if (create) throw notViable(name, node)
    return node
  }
  const old = node[index]
  const value = within({ [name]: old }, old, rest, create, change)
  if (value === old) return node
  if (index - node.length > maxPadding)
    throw new CommandError('BadValue', `can't backfill more than ${maxPadding} elements`)
  const padding = new Array<unknown>(Math.max(0, index - node.length)).fill(null)
  return [...node, ...padding].toSpliced(index, 1, value ?? null)
}

function within(parent: Doc, old: unknown, rest: Path, create: boolean, change: Change): unknown {
  const [next] = rest
  const opaque = next !== undefined && old !== undefined && !isDoc(old) && !Array.isArray(old)
  if (opaque && create) throw notViable(next, parent)
  return opaque ? old : step(old, rest, create, change)
}

function notViable(name: string, element: unknown): CommandError {
  return new CommandError('PathNotViable', `Cannot create field '${name}' in element ${show(element)}`)
}
