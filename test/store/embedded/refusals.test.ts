// What is outside the subset is refused by name, with mongod's code, and never passed over in silence.
import test from 'ava'
import { type Db, Decimal128, type Document, Long, MongoClient } from 'mongodb'
import { startTestMongo, type TestMongo } from '../../helpers/mongo.ts'

let mongo: TestMongo
let client: MongoClient
let db: Db

test.before(async () => {
  mongo = await startTestMongo()
  client = new MongoClient(mongo.uri)
  db = client.db()
  await db.collection('c').insertOne({ a: 1, text: 'x', list: [1], big: Decimal128.fromString('1.5') })
})

test.after.always(async () => {
  await client.close()
  await mongo.close()
})

/** command, code, and a word that the message must name. */
const refusals: [Document, number, string][] = [
  [{ count: 'c' }, 59, 'count'],
  [{ distinct: 'c', key: 'a' }, 59, 'distinct'],
  [{ create: 'c2' }, 59, 'create'],
  [{ dropDatabase: 1 }, 59, 'dropDatabase'],
  [{ bulkWrite: 1 }, 59, 'bulkWrite'],
  [{ find: 'c', collation: { locale: 'de' } }, 72, 'collation'],
  [{ find: 'c', hint: 'a_1' }, 72, 'hint'],
  [{ find: 'c', tailable: true }, 72, 'tailable'],
  [{ find: 'c', nonsense: 1 }, 40415, 'nonsense'],
  [{ find: 'c', filter: { a: { $regex: 'x' } } }, 238, '$regex'],
  [{ find: 'c', filter: { a: /x/ } }, 238, '$regex'],
  [{ find: 'c', filter: { a: { $in: [/x/] } } }, 238, '$regex'],
  [{ find: 'c', filter: { $expr: { $eq: [1, 1] } } }, 238, '$expr'],
  [{ find: 'c', filter: { $where: 'true' } }, 238, '$where'],
  [{ find: 'c', filter: { a: { $mod: [2, 0] } } }, 238, '$mod'],
  [{ find: 'c', filter: { $nonsense: 1 } }, 2, '$nonsense'],
  [{ find: 'c', filter: { a: { $nonsense: 1 } } }, 2, '$nonsense'],
  [{ find: 'c', filter: { a: { $gt: 1, b: 1 } } }, 2, 'b'],
  [{ find: 'c', filter: { a: { $in: 1 } } }, 2, '$in'],
  [{ find: 'c', filter: { $or: [] } }, 2, '$or'],
  [{ find: 'c', filter: { big: { $gt: 1 } } }, 238, 'decimal'],
  [{ find: 'c', filter: { a: Decimal128.fromString('1') } }, 238, 'decimal'],
  [{ find: 'c', sort: { a: 2 } }, 2, 'a'],
  [{ find: 'c', sort: { a: { $meta: 'textScore' } } }, 238, 'a'],
  [{ find: 'c', projection: { list: { $slice: 1 } } }, 238, 'list'],
  [{ find: 'c', projection: { a: '$b' } }, 238, 'a'],
  [{ find: 'c', limit: -1 }, 2, 'limit'],
  [{ find: 'c', batchSize: 'x' }, 14, 'batchSize'],
  [{ find: 'c', readConcern: { level: 'snapshot' } }, 238, 'snapshot'],
  [{ find: 'c', startTransaction: true, txnNumber: Long.fromNumber(1), autocommit: false }, 263, 'transactions'],
  [{ find: 'c', apiVersion: '1' }, 72, 'apiVersion'],
  [{ insert: 'c', documents: [{}], writeConcern: { w: 3 } }, 100, 'w: 3'],
  [{ insert: 'c', documents: [{}], writeConcern: { w: 'eu' } }, 100, 'eu'],
  [{ insert: 'c', documents: [{}], bypassDocumentValidation: true }, 72, 'bypassDocumentValidation'],
  [{ insert: 'system.users', documents: [{}] }, 73, 'system.users'],
  [{ insert: 'c', documents: [] }, 2, 'Write batch'],
  [{ findAndModify: 'c', update: [{ $set: { a: 1 } }] }, 238, 'pipeline'],
  [{ findAndModify: 'c', update: { $set: { a: 1 } }, arrayFilters: [{ x: 1 }] }, 72, 'arrayFilters'],
  [{ findAndModify: 'c', update: { $mul: { a: 2 } } }, 238, '$mul'],
  [{ findAndModify: 'c', update: { $set: { 'list.$': 2 } } }, 238, 'list.$'],
  [{ findAndModify: 'c', update: { $set: { 'list.$[]': 2 } } }, 238, 'list.$[]'],
  [{ findAndModify: 'c', update: { $push: { list: { $each: [1], $position: 0 } } } }, 238, '$position'],
  [{ findAndModify: 'c', update: { $push: { list: { $each: [1], $nonsense: 0 } } } }, 2, '$nonsense'],
  [{ findAndModify: 'c', update: { $currentDate: { a: { $type: 'timestamp' } } } }, 238, 'timestamp'],
  [{ findAndModify: 'c', update: { $set: { 'a.$b': 2 } } }, 52, '$b'],
  [{ findAndModify: 'c', query: { nobody: 1 }, update: { $inc: { a: 'x' } } }, 14, 'a'],
  [{ findAndModify: 'c', remove: true, update: { a: 1 } }, 9, 'remove'],
  [{ findAndModify: 'c', query: {} }, 9, 'remove'],
  [{ aggregate: 'c', pipeline: [{ $lookup: {} }], cursor: {} }, 238, '$lookup'],
  [{ aggregate: 'c', pipeline: [{ $nonsense: {} }], cursor: {} }, 40324, '$nonsense'],
  [{ aggregate: 'c', pipeline: [] }, 9, 'cursor'],
  [{ aggregate: 'c', pipeline: [{ $group: { _id: null, v: { $avg: '$a' } } }], cursor: {} }, 238, 'v'],
  [{ aggregate: 'c', pipeline: [{ $group: { _id: { $year: '$a' } } }], cursor: {} }, 238, '$year'],
  [{ aggregate: 'c', pipeline: [{ $changeStream: {} }, { $project: { a: 1 } }], cursor: {} }, 238, '$project'],
  [{ aggregate: 'c', pipeline: [{ $changeStream: { fullDocument: 'required' } }], cursor: {} }, 238, 'required'],
  [{ aggregate: 'c', pipeline: [{ $changeStream: { resumeAfter: { _data: 'zz' } } }], cursor: {} }, 260, 'zz'],
  [{ aggregate: 'c', pipeline: [{ $match: { a: 1 } }, { $changeStream: {} }], cursor: {} }, 238, '$changeStream'],
  [{ createIndexes: 'c', indexes: [{ key: { a: 'text' }, name: 'i' }] }, 67, 'a'],
  [{ createIndexes: 'c', indexes: [{ key: { 'a.0': 1 }, name: 'i' }] }, 238, 'a.0'],
  [{ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'i', sparse: true }] }, 72, 'sparse'],
  [{ createIndexes: 'c', indexes: [{ key: { a: 1, b: 1 }, name: 'i', expireAfterSeconds: 1 }] }, 67, 'TTL'],
  [
    { createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'i', partialFilterExpression: { a: { $ne: 1 } } }] },
    67,
    'partial',
  ],
  [{ createIndexes: 'c', indexes: [{ key: { big: 1 }, name: 'i' }] }, 238, 'decimal'],
  [{ dropIndexes: 'c', index: '_id_' }, 72, '_id'],
  [{ dropIndexes: 'c', index: 'nobody' }, 27, 'index'],
  [{ listIndexes: 'nothing' }, 26, 'nothing'],
  [{ getMore: Long.fromNumber(5), collection: 'c' }, 43, '5'],
]

