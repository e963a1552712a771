// The contract for reading and writing documents: filters, order, projections, updates and their errors.
import { ObjectId } from 'mongodb'
import { codeOf, contract } from './target.ts'

const contractTest = contract()

contractTest('insert, find, replace, delete', async ({ t, coll }) => {
  const { insertedId } = await coll.insertOne({ name: 'acme', state: 'running' })
  t.true(insertedId instanceof ObjectId)
  t.deepEqual(Object.keys((await coll.findOne({})) ?? {}), ['_id', 'name', 'state'])
  t.deepEqual(await coll.findOne({ name: 'acme' }), { _id: insertedId, name: 'acme', state: 'running' })
  const replaced = await coll.replaceOne({ _id: insertedId }, { name: 'beta' })
  t.is(replaced.modifiedCount, 1)
  t.deepEqual(await coll.findOne({}), { _id: insertedId, name: 'beta' })
  t.is((await coll.replaceOne({ _id: insertedId }, { name: 'beta' })).modifiedCount, 0)
  t.deepEqual(Object.keys((await coll.findOne({})) ?? {}), ['_id', 'name'])
  t.is((await coll.deleteOne({ name: 'beta' })).deletedCount, 1)
  t.is(await coll.findOne({}), null)
})

contractTest('insertMany stops at the first error, or not when unordered', async ({ t, db }) => {
  const docs = [{ _id: 1 }, { _id: 1 }, { _id: 2 }].map((doc) => doc as object)
  const [ordered, unordered] = [db.collection('ordered'), db.collection('unordered')]
  t.is(await codeOf(ordered.insertMany(docs)), 11000)
  t.is(await ordered.countDocuments(), 1)
  t.is(await codeOf(unordered.insertMany(docs, { ordered: false })), 11000)
  t.is(await unordered.countDocuments(), 2)
})

contractTest('filters', async ({ t, coll }) => {
  await coll.insertMany([
    {
      n: 1,
      a: 5,
      tags: ['x', 'y'],
      sub: { k: 1 },
      items: [
        { s: 'a', q: 5 },
        { s: 'b', q: 1 },
      ],
    },
    { n: 2, a: '5', tags: [], sub: { k: 2, l: 1 }, items: [{ s: 'a', q: 1 }] },
    { n: 3, a: null, tags: 'x', sub: null },
    { n: 4, tags: [['x']], items: [] },
  ])
  const found = async (filter: object) => (await coll.find(filter).sort({ n: 1 }).toArray()).map(({ n }) => n as number)
  const cases: [object, number[]][] = [
    [{ a: 5 }, [1]],
    [{ a: { $gte: 0 } }, [1]],
    [{ a: { $lte: '9' } }, [2]],
    [{ a: null }, [3, 4]],
    [{ a: { $exists: false } }, [4]],
    [{ a: { $exists: true } }, [1, 2, 3]],
    [{ a: { $ne: 5 } }, [2, 3, 4]],
    [{ a: { $in: [5, null] } }, [1, 3, 4]],
    [{ a: { $nin: [5, null] } }, [2]],
    [{ a: { $not: { $gte: 0 } } }, [2, 3, 4]],
    [{ a: { $type: 'string' } }, [2]],
    [{ tags: 'x' }, [1, 3]],
    [{ tags: ['x', 'y'] }, [1]],
    [{ tags: ['x'] }, [4]],
    [{ tags: { $size: 0 } }, [2]],
    [{ tags: { $all: ['y', 'x'] } }, [1]],
    [{ tags: { $all: [] } }, []],
    [{ 'tags.1': 'y' }, [1]],
    [{ sub: { k: 1 } }, [1]],
    [{ sub: { k: 2 } }, []],
    [{ 'sub.k': { $gt: 0 } }, [1, 2]],
    [{ 'sub.k': null }, [3, 4]],
    [{ 'items.s': 'a', 'items.q': 1 }, [1, 2]],
    [{ items: { $elemMatch: { s: 'a', q: 1 } } }, [2]],
    [{ 'items.q': { $elemMatch: { $gt: 1 } } }, []],
    [{ $or: [{ n: 1 }, { a: '5' }] }, [1, 2]],
    [{ $nor: [{ n: 1 }, { a: '5' }] }, [3, 4]],
    [{ $and: [{ n: { $gt: 1 } }, { n: { $lt: 4 } }] }, [2, 3]],
    [{ 'items.s': null }, [3]],
  ]
  for (const [filter, expected] of cases) t.deepEqual(await found(filter), expected, JSON.stringify(filter))
})

