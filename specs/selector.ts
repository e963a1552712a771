// Selectors in Kubernetes' words: which labels, and which fields, a resource has to have. Read, written back and matched here.
import { labelKey, labelText } from './fields.ts'

/** One thing that the labels have to fulfil. `in` wants the label there; `notIn` is content where it is missing too. */
export type LabelRequirement =
  | { readonly kind: 'in' | 'notIn'; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: 'exists'; readonly key: string }
  | { readonly kind: 'absent'; readonly key: string }

/** All of them have to hold; an empty one selects everything. */
export type LabelSelector = readonly LabelRequirement[]

export interface FieldRequirement {
  readonly kind: 'is' | 'isNot'
  readonly path: string
  readonly value: string
}

export type FieldSelector = readonly FieldRequirement[]

/** What is wrong with a selector's text, and at which character, counted from 1. */
export interface SelectorProblem {
  readonly at: number
  readonly message: string
}

export type ParsedSelector<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: SelectorProblem }

/** A selector is matched against each of many resources, so its length is bounded. */
export const longestSelector = 2_048

class Wrong extends Error {
  readonly problem: SelectorProblem

  constructor(index: number, message: string) {
    super(message)
    this.problem = { at: index + 1, message }
  }
}

interface Token {
  /** Empty at the end of the text. */
  readonly text: string
  readonly index: number
}

const tokenShape = /\s*(==|!=|[=!(),]|[A-Za-z0-9._/-]+)/y
const isWord = ({ text }: Token) => /^[A-Za-z0-9._/-]/.test(text)
const shown = ({ text }: Token) => (text === '' ? 'the end' : `"${text}"`)

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  const end = text.trimEnd().length
  tokenShape.lastIndex = 0
  for (let from = 0; from < end; from = tokenShape.lastIndex) {
    const [whole, token = ''] = tokenShape.exec(text) ?? []
    const index = whole === undefined ? from + text.slice(from).search(/\S/) : from + whole.length - token.length
    if (whole === undefined) throw new Wrong(index, `${JSON.stringify(text.charAt(index))} has no place in a selector`)
    tokens.push({ text: token, index })
  }
  return [...tokens, { text: '', index: end }]
}

/** Hands out the tokens one after the other; at the end it stays there. */
class Reader {
  readonly #tokens: readonly Token[]
  #next = 0

  constructor(text: string) {
    this.#tokens = tokensOf(text)
  }

  get next(): Token {
    return this.#tokens[this.#next] ?? { text: '', index: 0 }
  }

  take(): Token {
    const token = this.next
    if (token.text !== '') this.#next++
    return token
  }

  /** Takes the next token where it is this one. */
  skip(text: string): boolean {
    const fits = this.next.text === text
    if (fits) this.take()
    return fits
  }
}

function checked(token: Token, schema: typeof labelKey): string {
  const result = schema.safeParse(token.text)
  if (!result.success) throw new Wrong(token.index, `${shown(token)} ${result.error.issues[0]?.message ?? 'is wrong'}`)
  return result.data
}

function readKey(reader: Reader): string {
  const token = reader.take()
  if (!isWord(token)) throw new Wrong(token.index, `a label key is expected here, not ${shown(token)}`)
  return checked(token, labelKey)
}

/** A value may be empty, as a label's may. */
function readValue(reader: Reader): string {
  return isWord(reader.next) ? checked(reader.take(), labelText) : ''
}

function readSet(reader: Reader): string[] {
  const open = reader.take()
  if (open.text !== '(') throw new Wrong(open.index, `"(" is expected here, not ${shown(open)}`)
  if (reader.next.text === ')') throw new Wrong(reader.next.index, 'the list of values is empty')
  const values = [readValue(reader)]
  while (reader.skip(',')) values.push(readValue(reader))
  const close = reader.take()
  if (close.text !== ')') throw new Wrong(close.index, `"," or ")" is expected here, not ${shown(close)}`)
  return [...new Set(values)]
}

function readRequirement(reader: Reader): LabelRequirement {
  if (reader.skip('!')) return { kind: 'absent', key: readKey(reader) }
  const key = readKey(reader)
  if (reader.skip('=') || reader.skip('==')) return { kind: 'in', key, values: [readValue(reader)] }
  if (reader.skip('!=')) return { kind: 'notIn', key, values: [readValue(reader)] }
  if (reader.skip('in')) return { kind: 'in', key, values: readSet(reader) }
  if (reader.skip('notin')) return { kind: 'notIn', key, values: readSet(reader) }
  return { kind: 'exists', key }
}

