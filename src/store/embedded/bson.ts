// BSON values as this folder holds them: decoded without promotion, so that int, long and double survive a rewrite.
import { BSON } from 'mongodb'

/** A document. Read its fields with `fieldOf`: names such as `constructor` are ordinary data here. */
export type Doc = Readonly<Record<string, unknown>>

export type BsonType =
  | 'minKey'
  | 'undefined'
  | 'null'
  | 'int'
  | 'long'
  | 'double'
  | 'decimal'
  | 'string'
  | 'symbol'
  | 'object'
  | 'array'
  | 'binData'
  | 'objectId'
  | 'bool'
  | 'date'
  | 'timestamp'
  | 'regex'
  | 'dbPointer'
  | 'javascript'
  | 'maxKey'

const classTypes: Readonly<Record<string, BsonType>> = {
  MinKey: 'minKey',
  Int32: 'int',
  Long: 'long',
  Double: 'double',
  Decimal128: 'decimal',
  BSONSymbol: 'symbol',
  Binary: 'binData',
  ObjectId: 'objectId',
  Timestamp: 'timestamp',
  BSONRegExp: 'regex',
  DBRef: 'dbPointer',
  Code: 'javascript',
  MaxKey: 'maxKey',
}

/** Decodes one document; numbers stay instances of Int32, Long and Double. */
export function decode(bytes: Uint8Array): Doc {
  return BSON.deserialize(bytes, {
    promoteValues: false,
    promoteLongs: false,
    promoteBuffers: false,
    bsonRegExp: true,
  })
}

/** Encodes one document; fields whose value is `undefined` are left out. */
export function encode(doc: Doc): Uint8Array {
  return BSON.serialize(doc)
}

/** Whether a value is an embedded document, and not an array or one of the BSON classes. */
export function isDoc(value: unknown): value is Doc {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** A document's own field, or `undefined` where it has none. */
export function fieldOf(doc: Doc, name: string): unknown {
  return Object.hasOwn(doc, name) ? doc[name] : undefined
}

/** A copy of the document with one field set in place, appended, or (for `undefined`) removed. */
export function withField(doc: Doc, name: string, value: unknown): Doc {
  if (value === undefined) return Object.fromEntries(Object.entries(doc).filter(([key]) => key !== name))
  if (name !== '__proto__') return { ...doc, [name]: value }
  return Object.fromEntries([...Object.entries(doc).filter(([key]) => key !== name), [name, value]])
}

/** The BSON type by its alias, as `$type` names it. */
export function typeOf(value: unknown): BsonType {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'bool'
    case 'number':
      return Number.isInteger(value) && Math.abs(value) < 2 ** 31 && !Object.is(value, -0) ? 'int' : 'double'
    case 'bigint':
      return 'long'
    case 'object':
      return typeOfObject(value)
    default:
      return 'undefined'
  }
}

function typeOfObject(value: object | null): BsonType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (isDoc(value)) return 'object'
  if (value instanceof Date) return 'date'
  const name = (value as { _bsontype?: unknown })._bsontype
  const type = typeof name === 'string' ? classTypes[name] : undefined
  if (type === undefined) throw new TypeError(`not a BSON value: ${Object.prototype.toString.call(value)}`)
  return type
}

/** A numeric value as a double; `undefined` for all that is not a number. Longs above 2^53 lose digits. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (value instanceof BSON.Int32 || value instanceof BSON.Double) return value.value
  if (typeOf(value) === 'long') return Number(longOf(value))
  return undefined
}

/** A long as a bigint. */
export function longOf(value: unknown): bigint {
  return typeof value === 'bigint' ? value : (value as BSON.Long).toBigInt()
}

/** Whether two values have the same bytes: 1 and 1.0 differ here, as they do for a rewrite. */
export function identical(a: unknown, b: unknown): boolean {
  if (a === b) return true
  return Buffer.compare(encode({ a }), encode({ a: b })) === 0
}

/** A value the way mongod writes it in messages. */
export function show(value: unknown): string {
  if (isDoc(value)) {
    const fields = Object.entries(value).map(([name, field]) => `${name}: ${show(field)}`)
    return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
  }
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[ ${value.map(show).join(', ')} ]`
  if (value instanceof BSON.ObjectId) return `ObjectId('${value.toHexString()}')`
  if (value instanceof Date) return `new Date(${value.getTime()})`
  if (value === undefined) return 'undefined'
  return BSON.EJSON.stringify(value, { relaxed: true })
}
