// The order of BSON values, once: as bytes that compare like the values, for matching, sorting and index keys alike.
import { type BSON } from 'mongodb'
import { type BsonType, type Doc, longOf, numberOf, typeOf } from './bson.ts'
import { refused } from './errors.ts'

export type Direction = 1 | -1

/** mongod's canonical order of types. All ranks lie between 0x00 (end of a document) and 0xff (after every key). */
const ranks: Readonly<Record<BsonType, number>> = {
  minKey: 1,
  undefined: 2,
  null: 5,
  int: 10,
  long: 10,
  double: 10,
  decimal: 10,
  string: 15,
  symbol: 15,
  object: 20,
  array: 25,
  binData: 30,
  objectId: 35,
  bool: 40,
  date: 45,
  timestamp: 47,
  regex: 50,
  dbPointer: 55,
  javascript: 60,
  maxKey: 127,
}

/** Values of equal rank compare with each other; range operators look no further than one rank. */
export function rankOf(value: unknown): number {
  return ranks[typeOf(value)]
}

/**
 * The key of an index entry or a sort: one part per value, inverted where the direction is -1. Parts are prefix-free, so
 * comparing the bytes compares the values in turn. `undefined` stands for the empty array, which sorts before null.
 */
export function encodeKey(values: readonly unknown[], directions: readonly Direction[]): Uint8Array {
  const out = new KeyBytes()
  values.forEach((value, at) => {
    const start = out.length
    writeValue(out, value)
    if (directions[at] === -1) out.invert(start)
  })
  return out.bytes()
}

/** One value as ascending key bytes. Throws for Decimal128, whose comparison is not implemented. */
export function encodeValue(value: unknown): Uint8Array {
  return encodeKey([value], [1])
}

/** Negative, zero or positive, in BSON order. 1, 1.0 and Long 1 are equal; NaN is equal to itself and below all numbers. */
export function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'string' && a === b) return 0
  return Buffer.compare(encodeValue(a), encodeValue(b))
}

/** Equality in BSON order; documents are equal only with the same fields in the same order. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a === b
  if (rankOf(a) !== rankOf(b)) return false
  return compareValues(a, b) === 0
}

class KeyBytes {
  #buffer = Buffer.allocUnsafe(64)
  length = 0

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length)
  }

  byte(value: number): void {
    this.#room(1)
    this.#buffer[this.length++] = value
  }

  append(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  /** UTF-8 with 0x00 written as 00 ff and an end of 00 00, so that no text is a prefix of another. */
  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8')
    if (!bytes.includes(0)) this.append(bytes)
    else for (const byte of bytes) this.append(byte === 0 ? new Uint8Array([0, 0xff]) : new Uint8Array([byte]))
    this.append(new Uint8Array([0, 0]))
  }

  uint32(value: number): void {
    this.#room(4)
    this.length = this.#buffer.writeUInt32BE(value >>> 0, this.length)
  }

  /** IEEE bits, reordered: negatives inverted, others (-0 too) with the sign bit set; NaN is all zeros, below -Infinity. */
  double(value: number): void {
    this.#room(8)
    const start = this.length
    this.length = this.#buffer.writeDoubleBE(value, start)
    if (Number.isNaN(value)) this.#buffer.fill(0, start, this.length)
    else if (value < 0) this.invert(start)
    else this.#buffer[start] = (this.#buffer[start] ?? 0) | 0x80
  }

  invert(from: number): void {
    for (let at = from; at < this.length; at++) this.#buffer[at] = 0xff - (this.#buffer[at] ?? 0)
  }

  #room(count: number): void {
    if (this.length + count <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + count))
    larger.set(this.#buffer.subarray(0, this.length))
    this.#buffer = larger
  }
}

function writeValue(out: KeyBytes, value: unknown): void {
  out.byte(rankOf(value))
  writePayload(out, value)
}

type Write = (out: KeyBytes, value: unknown) => void

const nothing: Write = () => undefined

const refuseToCompare: Write = (_out, value) => {
  throw refused(`comparing values of type ${typeOf(value)}`)
}

/** What follows the rank. All of one rank write bytes that compare with each other. */
const payloads: Readonly<Record<BsonType, Write>> = {
  minKey: nothing,
  undefined: nothing,
  null: nothing,
  int: (out, value) => writeNumber(out, numberOf(value) ?? 0, 0),
  double: (out, value) => writeNumber(out, numberOf(value) ?? 0, 0),
  long: (out, value) => writeLong(out, longOf(value)),
  decimal: refuseToCompare,
  string: (out, value) => out.text(value as string),
  symbol: (out, value) => out.text((value as BSON.BSONSymbol).value),
  object: (out, value) => writeFields(out, Object.entries(value as Doc)),
  array: (out, value) => writeElements(out, value as unknown[]),
  binData: (out, value) => writeBinary(out, value as BSON.Binary),
  objectId: (out, value) => out.append((value as BSON.ObjectId).id),
  bool: (out, value) => out.byte(value === true ? 1 : 0),
  date: (out, value) => out.double((value as Date).getTime()),
  timestamp: (out, value) => writeTimestamp(out, value as BSON.Timestamp),
  regex: (out, value) => {
    out.text((value as BSON.BSONRegExp).pattern)
    out.text((value as BSON.BSONRegExp).options)
  },
  dbPointer: refuseToCompare,
  javascript: refuseToCompare,
  maxKey: nothing,
}

function writePayload(out: KeyBytes, value: unknown): void {
  payloads[typeOf(value)](out, value)
}

/** A number is its nearest double and what is left: only longs beyond 2^53 have a rest, of at most 512 either way. */
function writeNumber(out: KeyBytes, nearest: number, rest: number): void {
  out.double(nearest)
  const biased = rest + 0x8000
  out.byte(biased >> 8)
  out.byte(biased & 0xff)
}

function writeLong(out: KeyBytes, value: bigint): void {
  const nearest = Number(value)
  writeNumber(out, nearest, Number(value - BigInt(nearest)))
}

/** As mongod compares documents: field by field, first the type, then the name, then the value. */
function writeFields(out: KeyBytes, fields: readonly (readonly [string, unknown])[]): void {
  for (const [name, value] of fields) {
    out.byte(rankOf(value))
    out.text(name)
    writePayload(out, value)
  }
  out.byte(0)
}

function writeElements(out: KeyBytes, elements: readonly unknown[]): void {
  for (const element of elements) writeValue(out, element)
  out.byte(0)
}

/** Binary data compares by length, then subtype, then bytes. */
function writeBinary(out: KeyBytes, value: BSON.Binary): void {
  out.uint32(value.position)
  out.byte(value.sub_type)
  out.append(value.buffer.subarray(0, value.position))
}

function writeTimestamp(out: KeyBytes, value: BSON.Timestamp): void {
  out.uint32(value.t)
  out.uint32(value.i)
}
