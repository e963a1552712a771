// The REST API as the command line sees it: one request, its answer as JSON, or what was wrong in words.
import { z } from 'zod'

export interface Answer {
  readonly body: unknown
  readonly etag: string | undefined
  readonly text: string
}

export interface Sent {
  readonly type: 'application/json' | 'application/yaml'
  readonly body: string
  readonly ifMatch?: string | undefined
}

export interface Api {
  get(path: string): Promise<Answer>
  /** The same as it came. */
  text(path: string): Promise<string>
  post(path: string, body?: object): Promise<Answer>
  put(path: string, sent: Sent): Promise<Answer>
  delete(path: string): Promise<Answer>
  /** Every item of a list, page after page. */
  all(path: string): Promise<readonly unknown[]>
}

const fieldError = z.object({
  path: z.string(),
  detail: z.string(),
  line: z.number().optional(),
  column: z.number().optional(),
})
const problem = z.object({ title: z.string().optional(), detail: z.string(), errors: z.array(fieldError).optional() })
const page = z.object({ items: z.array(z.unknown()), nextCursor: z.string().optional() })

export type FieldError = z.infer<typeof fieldError>

/** A request that did not succeed, in words for a person. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number | undefined
  readonly errors: readonly FieldError[]

  constructor(message: string, status?: number, errors: readonly FieldError[] = [], cause?: unknown) {
    super(message, { cause })
    this.status = status
    this.errors = errors
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function refusal(status: number, body: unknown, what: string): RequestError {
  const said = problem.safeParse(body)
  if (!said.success) return new RequestError(`${what} was answered with ${status}.`, status)
  const { title, detail, errors } = said.data
  // Where fields are listed one by one, the sentence would say them all again.
  return new RequestError(errors === undefined ? detail : (title ?? detail), status, errors)
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** An API at `base` with its token. Throws a RequestError for everything but success. */
export function apiClient(base: string, token: string): Api {
  const send = async ({ method, path, headers = {}, body }: Call): Promise<Answer> => {
    const url = `${base.replace(/\/+$/, '')}${path}`
    const authorized = { authorization: `Bearer ${token}`, ...headers }
    const init = { method, headers: authorized, ...(body === undefined ? {} : { body }) }
    const [response, text] = await fetch(url, init)
      .then(async (answer) => [answer, await answer.text()] as const)
      .catch((error: unknown) => {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
        throw new RequestError(`The API at ${base} cannot be reached. ${cause}`.trim(), undefined, [], error)
      })
    const answer = parsed(text)
    if (!response.ok) throw refusal(response.status, answer, `${method} ${path}`)
    return { body: answer, etag: response.headers.get('etag') ?? undefined, text }
  }
  const get = (path: string) => send({ method: 'GET', path })
  const json = { 'content-type': 'application/json' }
  return {
    get,
    text: async (path) => (await get(path)).text,
    post: (path, body) =>
      send({ method: 'POST', path, ...(body === undefined ? {} : { headers: json, body: JSON.stringify(body) }) }),
    put: (path, { type, body, ifMatch }) => {
      const headers = { 'content-type': type, ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) }
      return send({ method: 'PUT', path, headers, body })
    },
    delete: (path) => send({ method: 'DELETE', path }),
    all: async (path) => {
      const items: unknown[] = []
      let query = ''
      for (;;) {
        const found = page.parse((await get(`${path}${query}`)).body)
        items.push(...found.items)
        if (found.nextCursor === undefined) return items
        query = `?cursor=${encodeURIComponent(found.nextCursor)}`
      }
    },
  }
}
