// Projections of find, findAndModify and $project: fields kept or fields left out, by dotted path, and nothing else.
import { type Doc, isDoc, numberOf, typeOf } from './bson.ts'
import { CommandError, refused } from './errors.ts'

/** Which fields a document keeps (or loses), by name; a leaf means the whole field. */
interface Tree {
  readonly children: ReadonlyMap<string, Tree | 'leaf'>
}

export type Projection = (doc: Doc) => Doc

/** Parses a projection. Errors: 31253 and 31254 for a mix, 31249 for colliding paths, 238 for expressions. */
export function parseProjection(spec: Doc): Projection | undefined {
  const entries = flatten(spec, '')
  if (entries.length === 0) return undefined
  const idEntry = entries.find(([path]) => path === '_id')
  const others = entries.filter(([path]) => path !== '_id')
  const including = others[0]?.[1] ?? idEntry?.[1] ?? false
  const odd = others.find(([, kept]) => kept !== including)
  if (odd !== undefined) throw mixed(odd[0], including)
  const keepsId = idEntry?.[1] ?? true
  const named = including === keepsId ? [...others, ['_id', including] as const] : others
  const tree = treeOf(named.map(([path]) => path))
  return including ? (doc) => include(doc, tree) : (doc) => exclude(doc, tree)
}

type Entry = readonly [path: string, kept: boolean]

function flatten(spec: Doc, prefix: string): Entry[] {
  return Object.entries(spec).flatMap(([name, value]): Entry[] => {
    const path = prefix + name
    if (path.split('.').some((part) => part.startsWith('$'))) throw refused(`the projection '${path}'`)
    if (isDoc(value)) {
      if (Object.keys(value).some((key) => key.startsWith('$'))) throw refused(`the projection operator on '${path}'`)
      return flatten(value, `${path}.`)
    }
    return [[path, isKept(path, value)]]
  })
}

function isKept(path: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  const number = numberOf(value)
  if (number === undefined) throw refused(`the ${typeOf(value)} in the projection of '${path}'`)
  return number !== 0
}

function mixed(path: string, including: boolean): CommandError {
  return including
    ? new CommandError('Location31254', `Cannot do exclusion on field ${path} in inclusion projection`)
    : new CommandError('Location31253', `Cannot do inclusion on field ${path} in exclusion projection`)
}

function treeOf(paths: readonly string[]): Tree {
  const children = new Map<string, Tree | 'leaf'>()
  for (const [name, group] of Map.groupBy(paths, (path) => path.split('.', 1)[0] ?? '')) {
    const rests = group.filter((path) => path !== name).map((path) => path.slice(name.length + 1))
    const whole = group.length - rests.length
    if (whole > 1 || (whole === 1 && rests.length > 0))
      throw new CommandError('Location31249', `Path collision at ${name}`)
    children.set(name, whole === 1 ? 'leaf' : treeOf(rests))
  }
  return { children }
}

function include(doc: Doc, tree: Tree): Doc {
  const kept = Object.entries(doc).flatMap(([name, value]): [string, unknown][] => {
    const child = tree.children.get(name)
    if (child === undefined) return []
    if (child === 'leaf') return [[name, value]]
    const part = includeIn(value, child)
    return part === undefined ? [] : [[name, part]]
  })
  return Object.fromEntries(kept)
}

/** Under a deeper path only documents have something to keep, also those in arrays. */
function includeIn(value: unknown, tree: Tree): unknown {
  if (isDoc(value)) return include(value, tree)
  if (!Array.isArray(value)) return undefined
  return value.map((element) => includeIn(element, tree)).filter((element) => element !== undefined)
}

function exclude(doc: Doc, tree: Tree): Doc {
  const kept = Object.entries(doc).flatMap(([name, value]): [string, unknown][] => {
    const child = tree.children.get(name)
    if (child === 'leaf') return []
    return [[name, child === undefined ? value : excludeIn(value, child)]]
  })
  return Object.fromEntries(kept)
}

function excludeIn(value: unknown, tree: Tree): unknown {
  if (isDoc(value)) return exclude(value, tree)
  return Array.isArray(value) ? value.map((element) => excludeIn(element, tree)) : value
}
