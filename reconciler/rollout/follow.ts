// From a change of a class to the tenants to whom it makes a difference.
import { isDeepStrictEqual } from 'node:util'
import type { Tenant } from '../../specs/tenant.ts'
import type { BookListener } from './book.ts'
import { classSpecOf, sameEffect } from './image.ts'

export interface FollowOptions {
  /** The tenants of a class that are not purged. */
  readonly members: (name: string) => Promise<readonly Tenant[]>
  /** Looks at a tenant soon. */
  readonly look: (uid: string) => void
}

/** Looks at whom a change of a class concerns: when a wave opens, at its members alone. */
export function classFollower({ members, look }: FollowOptions): (...told: Parameters<BookListener>) => Promise<void> {
  return async (name, before, after) => {
    if (sameEffect(before, after)) return
    for (const tenant of await members(name)) {
      const [was, is] = [before, after].map((entry) => entry && classSpecOf(entry, tenant))
      if (!isDeepStrictEqual(was, is)) look(tenant.uid)
    }
  }
}
