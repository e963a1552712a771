// From what a person or a program sent to a checked document, or to a list of what is wrong with it and where.
import { LineCounter, isNode, parseAllDocuments, stringify, type Document } from 'yaml'
import { z } from 'zod'
import { classDocument, type ClassDocument } from './class.ts'
import { poolDocument, type PoolDocument } from './pool.ts'
import { tenantDocument, type TenantDocument } from './tenant.ts'

export type AnyDocument = TenantDocument | ClassDocument | PoolDocument

/** One wrong field: its path for people, its JSON pointer (RFC 6901) for programs, and its place in a YAML text. */
export interface Problem {
  readonly path: string
  readonly pointer: string
  readonly message: string
  readonly line?: number
  readonly column?: number
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: Problem[] }

type Path = readonly PropertyKey[]

const anyDocument = z.discriminatedUnion('kind', [tenantDocument, classDocument, poolDocument])

function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? String(key) : `${text}.${String(key)}`
  }, '')
}

function pointerText(path: Path): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function problemAt(path: Path, message: string, place?: { line: number; col: number }): Problem {
  const problem = { path: pathText(path), pointer: pointerText(path), message }
  return place === undefined ? problem : { ...problem, line: place.line, column: place.col }
}

/** An unknown key is reported at the key itself, not at the object that holds it. */
function problemPaths(issue: z.core.$ZodIssue): { path: Path; message: string }[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not a known field' }))
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => ({ path: issue.path, message: inner.message }))
  return [{ path: issue.path, message: issue.message }]
}

/** Checks `input` against `schema`; each problem is placed by `locate` where the source text is known. */
export function check<S extends z.ZodType>(
  schema: S,
  input: unknown,
  locate: (path: Path) => { line: number; col: number } | undefined = () => undefined,
): Parsed<z.infer<S>> {
  const result = schema.safeParse(input)
  if (result.success) return { ok: true, value: result.data }
  const problems = result.error.issues
    .flatMap(problemPaths)
    .map(({ path, message }) => problemAt(path, message, locate(path)))
  return { ok: false, problems }
}

/** Finds the place of the deepest node of a path that the text has: a missing field is reported at its parent. */
export function locator(document: Document.Parsed, lines: LineCounter) {
  return (path: Path): { line: number; col: number } | undefined => {
    for (let length = path.length; length >= 0; length -= 1) {
      const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0])
    }
    return undefined
  }
}

function parseDocument<S extends z.ZodType>(
  document: Document.Parsed,
  lines: LineCounter,
  schema: S,
): Parsed<z.infer<S>> {
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const message = error.message.split('\n')[0] ?? error.message
      return problemAt([], message.replace(/ at line \d+, column \d+:?$/, ''), lines.linePos(error.pos[0]))
    })
    return { ok: false, problems }
  }
  return check(schema, document.toJS({ maxAliasCount: 100 }), locator(document, lines))
}

/** Every document of a YAML (or JSON) text, checked by its kind, with the line and column of each problem. */
export function parseYamlAll(text: string): Parsed<AnyDocument>[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines })
  return (Array.isArray(documents) ? documents : []).map((document) => parseDocument(document, lines, anyDocument))
}

/** The one document that a YAML (or JSON) text must hold, checked against `schema`. */
export function parseYaml<S extends z.ZodType>(text: string, schema: S): Parsed<z.infer<S>> {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines })
  const [first, ...rest] = Array.isArray(documents) ? documents : []
  if (first === undefined) return { ok: false, problems: [problemAt([], 'is empty')] }
  if (rest.length > 0) return { ok: false, problems: [problemAt([], 'must hold one document, not several')] }
  return parseDocument(first, lines, schema)
}

/** The document as YAML, in the order of its fields. */
export function toYaml(document: AnyDocument): string {
  return stringify(document)
}

/** The JSON Schema (2020-12) of each kind, from the same schemas that validate. */
export function jsonSchemas(): Record<AnyDocument['kind'], unknown> {
  const convert = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' })
  return { Tenant: convert(tenantDocument), Class: convert(classDocument), Pool: convert(poolDocument) }
}
