// From the list of operations to routes: who may call, then the operation itself.
import Router from '@koa/router'
import type { Context } from 'koa'
import type { Trail } from '../audit/trail.ts'
import { audited, auditedCheck, changesAnything } from './audit-subject.ts'
import { callerOf, checkRole } from './caller.ts'
import { checkLimited } from './limited.ts'
import type { Operation } from './operation.ts'

/** `/v1/tenants/{name}` as @koa/router writes it. */
const routePath = (path: string) => path.replaceAll(/\{(\w+)\}/g, ':$1')

/** Whether a path is that of an open operation, letter by letter. */
export function openPaths(operations: readonly Operation[]): (path: string) => boolean {
  const patterns = operations
    .filter(({ roles }) => roles === 'open')
    .map(
      ({ path }) =>
        new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[a-zA-Z0-9-]+(\\.[a-zA-Z0-9-]+)*')}$`),
    )
  return (path) => patterns.some((pattern) => pattern.test(path))
}

/** RFC 9745 and RFC 8594: since when an operation is not to be used any more, and when it goes. */
function announceEnd(context: Context, { deprecated }: Operation): void {
  if (deprecated === undefined) return
  context.set('Deprecation', `@${Date.parse(deprecated.since) / 1_000}`)
  if (deprecated.sunset !== undefined) context.set('Sunset', new Date(deprecated.sunset).toUTCString())
}

function checkCaller(context: Context, operation: Operation): void {
  const { roles } = operation
  if (roles === 'open') return
  const caller = callerOf(context)
  checkRole(caller, roles)
  checkLimited(caller, operation)
}

/** What an open operation changes is recorded where it is written: who calls is known only then, if at all. */
async function serve(trail: Trail, context: Context, operation: Operation): Promise<void> {
  const request = { context, operation }
  await auditedCheck(trail, request, () => checkCaller(context, operation))
  announceEnd(context, operation)
  const carryOut = () => operation.serve(context, context.params as Readonly<Record<string, string>>)
  if (operation.roles !== 'open' && changesAnything(context, operation)) await audited(trail, request, carryOut)
  else await carryOut()
}

/** The routes of all operations; what changes anything is in the audit. */
export function routerOf(operations: readonly Operation[], trail: Trail): Router {
  const router = new Router({ sensitive: true })
  for (const operation of operations)
    router[operation.method](routePath(operation.path), (context) => serve(trail, context, operation))
  return router
}
