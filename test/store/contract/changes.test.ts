// The contract for change streams: every change once, in order, with tokens to resume from.
import type { ChangeStream, ChangeStreamDocument, Collection, Document } from 'mongodb'
import { codeOf, contract } from './target.ts'

const contractTest = contract()

/** Opens the stream on the server: it is lazy, and what happens before its first read is not its concern. */
async function opened<Change extends Document>(
  stream: ChangeStream<Document, Change>,
): Promise<ChangeStream<Document, Change>> {
  await stream.tryNext()
  return stream
}

async function take(stream: ChangeStream, count: number): Promise<ChangeStreamDocument[]> {
  const events: ChangeStreamDocument[] = []
  while (events.length < count) events.push(await stream.next())
  return events
}

/** What tests compare of an event. */
function brief(event: ChangeStreamDocument): Document {
  const { operationType, documentKey, fullDocument, updateDescription } = event as Document
  const description = updateDescription as Document | undefined
  return {
    op: operationType as string,
    ...(documentKey === undefined ? {} : { key: (documentKey as Document)['_id'] as unknown }),
    ...(fullDocument === undefined ? {} : { full: fullDocument as unknown }),
    ...(description === undefined
      ? {}
      : { set: description['updatedFields'] as unknown, unset: description['removedFields'] as unknown }),
  }
}

const watchOptions = { maxAwaitTimeMS: 200 }

contractTest('all kinds of change, in order', async ({ t, db, coll }) => {
  await coll.insertOne({ _id: 0 as never })
  const stream = await opened(coll.watch([], watchOptions))
  await coll.insertOne({ _id: 1 as never, a: 1, b: { c: 1, d: 2 }, l: [1] })
  await coll.updateOne(
    { _id: 1 as never },
    { $set: { a: 2, 'b.c': 5 }, $unset: { 'b.d': '' }, $push: { l: 2 as never } },
  )
  await coll.updateOne({ _id: 1 as never }, { $set: { a: 2 } })
  await coll.replaceOne({ _id: 1 as never }, { z: 1 })
  await coll.replaceOne({ _id: 1 as never }, { z: 1 })
  await coll.findOneAndUpdate({ _id: 2 as never }, { $set: { up: 1 } }, { upsert: true })
  await db.collection('elsewhere').insertOne({ noise: 1 })
  await coll.deleteOne({ _id: 1 as never })
  await coll.drop()
  const events = await take(stream, 7)
  t.deepEqual(events.map(brief), [
    { op: 'insert', key: 1, full: { _id: 1, a: 1, b: { c: 1, d: 2 }, l: [1] } },
    { op: 'update', key: 1, set: { a: 2, 'b.c': 5, 'l.1': 2 }, unset: ['b.d'] },
    { op: 'replace', key: 1, full: { _id: 1, z: 1 } },
    { op: 'insert', key: 2, full: { _id: 2, up: 1 } },
    { op: 'delete', key: 1 },
    { op: 'drop' },
    { op: 'invalidate' },
  ])
  t.deepEqual((events[0] as Document)['ns'], { db: db.databaseName, coll: 'things' })
  const times = events.map((event) => (event as Document)['clusterTime'] as { toBigInt(): bigint })
  t.true(times.every((time, at) => at === 0 || time.toBigInt() >= (times[at - 1]?.toBigInt() ?? 0n)))
  await stream.close()
})

contractTest('resumeAfter gives what came after, again and from another stream', async ({ t, coll }) => {
  const first = await opened(coll.watch([], watchOptions))
  await insertNumbers(coll, 0, 10)
  const events = await take(first, 4)
  await first.close()
  await insertNumbers(coll, 10, 12)
  const token = events.at(-1)?._id
  for (const start of [{ resumeAfter: token }, { startAfter: token }]) {
    const second = coll.watch([], { ...watchOptions, ...start, batchSize: 3 })
    const rest = await take(second, 8)
    t.deepEqual(
      rest.map((event) => brief(event)['key'] as number),
      [4, 5, 6, 7, 8, 9, 10, 11],
    )
    await second.close()
  }
})

contractTest('the token of an idle stream moves on and resumes', async ({ t, db, coll }) => {
  const stream = await opened(coll.watch([], watchOptions))
  const before = stream.resumeToken
  await insertNumbers(db.collection('elsewhere'), 0, 3)
  await stream.tryNext()
  const after = stream.resumeToken
  t.notDeepEqual(after, before)
  await stream.close()
  await insertNumbers(coll, 7, 8)
  const resumed = coll.watch([], { ...watchOptions, resumeAfter: after })
  t.is(brief(await resumed.next())['key'], 7)
  await resumed.close()
})

contractTest('updateLookup shows the document as it is now', async ({ t, coll }) => {
  await insertNumbers(coll, 1, 3)
  const stream = await opened(coll.watch([], { ...watchOptions, fullDocument: 'updateLookup' }))
  await coll.updateOne({ _id: 1 as never }, { $set: { a: 1 } })
  await coll.updateOne({ _id: 1 as never }, { $set: { a: 2 } })
  await coll.updateOne({ _id: 2 as never }, { $set: { a: 1 } })
  await coll.deleteOne({ _id: 2 as never })
  const events = (await take(stream, 4)).map((event) => (event as Document)['fullDocument'] as unknown)
  t.deepEqual(events.slice(1), [{ _id: 1, a: 2 }, null, undefined])
  await stream.close()
})

contractTest('$match leaves events out, and a database can be watched', async ({ t, db, coll }) => {
  const pipeline = [{ $match: { operationType: { $in: ['insert', 'delete'] }, 'ns.coll': { $ne: 'noise' } } }]
  const stream = await opened(db.watch(pipeline, watchOptions))
  await coll.insertOne({ _id: 1 as never })
  await coll.updateOne({ _id: 1 as never }, { $set: { a: 1 } })
  await db.collection('noise').insertOne({})
  await db.collection('other').insertOne({ _id: 2 as never })
  const events = await take(stream, 2)
  t.deepEqual(
    events.map((event) => brief(event)['key'] as number),
    [1, 2],
  )
  await stream.close()
})

contractTest('a stream does not resume after an invalidate, but may start after it', async ({ t, coll }) => {
  await coll.insertOne({ _id: 0 as never })
  const stream = await opened(coll.watch([], watchOptions))
  await coll.drop()
  const [, invalidate] = await take(stream, 2)
  t.is(invalidate?.operationType, 'invalidate')
  await stream.close()
  await coll.insertOne({ _id: 5 as never })
  const token = invalidate?._id
  t.is(await codeOf(coll.watch([], { ...watchOptions, resumeAfter: token }).next()), 260)
  const next = coll.watch([], { ...watchOptions, startAfter: token })
  t.is(brief(await next.next())['key'], 5)
  await next.close()
})

async function insertNumbers(coll: Collection, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await coll.insertOne({ _id: n as never })
}
