// The `updateDescription` of a change event: which fields an update set and which it removed.
import { type Doc, fieldOf, identical, isDoc } from './bson.ts'

export interface UpdateDescription {
  readonly updatedFields: Doc
  readonly removedFields: readonly string[]
}

/** Compares type by type, so that 1 becoming 1.0 is a change. */
export function describeUpdate(before: Doc, after: Doc): UpdateDescription {
  const updated: [string, unknown][] = []
  const removed: string[] = []
  diffFields(before, after, '', updated, removed)
  return { updatedFields: Object.fromEntries(updated), removedFields: removed }
}

type Updated = [string, unknown][]

function diffFields(before: Doc, after: Doc, prefix: string, updated: Updated, removed: string[]): void {
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) removed.push(prefix + name)
  for (const name of Object.keys(after)) {
    const value = after[name]
    if (Object.hasOwn(before, name)) diffValue(fieldOf(before, name), value, prefix + name, updated, removed)
    else updated.push([prefix + name, value])
  }
}

function diffValue(before: unknown, after: unknown, path: string, updated: Updated, removed: string[]): void {
  if (before === after) return
  if (isDoc(before) && isDoc(after) && isSplittable(before) && isSplittable(after)) {
    diffFields(before, after, `${path}.`, updated, removed)
  } else if (Array.isArray(before) && Array.isArray(after) && after.length >= before.length) {
    diffElements(before, after, path, updated, removed)
  } else if (!identical(before, after)) updated.push([path, after])
}

/** An array that grew or kept its length changes by index; a shorter one is reported as a whole. */
function diffElements(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  updated: Updated,
  removed: string[],
): void {
  after.forEach((element, index) => {
    if (index >= before.length) updated.push([`${path}.${index}`, element])
    else diffValue(before[index], element, `${path}.${index}`, updated, removed)
  })
}

/** Names with dots would make an ambiguous path, so a document that has them is reported as a whole. */
function isSplittable(doc: Doc): boolean {
  return Object.keys(doc).every((name) => name !== '' && !name.includes('.'))
}
