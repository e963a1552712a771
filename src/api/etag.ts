// Entity tags: `"<uid>.<generation>.<revision>"`. Reading compares the whole tag. Writing compares what is wanted, uid and
// generation: the revision also moves with the controller's own notes, which a writer neither sees nor overwrites.
import type { Context } from 'koa'
import { Problem } from './problem.ts'

/** What has a tag: a tenant, a class. */
export interface Tagged {
  readonly uid: string
  readonly generation: number
  readonly revision: number
}

export function etagOf({ uid, generation, revision }: Tagged): string {
  return `"${uid}.${generation}.${revision}"`
}

interface Tag {
  readonly weak: boolean
  readonly value: string
}

/** The tags of an If-Match or If-None-Match header (RFC 9110, 8.8.3), or `*`. */
function tagsOf(header: string): '*' | readonly Tag[] {
  if (header.trim() === '*') return '*'
  return [...header.matchAll(/(W\/)?"([^"]*)"/g)].map(([, weak, value]) => ({
    weak: weak !== undefined,
    value: value ?? '',
  }))
}

function sameWish(tag: Tag, { uid, generation }: Tagged): boolean {
  return !tag.weak && tag.value.split('.').slice(0, 2).join('.') === `${uid}.${generation}`
}

/** Throws 412 when an If-Match or If-None-Match header does not hold for the resource, or for its absence. */
export function checkPreconditions(
  headers: { readonly ifMatch: string; readonly ifNoneMatch: string },
  present: Tagged | undefined,
  noun = 'tenant',
): void {
  const failed = (detail: string) =>
    new Problem(412, 'precondition-failed', detail, { headers: present === undefined ? {} : { ETag: etagOf(present) } })
  if (present !== undefined && notModified(headers.ifNoneMatch, present)) throw failed(`the ${noun} exists already`)
  if (headers.ifMatch === '') return
  if (present === undefined) throw failed(`the ${noun} does not exist`)
  const tags = tagsOf(headers.ifMatch)
  if (tags !== '*' && !tags.some((tag) => sameWish(tag, present)))
    throw failed(`the ${noun} has changed since: it is at generation ${present.generation} now`)
}

/** Whether If-None-Match names this very answer, or any: a reader has it already, a writer wanted it not to be there. */
export function notModified(ifNoneMatch: string, present: Tagged): boolean {
  if (ifNoneMatch === '') return false
  const tags = tagsOf(ifNoneMatch)
  return tags === '*' || tags.some(({ value }) => `"${value}"` === etagOf(present))
}

/** The preconditions that a request states. */
export const preconditions = (context: Context): { readonly ifMatch: string; readonly ifNoneMatch: string } => ({
  ifMatch: context.get('if-match'),
  ifNoneMatch: context.get('if-none-match'),
})
