// The token. Every address needs it except the few named here, so that a new route is closed until it is opened on purpose.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Middleware } from 'koa'
import { Problem } from './problem.ts'

const open = new Set(['/livez', '/readyz', '/.well-known/jwks.json'])
const problemPage = /^\/problems\/[a-z-]+$/

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * Refuses with 401 whatever does not carry `Authorization: Bearer <adminToken>`. Digests are compared, in constant time:
 * neither the token nor its length shows in how long a refusal takes.
 */
export function bearer(adminToken: string): Middleware {
  const expected = digest(adminToken)
  return async (context, next) => {
    if (!open.has(context.path) && !problemPage.test(context.path)) {
      const [, token] = /^Bearer +(\S+)$/i.exec(context.get('authorization')) ?? []
      if (token === undefined || !timingSafeEqual(digest(token), expected)) {
        const headers = { 'WWW-Authenticate': 'Bearer realm="moorage"' }
        throw new Problem(401, 'unauthorized', 'Send the header "Authorization: Bearer <token>".', { headers })
      }
    }
    await next()
  }
}
