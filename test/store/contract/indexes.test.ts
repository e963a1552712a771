// The contract for indexes: unique ones, partial ones, expiry, and results that no index changes.
import { MongoServerError } from 'mongodb'
import { codeOf, contract } from './target.ts'

const contractTest = contract()

contractTest('a unique index refuses the second, and says which key', async ({ t, coll }) => {
  await coll.createIndex({ org: 1, name: 1 }, { unique: true }, {})
  await coll.insertOne({ org: 'a', name: 'x' })
  await coll.insertOne({ org: 'b', name: 'x' })
  const error = await t.throwsAsync<MongoServerError>(coll.insertOne({ org: 'a', name: 'x' }), {
    instanceOf: MongoServerError,
    code: 11000,
  })
  t.true(error.message.startsWith('E11000 duplicate key error collection: '))
  t.deepEqual(error['keyPattern'], { org: 1, name: 1 })
  t.deepEqual(error['keyValue'], { org: 'a', name: 'x' })
  t.is(await codeOf(coll.updateOne({ org: 'b' }, { $set: { org: 'a' } })), 11000)
  t.is(await codeOf(coll.findOneAndUpdate({ org: 'b' }, { $set: { org: 'a' } })), 11000)
  t.is(await coll.countDocuments({ org: 'b' }), 1)
})

contractTest('a missing field is a key too: one document may lack it', async ({ t, coll }) => {
  await coll.createIndex({ email: 1 }, { unique: true }, {})
  await coll.insertOne({ n: 1 })
  t.is(await codeOf(coll.insertOne({ n: 2 })), 11000)
})

contractTest('a partial unique index frees the name when the flag goes', async ({ t, coll }) => {
  await coll.createIndex({ name: 1 }, { unique: true, partialFilterExpression: { live: true } }, {})
  const { insertedId } = await coll.insertOne({ name: 'acme', live: true })
  t.is(await codeOf(coll.insertOne({ name: 'acme', live: true })), 11000)
  await coll.insertOne({ name: 'acme', live: false })
  await coll.updateOne({ _id: insertedId }, { $set: { live: false } })
  const second = await coll.insertOne({ name: 'acme', live: true })
  t.is(await codeOf(coll.updateOne({ _id: insertedId }, { $set: { live: true } })), 11000)
  t.deepEqual((await coll.findOne({ name: 'acme', live: true }))?._id, second.insertedId)
  t.is(await coll.countDocuments({ name: 'acme' }), 3)
})

contractTest('a unique index cannot be built over duplicates', async ({ t, coll }) => {
  await coll.insertMany([{ k: 1 }, { k: 1 }])
  t.is(await codeOf(coll.createIndex({ k: 1 }, { unique: true }, {})), 11000)
  t.deepEqual(
    (await coll.indexes()).map(({ name }) => name),
    ['_id_'],
  )
})

contractTest('createIndexes can be repeated, and conflicts are named', async ({ t, coll }) => {
  const key = { a: 1, b: -1 } as const
  t.is(await coll.createIndex(key), 'a_1_b_-1')
  t.is(await coll.createIndex(key), 'a_1_b_-1')
  t.is(await codeOf(coll.createIndex(key, { name: 'other' }, {})), 85)
  t.is(await codeOf(coll.createIndex(key, { unique: true }, {})), 86)
  t.is(await codeOf(coll.createIndex({ c: 1 }, { name: 'a_1_b_-1' }, {})), 86)
  const found = await coll.indexes()
  t.deepEqual(
    found.map(({ key, name }) => ({ key: key, name })),
    [
      { key: { _id: 1 }, name: '_id_' },
      { key, name: 'a_1_b_-1' },
    ],
  )
  await coll.dropIndex('a_1_b_-1')
  t.is(await codeOf(coll.dropIndex('a_1_b_-1')), 27)
  t.is((await coll.indexes()).length, 1)
})

