// An operation: everything that is to be known of one method at one path, as data. The routes are built from a list of them,
// and so is the description of the API (openapi.ts): what is not declared here is not read, and not answered.
import type { Context } from 'koa'
import type { z } from 'zod'
import type { BodyReader } from './body.ts'
import type { Role } from './caller.ts'
import { nothingAsked, readQuery } from './query.ts'

export type Method = 'get' | 'put' | 'post' | 'patch' | 'delete'

/** One answer: what it means, and its body by media type; none where there is no body. */
export interface Answered {
  readonly description: string
  readonly content: Readonly<Record<string, z.ZodType>>
  readonly headers: readonly AnswerHeader[]
}

export type AnswerHeader = 'ETag' | 'Location' | 'Link'

/** Announces that an operation will go; dates as in 2027-01-31. */
export interface Deprecation {
  readonly since: string
  readonly sunset?: string
}

export interface Operation {
  /** Unique, in camel case: the name of the call in a client. */
  readonly id: string
  readonly method: Method
  /** As OpenAPI writes it: `/v1/tenants/{name}`. */
  readonly path: string
  /** One line. */
  readonly summary: string
  readonly tag: string
  /** Who may call it; `open`: anybody, without a token. */
  readonly roles: 'open' | readonly Role[]
  readonly query: z.ZodObject
  readonly body: BodyReader<unknown> | undefined
  /** The successful answers, by status. */
  readonly answers: Readonly<Record<number, Answered>>
  /** The statuses of its own problems, beside those that any operation may answer with. */
  readonly problems: readonly number[]
  /** Whether it heeds If-Match and If-None-Match. */
  readonly conditional: boolean
  readonly deprecated: Deprecation | undefined
  /** Whether it may change anything; then it is in the audit, whatever comes of it. */
  readonly changes: boolean
  /** Whether callers that are limited to some tenants may call it: it shows and touches no others (limited.ts). */
  readonly limited: boolean
  /** Reads the query and the body, in this order, and answers. Throws a Problem. */
  readonly serve: (context: Context, params: Readonly<Record<string, string>>) => Promise<void>
}

/** The names in a path, as the fields of an object. */
export type ParamsOf<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [Key in Name]: string } & ParamsOf<Rest>
  : unknown

export interface Request<P extends string, Q, B> {
  readonly context: Context
  readonly params: ParamsOf<P>
  readonly query: Q
  readonly body: B
}

export interface Declared<P extends string, Q extends z.ZodObject, B> extends Pick<
  Operation,
  'id' | 'method' | 'summary' | 'tag' | 'roles' | 'answers'
> {
  readonly path: P
  /** A strict object of what may stand in the query; left out: nothing may. */
  readonly query?: Q
  readonly body?: BodyReader<B>
  readonly problems?: readonly number[]
  readonly conditional?: boolean
  readonly deprecated?: Deprecation
  /** Left out: whatever is no GET does. */
  readonly changes?: boolean
  /** Left out: what is under /v1/tenants may be called. */
  readonly limited?: boolean
  readonly handle: (request: Request<P, z.infer<Q>, B>) => Promise<void> | void
}

/** Makes an operation; the handler gets the names in the path, the query and the body as they are declared. */
export function operation<const P extends string, Q extends z.ZodObject = typeof nothingAsked, B = undefined>(
  declared: Declared<P, Q, B>,
): Operation {
  const { id, method, path, summary, tag, roles, body, answers, handle, deprecated } = declared
  const query: z.ZodObject = declared.query ?? nothingAsked
  const { problems = [], conditional = false } = declared
  const { changes = method !== 'get', limited = /^\/v1\/tenants(\/|$)/.test(path) } = declared
  return {
    ...{ id, method, path, summary, tag, roles, query, body, answers, problems, conditional, deprecated },
    ...{ changes, limited },
    serve: async (context, params) => {
      const asked = readQuery(context, query) as z.infer<Q>
      const sent = (await body?.read(context)) as B
      await handle({ context, params: params as ParamsOf<P>, query: asked, body: sent })
    },
  }
}

interface Told {
  readonly description?: string
  readonly headers?: readonly AnswerHeader[]
}

/** An answer in JSON. */
export function json(schema: z.ZodType, { description = 'As asked.', headers = [] }: Told = {}): Answered {
  return { description, content: { 'application/json': schema }, headers }
}

/** An answer in a text type, also beside JSON: `{ ...json(schema), ...}` is `either(json(schema), text())`. */
export function text(schema: z.ZodType, { description = 'As asked.', headers = [] }: Told = {}): Answered {
  return { description, content: { 'text/plain': schema }, headers }
}

/** One or the other, as the Accept header or the query says. */
export function either(one: Answered, other: Answered): Answered {
  return { ...one, content: { ...one.content, ...other.content } }
}

/** An answer without a body. */
export function empty(description: string): Answered {
  return { description, content: {}, headers: [] }
}
