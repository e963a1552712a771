// The REST API as the command line sees it: one request, its answer as JSON, or what was wrong in words.
import { z } from 'zod'
import type { RowsView } from '../api/print.ts'
import type { Deletes, Lists, Page, Posts, Puts, Reads } from './answers.ts'

export interface Answer<T> {
  readonly body: T
  readonly etag: string | undefined
  readonly text: string
}

export interface Asked {
  /** For the names in the path. */
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string | undefined>>
}

export interface Sent {
  readonly type: 'application/json' | 'application/yaml'
  readonly body: string
  readonly ifMatch?: string | undefined
}

export interface Api {
  get<P extends keyof Reads>(path: P, asked?: Asked): Promise<Answer<Reads[P]>>
  /** The same as it came. */
  text(path: keyof Reads, asked?: Asked): Promise<string>
  post<P extends keyof Posts>(path: P, asked?: Asked, sent?: Sent): Promise<Answer<Posts[P]>>
  put<P extends keyof Puts>(path: P, asked: Asked, sent: Sent): Promise<Answer<Puts[P]>>
  delete<P extends keyof Deletes>(path: P, asked: Asked): Promise<Answer<Deletes[P]>>
  /** Every item of a list, page after page. */
  all<P extends keyof Lists>(path: P, asked?: Asked): Promise<readonly Lists[P][]>
  /** The same in the columns of the server; `first`: only the first page. */
  rows(path: keyof Lists, asked?: Asked, which?: 'all' | 'first'): Promise<RowsView>
  /** A stream of server-sent events; it ends with the signal. */
  stream(path: keyof Lists, asked: Asked, more: Streaming): Promise<AsyncIterable<Uint8Array>>
}

export interface Streaming {
  readonly lastId: string | undefined
  readonly signal: AbortSignal
}

const fieldError = z.object({
  path: z.string(),
  detail: z.string(),
  line: z.number().optional(),
  column: z.number().optional(),
})
const problem = z.object({ title: z.string().optional(), detail: z.string(), errors: z.array(fieldError).optional() })

export type FieldError = z.infer<typeof fieldError>

/** A request that did not succeed, in words for a person. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  /** Undefined: no answer came. */
  readonly status: number | undefined
  readonly errors: readonly FieldError[]

  constructor(message: string, status?: number, errors: readonly FieldError[] = [], cause?: unknown) {
    super(message, { cause })
    this.status = status
    this.errors = errors
  }
}

/** A problem of the API in words. Where fields are listed one by one, the sentence would say them all again. */
export function inWords(
  body: unknown,
): { readonly message: string; readonly errors: readonly FieldError[] } | undefined {
  const said = problem.safeParse(body)
  if (!said.success) return undefined
  const { title, detail, errors } = said.data
  return { message: errors === undefined ? detail : (title ?? detail), errors: errors ?? [] }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function refusal(status: number, text: string, what: string): RequestError {
  const said = inWords(parsed(text))
  if (said === undefined) return new RequestError(`${what} was answered with ${status}.`, status)
  return new RequestError(said.message, status, said.errors)
}

/** The address of an operation: `/v1/tenants/{name}` with its names and its query. */
function addressOf(path: string, { params = {}, query = {} }: Asked = {}): string {
  const named = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const asked = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return asked.length === 0 ? named : `${named}?${new URLSearchParams(Object.fromEntries(asked)).toString()}`
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}

export interface ClientOptions {
  readonly base: string
  readonly token: string
  /** Why a change is made, for the audit. */
  readonly reason?: string | undefined
}

/** A header holds bytes: the API reads them as UTF-8. */
const asBytes = (text: string) => Buffer.from(text.replaceAll(/\s+/g, ' ')).toString('latin1')

type Fetch = (call: Call) => Promise<Response>

function fetchFrom({ base, token, reason }: ClientOptions): Fetch {
  return async ({ method, path, headers = {}, body, signal }) => {
    const url = `${base.replace(/\/+$/, '')}${path}`
    const why = reason === undefined || method === 'GET' ? {} : { 'x-reason': asBytes(reason) }
    const init = { method, headers: { authorization: `Bearer ${token}`, ...why, ...headers } }
    const more = { ...(body === undefined ? {} : { body }), ...(signal === undefined ? {} : { signal }) }
    const response = await fetch(url, { ...init, ...more }).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
      throw new RequestError(`The API at ${base} cannot be reached. ${cause}`.trim(), undefined, [], error)
    })
    if (!response.ok) throw refusal(response.status, await response.text(), `${method} ${path}`)
    return response
  }
}

const sentAs = ({ type, body, ifMatch }: Sent) => ({
  headers: { 'content-type': type, ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) },
  body,
})

/** A document in JSON. */
export function asJson(value: object, ifMatch?: string): Sent {
  return { type: 'application/json', body: JSON.stringify(value), ifMatch }
}

async function everyPage<T, Found extends { readonly nextCursor?: string | undefined }>(
  read: (cursor: string | undefined) => Promise<Found>,
  itemsOf: (found: Found) => readonly T[],
): Promise<readonly T[]> {
  const items: T[] = []
  let cursor: string | undefined
  do {
    const found = await read(cursor)
    items.push(...itemsOf(found))
    cursor = found.nextCursor
  } while (cursor !== undefined)
  return items
}

/** An API with its token. Throws a RequestError for everything but success. */
export function apiClient(options: ClientOptions): Api {
  const send = fetchFrom(options)
  // The types are those of the schemas that the API answers by.
  const call = async <T>(made: Call): Promise<Answer<T>> => {
    const response = await send(made)
    const text = await response.text()
    return { body: parsed(text) as T, etag: response.headers.get('etag') ?? undefined, text }
  }
  const get = <T>(path: string, asked?: Asked) => call<T>({ method: 'GET', path: addressOf(path, asked) })
  const paged = <T>(path: string, asked: Asked, cursor: string | undefined) =>
    get<T>(path, { ...asked, query: { ...asked.query, cursor } }).then(({ body }) => body)
  return {
    get,
    text: async (path, asked) => (await get(path, asked)).text,
    post: (path, asked, sent) =>
      call({ method: 'POST', path: addressOf(path, asked), ...(sent === undefined ? {} : sentAs(sent)) }),
    put: (path, asked, sent) => call({ method: 'PUT', path: addressOf(path, asked), ...sentAs(sent) }),
    delete: (path, asked) => call({ method: 'DELETE', path: addressOf(path, asked) }),
    all: <P extends keyof Lists>(path: P, asked: Asked = {}) =>
      everyPage(
        (cursor) => paged<Page<Lists[P]>>(path, asked, cursor),
        ({ items }) => items,
      ),
    rows: async (path, asked = {}, which = 'all') => {
      let columns: string[] = []
      const printed = { ...asked, query: { ...asked.query, output: 'rows' } }
      if (which === 'first') return paged<RowsView>(path, printed, undefined)
      const rows = await everyPage(
        (cursor) => paged<RowsView>(path, printed, cursor),
        (found) => {
          columns = found.columns
          return found.rows
        },
      )
      return { columns, rows: [...rows] }
    },
    stream: async (path, asked, { lastId, signal }) => {
      const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
      const { body } = await send({ method: 'GET', path: addressOf(path, asked), headers, signal })
      if (body === null) throw new RequestError(`GET ${path} was answered with nothing.`)
      return body
    },
  }
}
