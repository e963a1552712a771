// From the list of operations to routes: who may call, then the operation itself.
import Router from '@koa/router'
import type { Context } from 'koa'
import { callerOf, checkRole } from './caller.ts'
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

async function serve(context: Context, operation: Operation, params: Readonly<Record<string, string>>): Promise<void> {
  const { roles } = operation
  if (roles !== 'open') checkRole(callerOf(context), roles)
  announceEnd(context, operation)
  await operation.serve(context, params)
}

/** The routes of all operations. */
export function routerOf(operations: readonly Operation[]): Router {
  const router = new Router({ sensitive: true })
  for (const operation of operations)
    router[operation.method](routePath(operation.path), (context) => serve(context, operation, context.params))
  return router
}
