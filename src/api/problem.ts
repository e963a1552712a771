// Problems as RFC 9457 wants them: what is wrong, in a stable word, a sentence, and the place of each wrong field.
import type { Problem as FieldProblem } from '../../specs/parse.ts'

export interface FieldError {
  readonly path: string
  readonly pointer: string
  readonly detail: string
  readonly line?: number
  readonly column?: number
}

/** The codes are the API's contract: callers may match on them. */
export const titles = {
  invalid: 'The document is not valid',
  immutable: 'A field cannot change',
  'bad-request': 'The request cannot be understood',
  unauthorized: 'A valid bearer token is needed',
  'not-found': 'There is no such resource',
  'method-not-allowed': 'The resource does not know this method',
  conflict: 'Somebody else is writing the same resource',
  'domain-taken': 'A domain is in use already',
  'precondition-failed': 'The resource is not what the request expected',
  'too-large': 'The body is too large',
  'unsupported-media-type': 'The body is in a format that is not read here',
  unavailable: 'Something that the answer needs cannot be reached',
  internal: 'Something went wrong here',
} as const

export type ProblemCode = keyof typeof titles

export interface ProblemDetails {
  readonly errors?: readonly FieldError[]
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** Thrown by whatever serves a request; answered as problem+json. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly code: ProblemCode
  readonly details: ProblemDetails

  constructor(status: number, code: ProblemCode, detail: string, details: ProblemDetails = {}) {
    super(detail, { cause: details.cause })
    this.status = status
    this.code = code
    this.details = details
  }
}

function fieldError({ path, pointer, message, line, column }: FieldProblem): FieldError {
  const error = { path, pointer, detail: message }
  return line === undefined || column === undefined ? error : { ...error, line, column }
}

/** The 400 for a document with wrong fields. */
export function invalid(problems: readonly FieldProblem[]): Problem {
  const errors = problems.map(fieldError)
  const words = errors.map(({ path, detail }) => (path === '' ? `the document ${detail}` : `${path} ${detail}`))
  return new Problem(400, 'invalid', words.join('; '), { errors })
}

/** The 400 for one wrong field that only a look at the present state shows. */
export function wrongField(code: ProblemCode, status: number, path: string, detail: string): Problem {
  const pointer = `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`
  return new Problem(status, code, `${path} ${detail}`, { errors: [{ path, pointer, detail }] })
}

/** The body of the answer. */
export function problemBody(problem: Problem, requestId: string): object {
  const { status, code, message, details } = problem
  return {
    type: `/problems/${code}`,
    title: titles[code],
    status,
    detail: message,
    instance: `urn:request:${requestId}`,
    code,
    ...(details.errors === undefined ? {} : { errors: details.errors }),
  }
}