for (const [command, code, word] of refusals) {
  const title = JSON.stringify(command, (_key, value: unknown) => (value instanceof RegExp ? String(value) : value))
  test(`${title} is refused with ${code}`, async (t) => {
    const error = await t.throwsAsync(db.command(command), { code })
    t.true(error.message.toLowerCase().includes(word.toLowerCase()), error.message)
    t.not((error as Document)['codeName'], undefined)
  })
}

test('update and delete statements are checked too, each with its own error', async (t) => {
  const cases: [Document, number][] = [
    [{ update: 'c', updates: [{ q: {}, u: { $set: { a: 1 } }, sort: { a: 1 } }] }, 72],
    [{ update: 'c', updates: [{ q: {}, u: { $set: { a: 1 } }, collation: {} }] }, 72],
    [{ update: 'c', updates: [{ q: {}, u: [{ $set: { a: 1 } }] }] }, 238],
    [{ update: 'c', updates: [{ q: {}, u: { a: 1 }, multi: true }] }, 9],
    [{ update: 'c', updates: [{ q: { a: 1, $and: [{ a: 2 }] }, u: { $set: { b: 1 } }, upsert: true }] }, 54],
    [{ delete: 'c', deletes: [{ q: {}, limit: 2 }] }, 9],
    [{ delete: 'c', deletes: [{ q: {}, limit: 1, hint: 'a_1' }] }, 72],
  ]
  for (const [command, code] of cases) {
    const reply = await db.command(command).catch((error: unknown) => error as Document)
    const [first] = (reply['writeErrors'] ?? [reply]) as Document[]
    t.is(first?.['code'], code, JSON.stringify(command))
  }
  t.is(await db.collection('c').countDocuments(), 1)
})

test('documents that mongod would not store are refused', async (t) => {
  const coll = db.collection('odd')
  await t.throwsAsync(coll.insertOne({ _id: [1] as never }), { code: 53 })
  await t.throwsAsync(coll.insertOne({ _id: { $a: 1 } as never }), { code: 52 })
  await t.throwsAsync(coll.insertOne({ text: 'x'.repeat(16 * 1024 * 1024 - 20) }), { code: 10334 })
  t.is(await coll.countDocuments(), 0)
})

test('a transaction of the driver is refused, not run half', async (t) => {
  const session = client.startSession()
  t.teardown(() => session.endSession())
  session.startTransaction()
  await t.throwsAsync(db.collection('c').insertOne({ n: 1 }, { session }), { code: 263 })
  await session.abortTransaction()
  t.is(await db.collection('c').countDocuments(), 1)
})

test('writes without acknowledgement are done, in order', async (t) => {
  const coll = db.collection('silent', { writeConcern: { w: 0 } })
  for (let n = 0; n < 20; n++) await coll.insertOne({ n })
  const deadline = Date.now() + 5000
  while ((await coll.countDocuments()) < 20 && Date.now() < deadline) await new Promise((next) => setTimeout(next, 10))
  t.is(await coll.countDocuments(), 20)
})

test('maxTimeMS ends a scan', async (t) => {
  const coll = db.collection('many')
  await coll.insertMany(Array.from({ length: 20_000 }, (_, n) => ({ n })))
  await t.throwsAsync(coll.find({ nothing: 1 }).maxTimeMS(1).toArray(), { code: 50 })
})
