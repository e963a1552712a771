// Random BSON for the properties: few names and few values, so that they meet, and the odd ones of every type.
import fc from 'fast-check'
import { BSON } from 'mongodb'
import type { Doc } from '../../../src/store/embedded/bson.ts'

const { Binary, Double, Int32, Long, ObjectId, Timestamp } = BSON

const oddNumbers = [0, -0, 1, -1, 0.5, 2 ** 31, 2 ** 53, -(2 ** 53), 2 ** 63, 1e308, Infinity, -Infinity, NaN]
const oddLongs = [
  '0',
  '1',
  '-1',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
]

export const number = fc.oneof(
  fc.constantFrom(...oddNumbers).map((value) => new Double(value)),
  fc.double().map((value) => new Double(value)),
  fc.integer().map((value) => new Int32(value)),
  fc.constantFrom(...oddLongs).map((value) => Long.fromString(value)),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => Long.fromBigInt(value)),
)

const text = fc.oneof(
  fc.constantFrom('', 'a', 'aa', 'a\0', 'b', '\0', '\uffff', '\u{1f600}', 'é'),
  fc.string({ unit: 'grapheme' }),
)

const scalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, new BSON.MinKey(), new BSON.MaxKey()),
  number,
  text,
  fc.integer({ min: -1000, max: 1000 }).map((ms) => new Date(ms)),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => new Binary(bytes)),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
  fc.tuple(fc.nat(3), fc.nat(3)).map(([t, i]) => new Timestamp({ t, i })),
)

const names = fc.constantFrom('a', 'b', 'c', 'aa')

/** Any value, nested ones among them. */
export const anyValue = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value

const fewScalars = fc.constantFrom<unknown>(
  null,
  new Int32(0),
  new Int32(1),
  new Double(1),
  new Int32(2),
  'x',
  'y',
  true,
)

const fewValues = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    { arbitrary: fewScalars, weight: 3 },
    { arbitrary: fc.array(tie('value'), { maxLength: 3 }), weight: 1 },
    {
      arbitrary: fc.dictionary(fc.constantFrom('a', 'b'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
      weight: 1,
    },
  ),
})).value

/** Documents that share their few names and values, so that filters often match. */
export const smallDoc: fc.Arbitrary<Doc> = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fewValues, {
  maxKeys: 3,
  noNullPrototype: true,
})

export const path = fc.constantFrom('a', 'b', 'c', 'a.a', 'a.b', 'b.a', 'b.a.b')

const operator: fc.Arbitrary<Doc> = fc.oneof(
  fc
    .tuple(fc.constantFrom('$eq', '$ne', '$gt', '$gte', '$lt', '$lte'), fewValues)
    .map(([name, value]) => ({ [name]: value })),
  fc
    .tuple(fc.constantFrom('$in', '$nin'), fc.array(fewValues, { maxLength: 3 }))
    .map(([name, list]) => ({ [name]: list })),
  fc.boolean().map((exists) => ({ $exists: exists })),
  fc.nat(2).map((size) => ({ $size: new Int32(size) })),
  fc.tuple(fewScalars, fewScalars).map(([low, high]) => ({ $gte: low, $lte: high })),
)

/** Filters of the common operators, alone or joined. */
export const filter: fc.Arbitrary<Doc> = fc.oneof(
  { arbitrary: fc.dictionary(path, operator, { minKeys: 1, maxKeys: 2, noNullPrototype: true }), weight: 3 },
  { arbitrary: fc.tuple(path, operator).map(([name, clause]) => ({ [name]: { $not: clause } })), weight: 1 },
  {
    arbitrary: fc
      .tuple(fc.constantFrom('$and', '$or', '$nor'), fc.array(fc.tuple(path, operator), { minLength: 1, maxLength: 2 }))
      .map(([name, parts]) => ({ [name]: parts.map(([field, clause]) => ({ [field]: clause })) })),
    weight: 1,
  },
)

const digit = fc.nat(4).map((value) => new Int32(value))

/** Values that indexes have to tell apart: numbers close together, alone, in arrays, and in documents in arrays. */
const indexed = fc.oneof(
  { arbitrary: fc.oneof(digit, fc.constantFrom<unknown>(null, 'x')), weight: 4 },
  { arbitrary: fc.array(digit, { maxLength: 3 }), weight: 2 },
  { arbitrary: digit.map((b) => ({ b })), weight: 1 },
  { arbitrary: fc.array(fc.record({ a: digit, b: digit }, { noNullPrototype: true }), { maxLength: 2 }), weight: 2 },
)

export const indexedDoc: fc.Arbitrary<Doc> = fc.record(
  { a: indexed, b: indexed },
  { requiredKeys: ['a'], noNullPrototype: true },
)

export const indexedPath = fc.constantFrom('a', 'b', 'a.a', 'a.b')

const bounds: fc.Arbitrary<Doc> = fc.oneof(
  digit.map((value) => ({ $eq: value })),
  fc.array(digit, { minLength: 1, maxLength: 3 }).map((list) => ({ $in: list })),
  fc
    .tuple(fc.constantFrom('$gt', '$gte'), digit, fc.constantFrom('$lt', '$lte'), digit)
    .map(([low, a, high, b]) => ({ [low]: a, [high]: b })),
  fc.tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), digit).map(([name, value]) => ({ [name]: value })),
  fc.oneof(fc.constant(null), fc.array(digit, { maxLength: 2 })).map((value) => ({ $eq: value })),
)

/** Filters that an index may answer. */
export const bounded: fc.Arbitrary<Doc> = fc.dictionary(indexedPath, bounds, {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
})