contractTest('sort, skip and limit', async ({ t, coll }) => {
  await coll.insertMany([3, 1, 2, 5, 4].map((n) => ({ n, odd: n % 2 === 1 })))
  const order = async (cursor: ReturnType<typeof coll.find>) => (await cursor.toArray()).map(({ n }) => n as number)
  t.deepEqual(await order(coll.find().sort({ n: -1 })), [5, 4, 3, 2, 1])
  t.deepEqual(await order(coll.find().sort({ odd: 1, n: -1 })), [4, 2, 5, 3, 1])
  t.deepEqual(await order(coll.find().sort({ n: 1 }).skip(1).limit(2)), [2, 3])
  await coll.createIndex({ odd: 1, n: 1 })
  t.deepEqual(await order(coll.find({ odd: true }).sort({ n: -1 }).limit(2)), [5, 3])
})

contractTest('projections keep or leave out fields, also inside arrays', async ({ t, coll }) => {
  await coll.insertOne({ _id: 'one' as never, a: 1, b: { c: 2, d: 3 }, list: [{ x: 1, y: 2 }, 7] })
  const shown = (projection: object) => coll.findOne({}, { projection })
  t.deepEqual(await shown({ a: 1 }), { _id: 'one', a: 1 } as never)
  t.deepEqual(await shown({ a: 1, _id: 0 }), { a: 1 } as never)
  t.deepEqual(await shown({ 'b.c': 1, _id: 0 }), { b: { c: 2 } } as never)
  t.deepEqual(await shown({ b: { c: 1 }, 'list.x': 1, _id: 0 }), { b: { c: 2 }, list: [{ x: 1 }] } as never)
  t.deepEqual(await shown({ b: 0, list: 0 }), { _id: 'one', a: 1 } as never)
  t.deepEqual(await shown({ 'list.x': 0, b: 0, a: 0, _id: 0 }), { list: [{ y: 2 }, 7] } as never)
  t.is(await codeOf(shown({ a: 1, b: 0 })), 31254)
  t.is(await codeOf(shown({ a: 0, b: 1 })), 31253)
})

contractTest('update operators', async ({ t, coll }) => {
  const after = async (start: object, update: object) => {
    await coll.deleteMany({})
    await coll.insertOne({ _id: 1 as never, ...start })
    await coll.updateOne({}, update)
    const { _id, ...rest } = (await coll.findOne({})) ?? { _id: undefined }
    t.like({ _id }, { _id: 1 })
    return rest as unknown
  }
  t.deepEqual(await after({ a: 1 }, { $set: { 'b.c': 2 } }), { a: 1, b: { c: 2 } })
  t.deepEqual(await after({ a: 1, b: 2 }, { $unset: { a: '' } }), { b: 2 })
  t.deepEqual(await after({ l: [1, 2] }, { $set: { 'l.3': 9 } }), { l: [1, 2, null, 9] })
  t.deepEqual(await after({ l: [1, 2] }, { $unset: { 'l.0': '' } }), { l: [null, 2] })
  t.deepEqual(await after({ a: 1 }, { $inc: { a: 2, b: 3 } }), { a: 3, b: 3 })
  t.deepEqual(await after({ a: 5, b: 5 }, { $min: { a: 3 }, $max: { b: 3, c: 1 } }), { a: 3, b: 5, c: 1 })
  t.deepEqual(await after({ l: [3] }, { $push: { l: 1 } }), { l: [3, 1] })
  t.deepEqual(await after({ l: [3] }, { $push: { l: { $each: [1, 2], $sort: 1, $slice: -2 } } }), { l: [2, 3] })
  t.deepEqual(await after({ l: [{ k: 2 }] }, { $push: { l: { $each: [{ k: 1 }], $sort: { k: 1 } } } }), {
    l: [{ k: 1 }, { k: 2 }],
  })
  t.deepEqual(await after({ l: [1, 2, 1] }, { $pull: { l: 1 } }), { l: [2] })
  t.deepEqual(await after({ l: [1, 2, 3] }, { $pull: { l: { $gte: 2 } } }), { l: [1] })
  t.deepEqual(await after({ l: [{ k: 1, m: 1 }, { k: 2 }] }, { $pull: { l: { k: 1 } } }), { l: [{ k: 2 }] })
  t.deepEqual(await after({ l: [1] }, { $addToSet: { l: { $each: [1, 2, 2] } } }), { l: [1, 2] })
  t.deepEqual(Object.keys((await after({ b: 1 }, { $set: { z: 1, y: 1, x: 1 } })) as object), ['b', 'x', 'y', 'z'])
  const dated = (await after({}, { $currentDate: { at: true } })) as { at: Date }
  t.true(Math.abs(dated.at.getTime() - Date.now()) < 60_000)
})

