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
  forbidden: 'The role of the token does not allow this',
  'not-found': 'There is no such resource',
  'method-not-allowed': 'The resource does not know this method',
  'field-conflict': 'A field belongs to somebody else',
  conflict: 'Somebody else is writing the same resource',
  'in-use': 'Others still need the resource',
  'domain-taken': 'A domain is in use already',
  purging: 'The tenant is being purged',
  'wrong-state': 'The resource is not in a state for this action',
  'nothing-parked': 'Nothing waits for approval',
  'precondition-failed': 'The resource is not what the request expected',
  'too-large': 'The body is too large',
  'unsupported-media-type': 'The body is in a format that is not read here',
  unavailable: 'Something that the answer needs cannot be reached',
  'not-ready': 'This process cannot serve yet',
  internal: 'Something went wrong here',
} as const

export type ProblemCode = keyof typeof titles

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(titles, text)
}

export interface ProblemDetails {
  readonly errors?: readonly FieldError[]
  readonly headers?: Readonly<Record<string, string>>
  /** Members of the body beside RFC 9457's own. */
  readonly extra?: Readonly<Record<string, unknown>>
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

/** A document may break a rule in every one of its fields: the answer stays readable, and says how many it leaves out. */
const mostErrors = 50
const mostInWords = 5

function inWords(errors: readonly FieldError[]): string {
  const words = errors
    .slice(0, mostInWords)
    .map(({ path, detail }) => `${path === '' ? 'the document' : path} ${detail}`)
  const more = errors.length - words.length
  return more > 0 ? `${words.join('; ')}; and ${more} more` : words.join('; ')
}

function wrongFields(status: number, code: ProblemCode, errors: readonly FieldError[]): Problem {
  return new Problem(status, code, inWords(errors), { errors: errors.slice(0, mostErrors) })
}

/** The 400 for a document with wrong fields. */
export function invalid(problems: readonly FieldProblem[]): Problem {
  return wrongFields(400, 'invalid', problems.map(fieldError))
}

/** A rule that only a look at the present state shows to be broken. */
export interface Violation {
  readonly code: 'invalid' | 'immutable' | 'domain-taken'
  /** As in `spec.domains[1]`. */
  readonly path: string
  readonly detail: string
}

/** The 400 (or 409, where nothing but somebody else is in the way) for broken rules; the code is theirs if they agree. */
export function refused(violations: readonly Violation[]): Problem {
  const [code = 'invalid', ...others] = new Set(violations.map((violation) => violation.code))
  const errors = violations.map(({ path, detail }) => {
    const pointer = `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`
    return { path, pointer, detail }
  })
  if (others.length > 0) return wrongFields(400, 'invalid', errors)
  return wrongFields(code === 'domain-taken' ? 409 : 400, code, errors)
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
    ...details.extra,
  }
}
