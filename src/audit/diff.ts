// What differs between two states of an object, field by field, without a secret and without end. Pure.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { AuditValue, FieldDiff } from './entry.ts'

const mostFields = 100
const longestValue = 500

/** Fields in which their owners may keep secrets: that they differ is told, and nothing else. */
const secretFields = ['spec.config']

type Fields = ReadonlyMap<string, unknown>

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null))

/** Objects are opened, lists are not; a secret field stays closed. */
function fieldsOf(value: unknown, path = ''): [string, unknown][] {
  const names = isPlain(value) && !secretFields.includes(path) ? Object.entries(value) : []
  if (names.length === 0) return value === undefined || (path === '' && isPlain(value)) ? [] : [[path, value]]
  return names.flatMap(([name, inner]) => fieldsOf(inner, path === '' ? name : `${path}.${name}`))
}

/** A long text is told apart by the beginning of its hash. */
function shown(value: unknown): AuditValue {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  const isTexts = Array.isArray(value) && value.every((one) => typeof one === 'string')
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (text.length > longestValue)
    return `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 16)} (${text.length} characters)`
  return isTexts ? value : text
}

function diffAt(path: string, before: Fields, after: Fields): FieldDiff {
  if (secretFields.includes(path)) return { path, changed: true }
  return {
    path,
    ...(before.has(path) ? { from: shown(before.get(path)) } : {}),
    ...(after.has(path) ? { to: shown(after.get(path)) } : {}),
  }
}

/** The fields that differ, in the order of their paths. Beyond 100 the rest is one entry that says how many. */
export function diffOf(before: object | undefined, after: object | undefined): FieldDiff[] {
  const fields = (value: object | undefined): Fields => new Map(fieldsOf(plain(value ?? {})))
  const [was, is] = [fields(before), fields(after)]
  const paths = [...new Set([...was.keys(), ...is.keys()])].sort()
  const differing = paths.filter((path) => !isDeepStrictEqual(was.get(path), is.get(path)))
  const told = differing.slice(0, mostFields).map((path) => diffAt(path, was, is))
  const more = differing.length - told.length
  return more > 0 ? [...told, { path: `${more} more fields`, changed: true }] : told
}
