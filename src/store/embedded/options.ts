// Reading the fields of a command: each has a type, and one that is unknown or unsupported is refused by name.
import { type Doc, fieldOf, isDoc, numberOf, show, typeOf } from './bson.ts'
import { CommandError } from './errors.ts'

/** What any command may carry. `comment` is for logs and profilers, `$readPreference` for clusters: here it is moot. */
const generic = [
  '$db',
  '$readPreference',
  '$clusterTime',
  'lsid',
  'txnNumber',
  'readConcern',
  'writeConcern',
  'maxTimeMS',
  'comment',
]

/** Options that mongod has and this server has not; `false` asks for nothing and is let through. */
const unsupported = new Set([
  'collation',
  'hint',
  'let',
  'c',
  'constants',
  'arrayFilters',
  'sort',
  'allowDiskUse',
  'allowPartialResults',
  'awaitData',
  'bypassDocumentValidation',
  'bypassEmptyTsReplacement',
  'commitQuorum',
  'explain',
  'max',
  'min',
  'noCursorTimeout',
  'oplogReplay',
  'returnKey',
  'sampleRate',
  'showRecordId',
  'tailable',
  'term',
  'encryptionInformation',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
])

/** Refuses fields outside `allowed`. Errors: 72 for what is not in the subset, 40415 for what no server knows. */
export function checkCommand(name: string, body: Doc, allowed: readonly string[]): void {
  checkFields(name, body, [name, ...generic, ...allowed])
}

export function checkFields(where: string, doc: Doc, allowed: readonly string[]): void {
  for (const [field, value] of Object.entries(doc)) {
    if (allowed.includes(field) || (unsupported.has(field) && value === false)) continue
    if (!unsupported.has(field)) {
      throw new CommandError('Location40415', `BSON field '${where}.${field}' is an unknown field.`)
    }
    throw new CommandError('InvalidOptions', `the option '${field}' of ${where} is not in the embedded store's subset`)
  }
}

export function textField(doc: Doc, name: string): string {
  const value = fieldOf(doc, name)
  if (typeof value === 'string') return value
  throw wrongType(name, value, 'string')
}

export function docField(doc: Doc, name: string): Doc | undefined {
  const value = fieldOf(doc, name)
  if (value === undefined || isDoc(value)) return value
  throw wrongType(name, value, 'object')
}

/** mongod takes numbers for booleans, as in `{ upsert: 1 }`. */
export function flagField(doc: Doc, name: string): boolean {
  const value = fieldOf(doc, name)
  if (value === undefined || typeof value === 'boolean') return value ?? false
  const number = numberOf(value)
  if (number === undefined) throw wrongType(name, value, 'bool')
  return number !== 0
}

/** A whole number that is not negative. */
export function countField(doc: Doc, name: string): number | undefined {
  const value = fieldOf(doc, name)
  if (value === undefined) return undefined
  const number = numberOf(value)
  if (number === undefined) throw wrongType(name, value, 'number')
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new CommandError(
    'BadValue',
    `BSON field '${name}' value must be a whole number >= 0, actual value '${show(value)}'`,
  )
}

export function listField(doc: Doc, name: string): readonly unknown[] {
  const value = fieldOf(doc, name)
  if (Array.isArray(value)) return value
  throw wrongType(name, value, 'array')
}

export function docList(doc: Doc, name: string): readonly Doc[] {
  return listField(doc, name).map((entry) => {
    if (isDoc(entry)) return entry
    throw wrongType(name, entry, 'object')
  })
}

function wrongType(name: string, value: unknown, wanted: string): CommandError {
  return new CommandError(
    'TypeMismatch',
    `BSON field '${name}' is the wrong type '${typeOf(value)}', expected type '${wanted}'`,
  )
}
