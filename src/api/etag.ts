// Entity tags: `"<uid>.<generation>.<revision>"`. Reading compares the whole tag. Writing compares what is wanted, uid and
// generation: the revision also moves with the controller's own notes, which a writer neither sees nor overwrites.
import type { Context } from 'koa'
import type { Tenant } from '../../specs/tenant.ts'
import { Problem } from './problem.ts'

export function etagOf({ uid, generation, revision }: Tenant): string {
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

function sameWish(tag: Tag, { uid, generation }: Tenant): boolean {
  return !tag.weak && tag.value.split('.').slice(0, 2).join('.') === `${uid}.${generation}`
}

/** Throws 412 when an If-Match or If-None-Match header does not hold for the tenant, or for its absence. */
export function checkPreconditions(
  headers: { readonly ifMatch: string; readonly ifNoneMatch: string },
  tenant: Tenant | undefined,
): void {
  const failed = (detail: string) =>
    new Problem(412, 'precondition-failed', detail, { headers: tenant === undefined ? {} : { ETag: etagOf(tenant) } })
  if (tenant !== undefined && notModified(headers.ifNoneMatch, tenant)) throw failed('the tenant exists already')
  if (headers.ifMatch === '') return
  if (tenant === undefined) throw failed('the tenant does not exist')
  const tags = tagsOf(headers.ifMatch)
  if (tags !== '*' && !tags.some((tag) => sameWish(tag, tenant)))
    throw failed(`the tenant has changed since: it is at generation ${tenant.generation} now`)
}

/** Whether If-None-Match names this very answer, or any: a reader has it already, a writer wanted it not to be there. */
export function notModified(ifNoneMatch: string, tenant: Tenant): boolean {
  if (ifNoneMatch === '') return false
  const tags = tagsOf(ifNoneMatch)
  return tags === '*' || tags.some(({ value }) => `"${value}"` === etagOf(tenant))
}

/** The preconditions that a request states. */
export const preconditions = (context: Context): { readonly ifMatch: string; readonly ifNoneMatch: string } => ({
  ifMatch: context.get('if-match'),
  ifNoneMatch: context.get('if-none-match'),
})