contractTest('updates that cannot be are refused with their code and change nothing', async ({ t, coll }) => {
  const start = { _id: 1 as never, a: 'text', n: null, l: [1] }
  await coll.insertOne(start)
  const cases: [object, number][] = [
    [{ $inc: { a: 1 } }, 14],
    [{ $inc: { n: 1 } }, 14],
    [{ $inc: { b: 'x' } }, 14],
    [{ $set: { 'a.b': 1 } }, 28],
    [{ $set: { 'l.x': 1 } }, 28],
    [{ $set: { a: 1 }, $unset: { a: '' } }, 40],
    [{ $set: { b: 1, 'b.c': 1 } }, 40],
    [{ $set: { 'b.c': 1, b: 1 } }, 40],
    [{ $set: { _id: 2 } }, 66],
    [{ $push: { a: 1 } }, 2],
    [{ $addToSet: { a: 1 } }, 2],
    [{ $pull: { a: 1 } }, 2],
    [{ $set: { 'a..b': 1 } }, 56],
    [{ $unknown: { a: 1 } }, 9],
  ]
  for (const [update, code] of cases) {
    t.is(await codeOf(coll.updateOne({}, update)), code, JSON.stringify(update))
    t.deepEqual(await coll.findOne({}), start)
  }
  t.is(await codeOf(coll.replaceOne({}, { _id: 2 as never })), 66)
})

contractTest('upserts take what the filter fixes', async ({ t, coll }) => {
  const first = await coll.updateOne(
    { _id: 'x' as never, 'a.b': 1, n: { $gt: 1 } },
    { $set: { c: 2 }, $setOnInsert: { d: 3 } },
    { upsert: true },
  )
  t.is(first.upsertedCount, 1)
  t.like(first, { upsertedId: 'x' })
  t.deepEqual(await coll.findOne({}), { _id: 'x', a: { b: 1 }, c: 2, d: 3 } as never)
  const second = await coll.updateOne(
    { _id: 'x' as never },
    { $set: { c: 5 }, $setOnInsert: { d: 9 } },
    { upsert: true },
  )
  t.is(second.upsertedCount, 0)
  t.deepEqual(await coll.findOne({}), { _id: 'x', a: { b: 1 }, c: 5, d: 3 } as never)
  t.deepEqual(Object.keys((await coll.findOne({})) ?? {}), ['_id', 'a', 'c', 'd'])
  await coll.replaceOne({ name: 'new' }, { only: 1 }, { upsert: true })
  t.is(await coll.countDocuments({ name: 'new' }), 0)
  t.is(await coll.countDocuments({ only: 1 }), 1)
})

contractTest('updateMany, bulkWrite and what they count', async ({ t, coll }) => {
  await coll.insertMany([{ g: 1 }, { g: 1 }, { g: 2 }])
  const many = await coll.updateMany({ g: 1 }, { $set: { g: 1, seen: true } })
  t.deepEqual([many.matchedCount, many.modifiedCount], [2, 2])
  const again = await coll.updateMany({ g: 1 }, { $set: { seen: true } })
  t.deepEqual([again.matchedCount, again.modifiedCount], [2, 0])
  const bulk = await coll.bulkWrite([
    { insertOne: { document: { g: 3 } } },
    { updateOne: { filter: { g: 4 }, update: { $set: { h: 1 } }, upsert: true } },
    { deleteMany: { filter: { g: 1 } } },
  ])
  t.deepEqual([bulk.insertedCount, bulk.upsertedCount, bulk.deletedCount], [1, 1, 2])
  t.is(await coll.countDocuments(), 3)
})

contractTest('counting and grouping', async ({ t, coll }) => {
  await coll.insertMany([{ s: 'up', n: 1 }, { s: 'up', n: 4 }, { s: 'down', n: 2 }, { n: 8 }])
  t.is(await coll.countDocuments({ s: 'up' }), 2)
  t.is(await coll.countDocuments({}, { skip: 1, limit: 2 }), 2)
  const groups = await coll
    .aggregate([
      { $group: { _id: '$s', count: { $sum: 1 }, sum: { $sum: '$n' }, least: { $min: '$n' }, most: { $max: '$n' } } },
      { $sort: { sum: 1 } },
    ])
    .toArray()
  t.deepEqual(groups, [
    { _id: 'down', count: 1, sum: 2, least: 2, most: 2 },
    { _id: 'up', count: 2, sum: 5, least: 1, most: 4 },
    { _id: null, count: 1, sum: 8, least: 8, most: 8 },
  ])
  const ends = [
    { $sort: { n: 1 } },
    { $group: { _id: null, first: { $first: '$n' }, last: { $last: '$n' }, states: { $sum: 0 } } },
  ]
  t.deepEqual(await coll.aggregate(ends).toArray(), [{ _id: null, first: 1, last: 8, states: 0 }])
  const second = await coll
    .aggregate([{ $sort: { n: -1 } }, { $skip: 1 }, { $limit: 1 }, { $project: { _id: 0 } }])
    .toArray()
  t.deepEqual(second, [{ s: 'up', n: 4 }])
  const third = await coll.aggregate([{ $sort: { n: 1 } }, { $skip: 2 }, { $limit: 1 }]).toArray()
  t.like(third, [{ s: 'up', n: 4 }])
  const counted = await coll.aggregate([{ $match: { n: { $gte: 2 } } }, { $count: 'total' }]).toArray()
  t.deepEqual(counted, [{ total: 3 }])
})
