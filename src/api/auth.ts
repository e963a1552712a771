// The token, and whose it is. Every address needs one except those of open operations, so that a new route is closed until
// it is opened on purpose.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Middleware } from 'koa'
import { setCaller, unauthorized, type Caller } from './caller.ts'

/** Whose a bearer token is; undefined: not one that this knows. */
export type Authenticator = (token: string) => Promise<Caller | undefined>

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * The admin's token. Digests are compared, in constant time: neither the token nor its length shows in how long a refusal
 * takes.
 */
export function adminAuthenticator(adminToken: string): Authenticator {
  const expected = digest(adminToken)
  return async (token) =>
    timingSafeEqual(digest(token), expected) ? { id: 'admin-token', role: 'admin', selector: undefined } : undefined
}

async function firstOf(authenticators: readonly Authenticator[], token: string): Promise<Caller | undefined> {
  for (const authenticate of authenticators) {
    const caller = await authenticate(token)
    if (caller !== undefined) return caller
  }
  return undefined
}

/** Sets the caller from `Authorization: Bearer <token>`; refuses with 401 who has none, unless the path is open. */
export function bearer(authenticators: readonly Authenticator[], isOpen: (path: string) => boolean): Middleware {
  return async (context, next) => {
    if (!isOpen(context.path)) {
      const [, token] = /^Bearer +(\S+)$/i.exec(context.get('authorization')) ?? []
      const caller = token === undefined ? undefined : await firstOf(authenticators, token)
      if (caller === undefined) throw unauthorized()
      setCaller(context, caller)
    }
    await next()
  }
}
