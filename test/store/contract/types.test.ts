// The contract for BSON types: they come back as they went in, survive an update of their neighbours, and have an order.
import { Binary, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp, UUID, type Document } from 'mongodb'
import { codeOf, contract } from './target.ts'

const contractTest = contract()

const exact = { promoteValues: false, promoteLongs: false, promoteBuffers: false, bsonRegExp: true } as const

const values: Document = {
  int: new Int32(1),
  double: new Double(1),
  fraction: new Double(0.5),
  long: Long.fromString('9007199254740993'),
  date: new Date('2026-01-02T03:04:05.678Z'),
  id: new ObjectId('0123456789abcdef01234567'),
  binary: new Binary(Buffer.from([0, 255, 128, 1])),
  uuid: new UUID('00112233-4455-6677-8899-aabbccddeeff'),
  time: new Timestamp({ t: 7, i: 3 }),
  text: 'ünï\u{1f600}\0end',
  yes: true,
  none: null,
  list: [new Int32(1), new Double(1), Long.fromNumber(1)],
  sub: { b: new Double(2), a: { deep: new Int32(3) } },
}

contractTest('types survive an update of another field', async ({ t, coll }) => {
  await coll.insertOne({ ...values })
  await coll.updateOne({}, { $set: { other: 'x' } })
  const { _id, other, ...found } = ((await coll.findOne({}, exact)) ?? {}) as Document
  t.true(_id instanceof ObjectId)
  t.is(other, 'x')
  t.deepEqual(found, values)
})

contractTest('names like constructor and __proto__ are ordinary fields', async ({ t, coll }) => {
  const odd = JSON.parse(
    '{"constructor": 1, "__proto__": {"toString": 2}, "a.b/c": "dots", "nested": {"$dollar": 1}}',
  ) as Document
  await coll.insertOne({ ...odd, labels: odd })
  await coll.updateOne({}, { $set: { seen: true } })
  await coll.updateOne({}, { $set: JSON.parse('{"other.__proto__": 1, "hasOwnProperty": 2}') as Document })
  const { labels, seen, other } = ((await coll.findOne({})) ?? {}) as Document
  t.is(seen, true)
  t.is(JSON.stringify(labels), JSON.stringify(odd))
  t.is(JSON.stringify(other), '{"__proto__":1}')
  t.is(await coll.countDocuments({ constructor: { $exists: true } }), 1)
  t.is(await coll.countDocuments({ toString: { $exists: true } }), 0)
})

contractTest('$inc keeps the type, and widens an int only when it must', async ({ t, coll }) => {
  const max = 2 ** 31 - 1
  await coll.insertOne({ a: new Int32(1), b: new Int32(max), c: new Int32(1), d: new Double(1), e: Long.fromNumber(1) })
  await coll.updateOne({}, { $inc: { a: 1, b: 1, c: new Double(0.5), d: 1, e: 1 } })
  const found = await coll.findOne({}, { ...exact, projection: { _id: 0 } })
  t.deepEqual(found as unknown, {
    a: new Int32(2),
    b: Long.fromNumber(max + 1),
    c: new Double(1.5),
    d: new Double(2),
    e: Long.fromNumber(2),
  })
  await coll.updateOne({}, { $min: { a: new Double(2) }, $max: { d: new Int32(2) }, $set: { e: Long.MAX_VALUE } })
  t.like(await coll.findOne({}, exact), { a: new Int32(2), d: new Double(2) })
  t.is(await codeOf(coll.updateOne({}, { $inc: { e: 1 } })), 2)
})

contractTest('numbers are equal across types, and exact beyond 2^53', async ({ t, coll }) => {
  const big = Long.fromString('9007199254740993')
  await coll.insertMany([
    { n: 1, v: new Int32(5) },
    { n: 2, v: new Double(5) },
    { n: 3, v: Long.fromNumber(5) },
    { n: 4, v: big },
  ])
  const found = async (filter: Document) =>
    (await coll.find(filter).sort({ n: 1 }).toArray()).map(({ n }) => n as number)
  t.deepEqual(await found({ v: 5 }), [1, 2, 3])
  t.deepEqual(await found({ v: new Double(9007199254740992) }), [])
  t.deepEqual(await found({ v: { $gt: new Double(9007199254740992) } }), [4])
  t.deepEqual(await found({ v: { $lt: Long.fromString('9007199254740994') } }), [1, 2, 3, 4])
})

/** From the least to the greatest, as the manual's comparison order has it. */
const ordered: unknown[] = [
  new MinKey(),
  null,
  NaN,
  -Infinity,
  Long.MIN_VALUE,
  -1.5,
  0,
  new Double(0.5),
  1,
  Long.fromString('9007199254740993'),
  Long.MAX_VALUE,
  Infinity,
  '',
  'A',
  'a',
  'a\0',
  'aa',
  'é',
  '\uffff',
  '\u{1f600}',
  {},
  { a: 1 },
  { a: 2 },
  { b: 0 },
  { a: 'x' },
  new Binary(Buffer.from([9])),
  new Binary(Buffer.from([1, 1])),
  new Binary(Buffer.from([1, 2])),
  new ObjectId('000000000000000000000001'),
  new ObjectId('ff0000000000000000000000'),
  false,
  true,
  new Date(-5),
  new Date(5),
  new Timestamp({ t: 1, i: 2 }),
  new Timestamp({ t: 2, i: 1 }),
  new MaxKey(),
]

contractTest('values of all types sort in BSON order, with an index and without', async ({ t, coll }) => {
  const docs = ordered.map((v, n) => ({ n, v }))
  await coll.insertMany(docs.toReversed())
  const order = async (direction: 1 | -1) =>
    (await coll.find().sort({ v: direction }).toArray()).map(({ n }) => n as number)
  const expected = docs.map(({ n }) => n)
  // Documents compare the type of a field before its name: {a: 1} < {a: 2} < {b: 0} < {a: 'x'}.
  t.deepEqual(await order(1), expected)
  t.deepEqual(await order(-1), expected.toReversed())
  await coll.createIndex({ v: 1 })
  t.deepEqual(await order(1), expected)
  t.deepEqual(await order(-1), expected.toReversed())
})

contractTest('arrays sort by their least or greatest element, an empty one before null', async ({ t, coll }) => {
  await coll.insertMany([
    { n: 1, v: [2, 9] },
    { n: 2, v: [] },
    { n: 3, v: null },
    { n: 4, v: 5 },
    { n: 5, v: [1] },
  ])
  const order = async (direction: 1 | -1) =>
    (await coll.find().sort({ v: direction }).toArray()).map(({ n }) => n as number)
  t.deepEqual(await order(1), [2, 3, 5, 1, 4])
  t.deepEqual(await order(-1), [1, 4, 5, 3, 2])
})
