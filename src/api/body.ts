// Reads a request's document: JSON or YAML, of bounded size, in valid UTF-8, checked against a schema.
import type { Context } from 'koa'
import getRawBody from 'raw-body'
import type { z } from 'zod'
import { check, parseYaml, type Parsed } from '../../specs/parse.ts'
import { invalid, Problem } from './problem.ts'

const limitBytes = 1_048_576
const deepest = 64

async function bytesOf({ req }: Context): Promise<Buffer> {
  try {
    return await getRawBody(req, { limit: limitBytes })
  } catch (error) {
    const type = error instanceof Error && 'type' in error ? error.type : undefined
    if (type === 'entity.too.large')
      throw new Problem(413, 'too-large', `The body may have ${limitBytes} bytes at most.`, { cause: error })
    throw new Problem(400, 'bad-request', 'The body did not arrive whole.', { cause: error })
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new Problem(400, 'invalid', 'The body is not valid UTF-8.', { cause: error })
  }
}

function depthOf(value: unknown, depth = 0): number {
  if (depth > deepest || typeof value !== 'object' || value === null) return depth
  return Math.max(depth, ...Object.values(value).map((inner) => depthOf(inner, depth + 1)))
}

/** Brackets that open inside each other, before any parser recurses into them; text in quotes may count too. */
function checkNesting(text: string): void {
  let depth = 0
  for (const letter of text) {
    if (letter === '{' || letter === '[') depth += 1
    else if (letter === '}' || letter === ']') depth -= 1
    if (depth > deepest * 4) throw new Problem(400, 'invalid', 'The document is nested too deeply.')
  }
}

function fromJson<S extends z.ZodType>(text: string, schema: S): Parsed<z.infer<S>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Problem(400, 'invalid', `The body is not JSON: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    })
  }
  if (depthOf(value) > deepest) throw new Problem(400, 'invalid', 'The document is nested too deeply.')
  return check(schema, value)
}

function fromYaml<S extends z.ZodType>(text: string, schema: S): Parsed<z.infer<S>> {
  try {
    return parseYaml(text, schema)
  } catch (error) {
    if (!(error instanceof ReferenceError || error instanceof RangeError)) throw error
    throw new Problem(400, 'invalid', 'The YAML cannot be read: too many aliases, or nested too deeply.', {
      cause: error,
    })
  }
}

/** The checked document of the request. Throws 400, 413 or 415. */
export async function readDocument<S extends z.ZodType>(context: Context, schema: S): Promise<z.infer<S>> {
  const type = context.is('json', '+json', 'application/yaml', 'application/x-yaml', 'text/yaml', '+yaml')
  if (type === false || type === null)
    throw new Problem(415, 'unsupported-media-type', 'Send application/json or application/yaml, and say which.')
  const text = decode(await bytesOf(context))
  checkNesting(text)
  const parsed = type.includes('json') ? fromJson(text, schema) : fromYaml(text, schema)
  if (!parsed.ok) throw invalid(parsed.problems)
  return parsed.value
}
