// Dotted paths, and which values of a document one reaches: mongod's rules for arrays on the way and at the end.
import { type Doc, fieldOf, isDoc } from './bson.ts'

export type Path = readonly string[]

/** Sees one value that a path reaches, `undefined` for a missing one; `true` ends the walk. */
export type Visit = (value: unknown) => boolean

export function splitPath(text: string): Path {
  return text.split('.')
}

/** The array index that a path component names, if it names one. */
export function arrayIndex(component: string): number | undefined {
  return /^(0|[1-9]\d{0,8})$/.test(component) ? Number(component) : undefined
}

/**
 * Visits what the path reaches, and says whether a visit answered `true`. An array on the way is searched in its embedded
 * documents and, where the next component is a number, at that index. With `spread`, an array at the end is visited
 * element by element and then as a whole.
 */
export function reach(doc: Doc, path: Path, spread: boolean, visit: Visit): boolean {
  return walk(doc, path, 0, spread, visit)
}

function walk(start: unknown, path: Path, from: number, spread: boolean, visit: Visit): boolean {
  let value = start
  for (const [at, component] of path.entries()) {
    if (at < from) continue
    if (Array.isArray(value)) return through(value, path, at, spread, visit)
    value = isDoc(value) ? fieldOf(value, component) : undefined
  }
  if (spread && Array.isArray(value)) return value.some((element) => visit(element)) || visit(value)
  return visit(value)
}

function through(array: readonly unknown[], path: Path, at: number, spread: boolean, visit: Visit): boolean {
  return array.some((element, index) => {
    if (isDoc(element) && walk(element, path, at, spread, visit)) return true
    if (path[at] !== String(index)) return false
    if (at === path.length - 1) return visit(element)
    if (isDoc(element)) return walk(element, path, at + 1, spread, visit)
    return Array.isArray(element) && through(element, path, at + 1, spread, visit)
  })
}
