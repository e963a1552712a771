// A request as the audit sees it, and an operation carried out under its eyes.
import type { Context } from 'koa'
import type { AuditResult, AuditSubject } from '../audit/entry.ts'
import type { Trail } from '../audit/trail.ts'
import { knownCaller } from './caller.ts'
import { asProblem } from './failure.ts'
import type { Operation } from './operation.ts'

const longestReason = 500

/** Headers arrive as bytes; what programs send in UTF-8 is read so. */
function textOf(header: string): string {
  const text = Buffer.from(header, 'latin1').toString()
  return text.includes('\uFFFD') ? header : text
}

/** `/v1/tenants/{name}/entitlement` is about `tenants/acme`, `/v1/fleet/actions/retry` about `fleet`. */
export function objectOf(path: string): string {
  const [kind = '', name] = path.replace(/^\/v1\//, '').split('/')
  return name === undefined || name === 'actions' ? kind : `${kind}/${name}`
}

/** Who asks for what; `operation` is its id. Who is nobody that we know is called by where he comes from. */
export function subjectOf(context: Context, operation: string, object = objectOf(context.path)): AuditSubject {
  const { id = 'unknown', name = id, role = 'none' } = knownCaller(context) ?? {}
  const reason = textOf(context.get('x-reason')).slice(0, longestReason)
  return {
    caller: { id, name, role, address: context.ip },
    request: { id: context.response.get('x-request-id'), operation, method: context.method, path: context.path },
    object,
    ...(reason === '' ? {} : { reason }),
  }
}

function resultOf(error: unknown): AuditResult {
  const { status, code } = asProblem(error)
  return { outcome: status < 500 ? 'refused' : 'failed', status, code }
}

/** Whether a request of the operation changes anything when it succeeds. */
export function changesAnything(context: Context, { changes }: Operation): boolean {
  return changes && context.query['dryRun'] === undefined
}

/** Carries the operation out between two entries of the audit. Throws what it throws. */
export async function audited(
  trail: Trail,
  { context, operation }: { readonly context: Context; readonly operation: Operation },
  serve: () => Promise<void>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  await trail.attempt(subjectOf(context, operation.id), async () => {
    try {
      await serve()
      return { outcome: 'done', status: context.status }
    } catch (error) {
      failure = { error }
      return resultOf(error)
    }
  })
  if (failure !== undefined) throw failure.error
}

/** Throws what `check` throws, once the audit knows of it. */
export async function auditedCheck(
  trail: Trail,
  { context, operation }: { readonly context: Context; readonly operation: Operation },
  check: () => void,
): Promise<void> {
  try {
    check()
  } catch (error) {
    if (changesAnything(context, operation)) await trail.refuse(subjectOf(context, operation.id), resultOf(error))
    throw error
  }
}
