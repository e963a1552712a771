// Refusals as the Machines API words them: a status code and a body with a gRPC-like prefix.

/** The `status` words that some error bodies carry besides the sentence. */
export type ErrorStatus = 'unknown' | 'insufficient_capacity' | 'volume_placement_capacity' | 'name_taken'

/** A refused call: what goes on the wire. Thrown by handlers, answered by the server. */
export class Refusal extends Error {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(`${status} ${JSON.stringify(body)}`)
    this.name = 'Refusal'
    this.status = status
    this.body = body
  }
}

const refuse = (status: number, error: string, word?: ErrorStatus): Refusal =>
  new Refusal(status, word === undefined ? { error } : { error, status: word })

/** 400, the request itself is wrong. */
export const invalid = (text: string): Refusal => refuse(400, `invalid_argument: ${text}`)
/** 401, as measured for a token that is missing or not understood. */
export const unauthenticated = (): Refusal => refuse(401, 'Authenticate: token validation error')
/** 404, no such object. */
export const notFound = (what: string): Refusal => refuse(404, `not_found: ${what} not found`)
/** 408, the time given was not enough. */
export const deadline = (text: string): Refusal => refuse(408, `deadline_exceeded: ${text}`)
/** 409, a unique name is in use. */
export const exists = (text: string): Refusal => refuse(409, `already_exists: ${text}`)
/** 409, somebody else was faster. */
export const aborted = (text: string): Refusal => refuse(409, `aborted: ${text}`)
/** 412, not in this state. */
export const precondition = (text: string, word?: ErrorStatus): Refusal =>
  refuse(412, `failed_precondition: ${text}`, word)
/** 422, understood and still not accepted. */
export const unprocessable = (text: string, word?: ErrorStatus): Refusal => refuse(422, text, word)
/** 429; whether Fly adds Retry-After is not established, so nothing is added. */
export const limited = (): Refusal => refuse(429, 'rate limit exceeded')
/** The lease endpoints and leased machines answer in another shape than the rest. */
export const leaseRefusal = (status: number, message: string): Refusal =>
  new Refusal(status, { status: 'error', message })
