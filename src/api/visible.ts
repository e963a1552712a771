// Which tenants a caller may know of: all, or those that its label selector matches.
import type { Context } from 'koa'
import { matchesLabels, parseLabelSelector } from '../../specs/selector.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { callerOf } from './caller.ts'

/** A selector that cannot be read matches nothing. */
export function mayKnow(context: Context, { labels }: Pick<Tenant, 'labels'>): boolean {
  const { selector } = callerOf(context)
  if (selector === undefined) return true
  const parsed = parseLabelSelector(selector)
  return parsed.ok && matchesLabels(parsed.value, labels)
}
