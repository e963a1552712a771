// Reads a request's document: JSON or YAML, of bounded size, in valid UTF-8, checked against a schema.
import type { Context } from 'koa'
import getRawBody from 'raw-body'
import type { z } from 'zod'
import { parseDocument, type Format } from './document.ts'
import { refusedDocument } from './owners.ts'
import { Problem } from './problem.ts'

const limitBytes = 1_048_576

/** The 415, with what is read instead. */
export function unsupported(detail: string, accept = 'application/json, application/yaml'): Problem {
  const headers = { Accept: accept }
  return new Problem(415, 'unsupported-media-type', detail, { headers })
}

/** A missing type is refused and not guessed: what is meant decides how numbers, keys and comments are read. */
export function formatOf(context: Context): Format {
  const encoding = context.get('content-encoding')
  if (encoding !== '' && encoding.toLowerCase() !== 'identity')
    throw unsupported(`Send the body as it is, without Content-Encoding ${encoding}.`)
  const { charset } = context.request
  if (charset !== '' && charset.toLowerCase() !== 'utf-8') throw unsupported('Send the body in UTF-8.')
  const type = context.is('json', '+json', 'application/yaml', 'application/x-yaml', 'text/yaml', '+yaml')
  if (type === false || type === null)
    throw unsupported('Send application/json or application/yaml, and say which in Content-Type.')
  return type.includes('json') ? 'json' : 'yaml'
}

interface BodyState {
  body?: Promise<Buffer>
}

/** The bytes of the body, however often they are asked for. Throws 400 or 413. */
export function bytesOf(context: Context): Promise<Buffer> {
  const state = context.state as BodyState
  return (state.body ??= receive(context))
}

async function receive({ req }: Context): Promise<Buffer> {
  try {
    return await getRawBody(req, { limit: limitBytes })
  } catch (error) {
    const type = error instanceof Error && 'type' in error ? error.type : undefined
    if (type === 'entity.too.large')
      throw new Problem(413, 'too-large', `The body may have ${limitBytes} bytes at most.`, { cause: error })
    throw new Problem(400, 'bad-request', 'The body did not arrive whole.', { cause: error })
  }
}

export function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new Problem(400, 'invalid', 'The body is not valid UTF-8.', { cause: error })
  }
}

/** Whether the caller takes fields of others over. */
export function isForced(context: Context): boolean {
  return context.query['force'] === 'true'
}

/** The checked document of the request. Throws 400, 413 or 415. */
export async function readDocument<S extends z.ZodType>(context: Context, schema: S): Promise<z.infer<S>> {
  const format = formatOf(context)
  const parsed = parseDocument(decode(await bytesOf(context)), format, schema)
  if (!parsed.ok) throw refusedDocument(schema, parsed.problems)
  return parsed.value
}

/** How an operation reads its body, and how the body is described. */
export interface BodyReader<B> {
  /** Undefined: bytes, which the operation checks itself. */
  readonly schema: z.ZodType | undefined
  readonly types: readonly string[]
  readonly required: boolean
  /** Throws 400, 413 or 415. */
  readonly read: (context: Context) => Promise<B>
}

const documentTypes = ['application/json', 'application/yaml'] as const

/** A checked document in JSON or YAML. */
export function document<S extends z.ZodType>(schema: S): BodyReader<z.infer<S>> {
  return { schema, types: documentTypes, required: true, read: (context) => readDocument(context, schema) }
}

/** A document, or with `force=true` in the query one by a wider schema. */
export function forcible<S extends z.ZodType, W extends z.ZodType>(
  schema: S,
  wider: W,
): BodyReader<z.infer<S> | z.infer<W>> {
  const read = (context: Context) => (isForced(context) ? readDocument(context, wider) : readDocument(context, schema))
  return { schema: wider, types: documentTypes, required: true, read }
}

function isAbsent({ headers }: Context): boolean {
  return (headers['content-length'] ?? '0') === '0' && headers['transfer-encoding'] === undefined
}

/** The same where a body may be left out, which is as good as an empty object. */
export function optionalDocument<S extends z.ZodType>(schema: S): BodyReader<z.infer<S>> {
  const read = async (context: Context) => (isAbsent(context) ? schema.parse({}) : readDocument(context, schema))
  return { schema, types: documentTypes, required: false, read }
}

/** The bytes as they came, for what is signed. */
export function bytes(types: readonly string[]): BodyReader<Buffer> {
  return { schema: undefined, types, required: true, read: bytesOf }
}
