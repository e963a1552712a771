// Sums of BSON numbers that keep their types: an int becomes a long only when it must, a double never becomes an int.
import { BSON } from 'mongodb'
import { longOf, numberOf, show, typeOf } from './bson.ts'
import { CommandError, refused } from './errors.ts'

const longMax = 2n ** 63n - 1n
const longMin = -(2n ** 63n)

/** The sum of two numbers. Errors: 2 when longs overflow, 238 for Decimal128. */
export function add(a: unknown, b: unknown): unknown {
  const types = [typeOf(a), typeOf(b)]
  if (types.includes('decimal')) throw refused('arithmetic with Decimal128')
  if (types.includes('double')) return new BSON.Double((numberOf(a) ?? 0) + (numberOf(b) ?? 0))
  const sum = wide(a) + wide(b)
  if (!types.includes('long') && sum === BigInt.asIntN(32, sum)) return new BSON.Int32(Number(sum))
  if (sum > longMax || sum < longMin) {
    throw new CommandError('BadValue', `the sum of ${show(a)} and ${show(b)} does not fit a 64-bit integer`)
  }
  return BSON.Long.fromBigInt(sum)
}

export function isNumber(value: unknown): boolean {
  return ['int', 'long', 'double', 'decimal'].includes(typeOf(value))
}

function wide(value: unknown): bigint {
  return typeOf(value) === 'long' ? longOf(value) : BigInt(numberOf(value) ?? 0)
}
