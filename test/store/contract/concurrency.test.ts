// The contract for what many callers do at once, and for a network that loses replies: one winner, nothing done twice.
import { Long, MongoClient } from 'mongodb'
import { contract } from './target.ts'
import { startLossyProxy } from './lossy-proxy.ts'

const contractTest = contract()

contractTest('of 20 contenders for one compare-and-set, one wins', async ({ t, coll }) => {
  await coll.insertOne({ name: 'lease', revision: 1, holder: null })
  const contenders = Array.from({ length: 20 }, (_, at) =>
    coll.findOneAndUpdate(
      { name: 'lease', revision: 1 },
      { $set: { holder: at }, $inc: { revision: 1 } },
      { returnDocument: 'after' },
    ),
  )
  const winners = (await Promise.all(contenders)).filter((doc) => doc !== null)
  t.is(winners.length, 1)
  t.deepEqual(await coll.findOne({}), winners[0])
})

contractTest('20 workers claim 20 tasks, each another, in order', async ({ t, coll }) => {
  await coll.createIndex({ state: 1, at: 1 })
  await coll.insertMany(Array.from({ length: 25 }, (_, at) => ({ at: 24 - at, state: 'ready' })))
  const claims = await Promise.all(
    Array.from({ length: 20 }, (_, worker) =>
      coll.findOneAndUpdate({ state: 'ready' }, { $set: { state: 'taken', worker } }, { sort: { at: 1 } }),
    ),
  )
  const taken = claims.map((doc) => doc?.['at'] as number).toSorted((a, b) => a - b)
  t.deepEqual(
    taken,
    Array.from({ length: 20 }, (_, at) => at),
  )
  t.is(await coll.countDocuments({ state: 'ready' }), 5)
})

contractTest('findAndModify answers the document before or after, upserts and removes', async ({ t, coll }) => {
  const none = await coll.findOneAndUpdate({ k: 1 }, { $set: { v: 1 } })
  t.is(none, null)
  const made = await coll.findOneAndUpdate({ k: 1 }, { $set: { v: 1 } }, { upsert: true, returnDocument: 'after' })
  t.like(made, { k: 1, v: 1 })
  const before = await coll.findOneAndUpdate({ k: 1 }, { $set: { v: 2 } }, { projection: { v: 1, _id: 0 } })
  t.deepEqual(before as object, { v: 1 })
  const replaced = await coll.findOneAndReplace({ k: 1 }, { k: 9 }, { returnDocument: 'after' })
  t.like(replaced, { k: 9 })
  const raw = await coll.findOneAndDelete({ k: 9 }, { includeResultMetadata: true })
  t.like(raw.value, { k: 9 })
  t.is(await coll.countDocuments(), 0)
})

contractTest('a cursor over 1,000 documents gives each once, in batches', async ({ t, coll }) => {
  await coll.insertMany(Array.from({ length: 1050 }, (_, n) => ({ n, text: 'x'.repeat(200) })))
  const unsorted = await coll
    .find({ n: { $gte: 25 } })
    .batchSize(100)
    .toArray()
  t.is(new Set(unsorted.map(({ n }) => n as number)).size, 1025)
  const sorted = await coll.find().sort({ n: -1 }).batchSize(64).toArray()
  t.deepEqual(
    sorted.map(({ n }) => n as number),
    Array.from({ length: 1050 }, (_, at) => 1049 - at),
  )
  await coll.createIndex({ n: 1 })
  const indexed = coll
    .find({ n: { $lt: 500 } })
    .sort({ n: 1 })
    .batchSize(50)
  const seen: number[] = []
  for await (const { n } of indexed) {
    seen.push(n as number)
    // Behind the cursor and before it: neither may repeat or hide a document.
    if (n === 120) await coll.deleteMany({ n: { $in: [10, 400] } })
  }
  t.deepEqual(
    seen,
    Array.from({ length: 500 }, (_, at) => at).filter((n) => n !== 400),
  )
})

contractTest('a write whose reply is lost is retried by the driver and done once', async ({ t, db, uri }) => {
  const proxy = await startLossyProxy(uri)
  const client = new MongoClient(proxy.uri)
  t.teardown(async () => {
    await client.close()
    await proxy.close()
  })
  const coll = client.db(db.databaseName).collection('counters')
  await coll.insertOne({ name: 'c', n: Long.fromNumber(0) })
  const writes: [string, () => Promise<unknown>][] = [
    ['update', () => coll.updateOne({ name: 'c' }, { $inc: { n: 1 } })],
    ['findAndModify', () => coll.findOneAndUpdate({ name: 'c' }, { $inc: { n: 1 } })],
    ['insert', () => coll.insertMany([{ item: 1 }, { item: 2 }])],
    ['delete', () => coll.deleteOne({ item: { $exists: true } })],
  ]
  for (const [command, write] of writes) {
    proxy.loseNextReplyTo(command)
    await write()
  }
  t.is(proxy.lost(), writes.length)
  t.like(await coll.findOne({ name: 'c' }), { n: 2 })
  t.is(await coll.countDocuments({ item: { $exists: true } }), 1)
})
