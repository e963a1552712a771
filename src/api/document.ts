// From the text of a body to a checked document. The text comes from outside, so its size and shape are bounded before
// anything costly reads it: the YAML parser needs time in the square of a map's keys, and recurses with the nesting.
import { Lexer, LineCounter, parseAllDocuments, type Document, type YAMLError } from 'yaml'
import { z } from 'zod'
import { check, type Parsed, type Problem, locator } from '../../specs/parse.ts'

export type Format = 'json' | 'yaml'

/** A field takes about six tokens of the lexer (marks, spaces, line ends): room for 3,000 of them. */
const mostTokens = 20_000
const mostAliases = 100
const deepest = 64
/** Values once the aliases are written out. */
const mostValues = 20_000

/** Marks the token after it as a plain or block scalar (yaml's lexer). */
const scalarMark = '\u001f'

/** What makes the text too costly to parse; undefined where it may be parsed. */
function excess(text: string, format: Format): string | undefined {
  // Each wrong escape costs the YAML parser an Error; JSON.parse stops at the first.
  if (format === 'yaml' && text.split('\\').length > mostTokens) return 'has too many escapes'
  let [tokens, depth, scalar] = [0, 0, false]
  for (const token of new Lexer().lex(text)) {
    tokens += 1
    if (!scalar && (token === '{' || token === '[')) depth += 1
    if (!scalar && (token === '}' || token === ']')) depth = Math.max(0, depth - 1)
    scalar = token === scalarMark
    if (tokens > mostTokens) return 'has too many fields'
    if (depth > deepest) return 'is nested too deeply'
  }
  return undefined
}

/**
 * Keys that would reach a prototype when one configuration is laid over another, and those that BSON takes for its own. The
 * driver also looks names of arrays up in an object with a prototype: objects in a list called `toString` are read back
 * as bytes (mongodb 7.9, `fieldsAsRaw`; hostile.test.ts shows it).
 */
const reserved = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype', '_bsontype', '$ref'])

function keyFault(key: string): string | undefined {
  if (reserved.has(key)) return 'is a reserved name'
  return textFault(key)
}

/** Text that cannot be stored as it is: what is read back would differ from what was sent. */
function textFault(text: string): string | undefined {
  if (text.includes('\0')) return 'must not contain a null character'
  return text.isWellFormed() ? undefined : 'must be well-formed Unicode'
}

interface Place {
  readonly value: unknown
  readonly path: readonly (string | number)[]
}

/** Entries of a list or an object; none of anything else. */
function entriesOf(value: unknown): [key: string | number, inner: unknown][] {
  if (Array.isArray(value)) return value.map((inner, index) => [index, inner])
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

interface Finding {
  readonly path: Place['path']
  readonly message: string | undefined
}

function findingsAt({ value, path }: Place): Finding[] {
  if (typeof value === 'string') return [{ path, message: textFault(value) }]
  return entriesOf(value).map(([key]) => ({
    path: [...path, key],
    message: typeof key === 'string' ? keyFault(key) : undefined,
  }))
}

/** Walks without recursion, because an alias may hold itself. */
function* findings(root: unknown): Generator<Finding, void> {
  const waiting: Place[] = [{ value: root, path: [] }]
  let values = 0
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    values += 1
    const [many, deep] = [values > mostValues, place.path.length > deepest]
    if (many || deep) {
      yield {
        path: [],
        message: many ? 'has too many values once its aliases are written out' : 'is nested too deeply',
      }
      return
    }
    yield* findingsAt(place)
    for (const [key, value] of entriesOf(place.value)) waiting.push({ value, path: [...place.path, key] })
  }
}

/** Values that can be stored and laid over others, whatever the schema says of them. */
const storable = z.unknown().superRefine((root, context) => {
  for (const { path, message } of findings(root))
    if (message !== undefined) context.addIssue({ code: 'custom', path: [...path], message })
})

function whole(message: string, place?: { readonly line: number; readonly col: number }): Problem {
  const problem = { path: '', pointer: '', message }
  return place === undefined ? problem : { ...problem, line: place.line, column: place.col }
}

function syntaxProblem({ message, pos }: YAMLError, lines: LineCounter): Problem {
  // The parser recurses: what is nested without brackets (`- - - -`) meets the end of the stack.
  return whole(message.includes('call stack') ? 'is nested too deeply' : message, lines.linePos(pos[0]))
}

function jsonValue(text: string): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(error.message) ?? []
    const place = line === undefined ? undefined : { line: Number(line), col: Number(column) }
    return { ok: false, problems: [whole('is not JSON', place)] }
  }
}

function yamlValue(document: Document.Parsed): Parsed<unknown> {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: mostAliases }) as unknown }
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    return { ok: false, problems: [whole('has an alias without its anchor, or too many aliases')] }
  }
}

/** JSON is read as JSON; the YAML parser, which reads it too, adds the places and finds the keys that come twice. */
function syntaxErrors(document: Document.Parsed, format: Format): YAMLError[] {
  if (format === 'json') return document.errors.filter(({ code }) => code === 'DUPLICATE_KEY')
  return [...document.errors, ...document.warnings]
}

/** The checked document, or everything that is wrong with it and where. Never throws for what the text holds. */
export function parseDocument<S extends z.ZodType>(text: string, format: Format, schema: S): Parsed<z.infer<S>> {
  const tooMuch = excess(text, format)
  if (tooMuch !== undefined) return { ok: false, problems: [whole(tooMuch)] }
  const json = format === 'json' ? jsonValue(text) : undefined
  if (json?.ok === false) return json
  const lines = new LineCounter()
  const [document, ...rest] = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  if (document === undefined) return { ok: false, problems: [whole('is empty')] }
  if (rest.length > 0) return { ok: false, problems: [whole('must hold one document, not several')] }
  const errors = syntaxErrors(document, format)
  if (errors.length > 0) return { ok: false, problems: errors.map((error) => syntaxProblem(error, lines)) }
  const read = json ?? yamlValue(document)
  if (!read.ok) return read
  const sound = check(storable, read.value, locator(document, lines))
  return sound.ok ? check(schema, read.value, locator(document, lines)) : sound
}