contractTest('indexes change no result, with arrays either', async ({ t, coll }) => {
  await coll.insertMany(
    [{ a: 1, b: 1 }, { a: [1, 3], b: 2 }, { a: [0, 5], b: 3 }, { a: null }, { b: 5 }, { a: 'x', b: 1 }, { a: [] }].map(
      (doc, n) => ({ n, ...doc }),
    ),
  )
  const filters = [
    { a: 1 },
    { a: { $gt: 1, $lt: 3 } },
    { a: null },
    { a: { $in: [1, 'x', null] } },
    { a: { $gte: 'a' } },
    { a: 1, b: 2 },
    { a: [1, 3] },
    { a: { $lt: 4 }, b: { $gt: 1 } },
  ]
  const results = () =>
    Promise.all(
      filters.map(async (filter) => (await coll.find(filter).toArray()).map(({ n }) => n as number).toSorted()),
    )
  const before = await results()
  await coll.createIndex({ a: 1, b: -1 })
  t.deepEqual(await results(), before)
})

contractTest('an index on two fields of an array answers for each field, not for pairs', async ({ t, coll }) => {
  await coll.createIndex({ 'a.x': 1, 'a.y': 1 })
  await coll.insertMany([
    {
      n: 1,
      a: [
        { x: 1, y: 3 },
        { x: 0, y: 2 },
      ],
    },
    { n: 2, a: [{ x: 1, y: 1 }] },
  ])
  const found = await coll.find({ 'a.x': 1, 'a.y': 2 }).toArray()
  t.deepEqual(
    found.map(({ n }) => n as number),
    [1],
  )
})

contractTest('an index serves only the orders that it has', async ({ t, coll }) => {
  await coll.createIndex({ g: 1, n: 1 })
  await coll.createIndex({ l: 1 })
  await coll.insertMany([
    { g: 2, n: 1, l: [3, 1] },
    { g: 1, n: 2, l: [2] },
    { g: 2, n: 3, l: [9, 0] },
    { g: 1, n: 4, l: [4] },
  ])
  const order = async (filter: object, sort: Record<string, 1 | -1>) =>
    (await coll.find(filter).sort(sort).toArray()).map(({ n }) => n as number)
  t.deepEqual(await order({ g: { $in: [2, 1] } }, { n: 1 }), [1, 2, 3, 4])
  t.deepEqual(await order({ g: { $in: [2, 1] } }, { n: -1 }), [4, 3, 2, 1])
  t.deepEqual(await order({ g: { $gte: 0 } }, { g: 1, n: -1 }), [4, 2, 3, 1])
  t.deepEqual(await order({ g: { $gte: 0 } }, { g: -1, n: -1 }), [3, 1, 4, 2])
  t.deepEqual(await order({ g: 2 }, { g: -1, n: -1 }), [3, 1])
  t.deepEqual(await order({ l: { $gte: 2 } }, { l: 1 }), [3, 1, 2, 4])
})

contractTest('drop takes the documents and the indexes with it', async ({ t, db, coll }) => {
  await coll.createIndex({ k: 1 }, { unique: true }, {})
  await coll.insertOne({ k: 1 })
  t.deepEqual(
    (await db.listCollections({ name: 'things' }).toArray()).map(({ name }) => name),
    ['things'],
  )
  await coll.drop()
  t.deepEqual(await db.listCollections().toArray(), [])
  await coll.insertMany([{ k: 1 }, { k: 1 }])
  t.is(await coll.countDocuments(), 2)
})

contractTest('a TTL index lets documents go when their time has come', async ({ t, coll }) => {
  await coll.createIndex({ at: 1 }, { expireAfterSeconds: 3600 }, {})
  const hour = 3_600_000
  await coll.insertMany([
    { n: 'old', at: new Date(Date.now() - 2 * hour) },
    { n: 'young', at: new Date() },
    { n: 'array', at: [new Date(), new Date(Date.now() - 2 * hour)] },
    { n: 'text', at: 'long ago' },
    { n: 'never' },
  ])
  const isReal = !t.title.startsWith('embedded')
  if (isReal) {
    t.log('a real server sweeps once a minute: not awaited')
    return
  }
  const deadline = Date.now() + 5000
  while ((await coll.countDocuments()) > 3 && Date.now() < deadline) await new Promise((next) => setTimeout(next, 50))
  t.deepEqual(
    (await coll.find().toArray()).map(({ n }) => n as string),
    ['young', 'text', 'never'],
  )
})
