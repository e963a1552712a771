// Callers that are limited by a label selector: to them the other tenants do not exist, and they can make none.
import type { Context } from 'koa'
import { matchesLabels, parseLabelSelector, type LabelSelector } from '../../specs/selector.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Claim } from '../audit/noted.ts'
import type { Tenants } from '../store/tenants.ts'
import { knownCaller, type Caller } from './caller.ts'
import type { Operation } from './operation.ts'
import { Problem } from './problem.ts'

type Labels = Readonly<Record<string, string>>

/** The selector of a caller. One that cannot be read lets nobody in. */
function selectorOf({ selector }: Caller): LabelSelector | undefined {
  if (selector === undefined) return undefined
  const parsed = parseLabelSelector(selector)
  if (!parsed.ok) throw new Problem(403, 'forbidden', 'What the token is limited to cannot be read.')
  return parsed.value
}

/** The tenants to which the request's caller is limited; undefined: all of them. */
export function limitOf(context: Context | undefined): LabelSelector | undefined {
  const caller = context === undefined ? undefined : knownCaller(context)
  return caller === undefined ? undefined : selectorOf(caller)
}

/** Throws 403 where a limited caller asks for what concerns more than its tenants. */
export function checkLimited(caller: Caller, { limited }: Operation): void {
  if (limited || caller.selector === undefined) return
  const detail = `This concerns more than the tenants with ${caller.selector}, to which the token is limited.`
  throw new Problem(403, 'forbidden', detail)
}

/** Throws 403 where a tenant with these labels would be none of the caller's. */
export function checkLabels(limit: LabelSelector | undefined, name: string, labels: Labels): void {
  if (limit === undefined || matchesLabels(limit, labels)) return
  const detail = `With these labels ${name} would not be one of the tenants to which the token is limited.`
  throw new Problem(403, 'forbidden', detail)
}

/** Pages are filled up: a short page would be taken for the last one. */
async function pageWithin(tenants: Tenants, limit: LabelSelector, query: Parameters<Tenants['page']>[0]) {
  const found: Tenant[] = []
  let { after } = query
  for (;;) {
    const page = await tenants.page({ ...query, after })
    found.push(...page.filter(({ labels }) => matchesLabels(limit, labels)))
    after = page.at(-1)?.name
    if (found.length >= query.limit || page.length < query.limit) return found.slice(0, query.limit)
  }
}

async function add(tenants: Tenants, limit: LabelSelector, tenant: Tenant): Promise<'added' | 'taken'> {
  checkLabels(limit, tenant.name, tenant.labels)
  const result = await tenants.add(tenant)
  const other = result === 'taken' ? await tenants.byName(tenant.name) : undefined
  if (other !== undefined && !matchesLabels(limit, other.labels))
    throw new Problem(409, 'conflict', `The name ${tenant.name} cannot be used.`)
  return result
}

/** A claim creates a tenant as well: only one that is the caller's. */
export function limitedClaim(claim: Claim, limitNow: () => LabelSelector | undefined): Claim {
  return async (tenant) => {
    checkLabels(limitNow(), tenant.name, tenant.labels)
    return claim(tenant)
  }
}

/** The tenants as the caller of the request under way may see and write them. */
export function limitedTenants(tenants: Tenants, limitNow: () => LabelSelector | undefined): Tenants {
  const seen = (tenant: Tenant | undefined) => {
    const limit = limitNow()
    return tenant === undefined || limit === undefined || matchesLabels(limit, tenant.labels) ? tenant : undefined
  }
  return {
    ...tenants,
    get: async (uid) => seen(await tenants.get(uid)),
    byName: async (name) => seen(await tenants.byName(name)),
    page: (query) => {
      const limit = limitNow()
      return limit === undefined ? tenants.page(query) : pageWithin(tenants, limit, query)
    },
    add: (tenant) => {
      const limit = limitNow()
      return limit === undefined ? tenants.add(tenant) : add(tenants, limit, tenant)
    },
    change: async (before, wish) => {
      checkLabels(limitNow(), before.name, wish.labels)
      return tenants.change(before, wish)
    },
    watch: (sink) => {
      const limit = limitNow()
      if (limit === undefined) return tenants.watch(sink)
      const changed = (tenant: Tenant) =>
        matchesLabels(limit, tenant.labels) ? sink.changed(tenant) : sink.removed(tenant.uid)
      return tenants.watch({ ...sink, changed })
    },
  }
}