function readRequirements(text: string): LabelRequirement[] {
  const reader = new Reader(text)
  if (reader.next.text === '') return []
  const found = [readRequirement(reader)]
  while (reader.skip(',')) found.push(readRequirement(reader))
  const { next } = reader
  if (next.text !== '') throw new Wrong(next.index, `"," or an operator is expected here, not ${shown(next)}`)
  return found
}

function attempt<T>(text: string, read: () => T): ParsedSelector<T> {
  try {
    if (text.length > longestSelector)
      throw new Wrong(longestSelector, `a selector may have ${longestSelector} characters`)
    return { ok: true, value: read() }
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return { ok: false, problem: error.problem }
  }
}

/** Reads `a=b`, `a==b`, `a!=b`, `a in (x,y)`, `a notin (x)`, `a`, `!a`, joined by commas; an empty text selects everything. */
export function parseLabelSelector(text: string): ParsedSelector<LabelSelector> {
  return attempt(text, () => readRequirements(text))
}

function requirementText(requirement: LabelRequirement): string {
  if (requirement.kind === 'exists') return requirement.key
  if (requirement.kind === 'absent') return `!${requirement.key}`
  const { kind, key, values } = requirement
  if (values.length === 1) return `${key}${kind === 'in' ? '=' : '!='}${values.join('')}`
  return `${key} ${kind === 'in' ? 'in' : 'notin'} (${values.join(',')})`
}

/** The selector as text that reads back as the same. */
export function printLabelSelector(selector: LabelSelector): string {
  return selector.map(requirementText).join(',')
}

function fulfils(labels: Readonly<Record<string, string>>, requirement: LabelRequirement): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined
  if (requirement.kind === 'exists') return value !== undefined
  if (requirement.kind === 'absent') return value === undefined
  const listed = value !== undefined && requirement.values.includes(value)
  return listed === (requirement.kind === 'in')
}

/** Whether the labels fulfil every requirement. */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every((requirement) => fulfils(labels, requirement))
}

/** `path`, operator, and a value in which a backslash takes the meaning from `,`, `=` and itself. */
const fieldShape = /\s*([A-Za-z0-9_.[\]-]+)\s*(==|!=|=)((?:\\[\\,=]|[^\\,=])*)(,|$)/y

function fieldProblem(text: string, from: number): Wrong {
  const [lead = '', path = ''] = /^\s*([A-Za-z0-9_.[\]-]*)/.exec(text.slice(from)) ?? []
  const at = from + lead.length
  if (path === '') return new Wrong(at, 'a field is expected here')
  if (!/^\s*[=!]/.test(text.slice(at))) return new Wrong(at, `"=" or "!=" is expected after ${path}`)
  return new Wrong(at, 'a value is expected here, in which "\\" stands before each ",", "=" and "\\"')
}

function readFields(text: string, allowed: readonly string[]): FieldRequirement[] {
  const found: FieldRequirement[] = []
  const end = text.trimEnd().length
  for (let from = 0; end > 0 && from <= end; from = fieldShape.lastIndex) {
    fieldShape.lastIndex = from
    const [, path, operator, value, after] = fieldShape.exec(text) ?? []
    if (path === undefined || value === undefined) throw fieldProblem(text, from)
    const at = from + text.slice(from).indexOf(path)
    if (!allowed.includes(path)) throw new Wrong(at, `${path} cannot be selected by: only ${allowed.join(', ')} can`)
    found.push({ kind: operator === '!=' ? 'isNot' : 'is', path, value: value.trim().replaceAll(/\\(.)/g, '$1') })
    if (after === '') return found
  }
  if (end > 0) throw fieldProblem(text, end)
  return found
}

/** Reads `path=value`, `path==value`, `path!=value`, joined by commas. Only the fields in `allowed` may be named. */
export function parseFieldSelector(text: string, allowed: readonly string[]): ParsedSelector<FieldSelector> {
  return attempt(text, () => readFields(text, allowed))
}

/** The selector as text that reads back as the same. */
export function printFieldSelector(selector: FieldSelector): string {
  const escaped = (value: string) => value.replaceAll(/[\\,=]/g, '\\$&')
  return selector.map(({ kind, path, value }) => `${path}${kind === 'is' ? '=' : '!='}${escaped(value)}`).join(',')
}

/** Whether every requirement holds of what `read` finds; a field that is not there counts as empty, as in Kubernetes. */
export function matchesFields(selector: FieldSelector, read: (path: string) => string | undefined): boolean {
  return selector.every(({ kind, path, value }) => ((read(path) ?? '') === value) === (kind === 'is'))
}
