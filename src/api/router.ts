// From the list of operations to routes: who may call, then the operation itself.
import Router from '@koa/router'
import type { Context } from 'koa'
import type { Trail } from '../audit/trail.ts'
import { audited, auditedCheck, changesAnything } from './audit-subject.ts'
import { callerOf, checkRole } from './caller.ts'
import { checkLimited } from './limited.ts'
import { isRepeatable, type Operation } from './operation.ts'
import type { TakeRate } from './rates.ts'
import { onceForKey, type ReplayContext } from './replay.ts'

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

export interface Manners {
  readonly trail: Trail
  readonly takeRate: TakeRate
  readonly replay: ReplayContext
}

function checkCaller(context: Context, operation: Operation): void {
  const { roles } = operation
  if (roles === 'open') return
  const caller = callerOf(context)
  checkRole(caller, roles)
  checkLimited(caller, operation)
}

/** What an open operation changes is recorded where it is written: who calls is known only then, if at all. */
async function serve({ trail, takeRate, replay }: Manners, context: Context, operation: Operation): Promise<void> {
  const request = { context, operation }
  const carryOut = () => operation.serve(context, context.params as Readonly<Record<string, string>>)
  announceEnd(context, operation)
  if (operation.roles === 'open') return carryOut()
  await takeRate(context, operation.method)
  await auditedCheck(trail, request, () => checkCaller(context, operation))
  const recorded = changesAnything(context, operation) ? () => audited(trail, request, carryOut) : carryOut
  await (isRepeatable(operation) ? onceForKey(replay, context, recorded) : recorded())
}

/** The routes of all operations; what changes anything is in the audit. */
export function routerOf(operations: readonly Operation[], manners: Manners): Router {
  const router = new Router({ sensitive: true })
  for (const operation of operations)
    router[operation.method](routePath(operation.path), (context) => serve(manners, context, operation))
  return router
}
