// The options of the API with its stores behind two guards: what a limited caller may see, and the audit of what is written.
// Both ask for the request under way, so no operation has to think of them.
import type { AsyncLocalStorage } from 'node:async_hooks'
import type { Context } from 'koa'
import { notedStores, type Record } from '../audit/noted.ts'
import type { AuditSubject } from '../audit/entry.ts'
import { subjectOf } from './audit-subject.ts'
import { checkLabels, limitedClaim, limitedTenants, limitOf } from './limited.ts'
import type { ApiOptions } from './server.ts'

export type RequestNow = AsyncLocalStorage<Context>

/** A write of the program's own, in the course of no request. */
function ownSubject(object: string): AuditSubject {
  return {
    caller: { id: 'moorage', name: 'moorage', role: 'none', address: '' },
    request: { id: '', operation: 'none', method: '', path: '' },
    object,
  }
}

/** The same options, guarded. */
export function guarded(options: ApiOptions, now: RequestNow): ApiOptions {
  const { trail } = options.audit
  const record: Record = (object, act, told) => {
    const context = now.getStore()
    const otherwise = () => (context === undefined ? ownSubject(object) : subjectOf(context, 'none', object))
    return trail.within(otherwise, act, told)
  }
  const noted = notedStores(options, record)
  const limitNow = () => limitOf(now.getStore())
  return {
    ...options,
    ...noted,
    tenants: limitedTenants(noted.tenants, limitNow),
    claim: noted.claim && limitedClaim(noted.claim, limitNow),
    admits: (name, labels) => checkLabels(limitNow(), name, labels),
  }
}
