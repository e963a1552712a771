// The store without its socket, with a clock of the test's own: commands go in as messages, replies come out when the
// server would send them. For what a driver cannot show: commits, repeats, trimmed history, a full disk.
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { BSON } from 'mongodb'
import { decode, type Doc, encode } from '../../../src/store/embedded/bson.ts'
import { dispatch } from '../../../src/store/embedded/dispatch.ts'
import { errorReply } from '../../../src/store/embedded/errors.ts'
import { openStore, type Store } from '../../../src/store/embedded/store.ts'
import { sweep } from '../../../src/store/embedded/ttl.ts'
import { temporaryFolder } from './children.ts'

interface Bench {
  store: Store
  now: Date
  readonly ask: (body: Doc, gone?: AbortSignal) => Promise<Doc>
  /** Closes the file and opens it again, as after a restart. */
  readonly reopen: () => void
}

async function bench(t: ExecutionContext, oplogBytes = 1_000_000): Promise<Bench> {
  const file = join(await temporaryFolder(t), 'file')
  const now = () => self.now
  const self: Bench = {
    store: openStore({ file, oplogBytes, now: () => new Date('2026-01-01T00:00:00Z') }),
    now: new Date('2026-01-01T00:00:00Z'),
    ask: (body, gone) => ask(self.store, body, gone),
    reopen: () => {
      self.store.close()
      self.store = openStore({ file, oplogBytes, now })
    },
  }
  self.reopen()
  t.teardown(() => self.store.close())
  return self
}

/** Resolves when the server would put the reply on the wire. */
async function ask(store: Store, body: Doc, gone = new AbortController().signal): Promise<Doc> {
  const message = {
    requestId: 1,
    kind: 'msg',
    isSilent: false,
    body: decode(encode({ ...body, $db: 'db' })),
    sequences: new Map(),
  } as const
  const reply = await dispatch(store, message, { id: 1, address: '/x', gone })
  const { promise, resolve } = Promise.withResolvers<Doc>()
  store.turn.afterCommit((failure) => resolve(failure === undefined ? BSON.deserialize(reply) : errorReply(failure)))
  return promise
}

function batchOf(reply: Doc): Doc[] {
  const cursor = reply['cursor'] as { firstBatch?: Doc[]; nextBatch?: Doc[] }
  return cursor.firstBatch ?? cursor.nextBatch ?? []
}

const insertOne = (doc: Doc): Doc => ({ insert: 'c', documents: [doc] })
const findAll = { find: 'c' }
const changes = { aggregate: 'c', pipeline: [{ $changeStream: {} }] }

test('the writes of one turn share a commit, and none is answered before it', async (t) => {
  const { store, ask } = await bench(t)
  let answered = 0
  const replies = [1, 2, 3].map(async (_id) => {
    await ask(insertOne({ _id }))
    answered++
  })
  await Promise.resolve()
  t.true(store.database.inTransaction)
  t.is(answered, 0)
  await Promise.all(replies)
  t.false(store.database.inTransaction)
  t.is(batchOf(await ask(findAll)).length, 3)
})

test('an event is seen after its commit and not before', async (t) => {
  const { store, ask } = await bench(t)
  const start = store.oplog.last
  const inserting = ask(insertOne({ _id: 1 }))
  await Promise.resolve()
  t.true(store.oplog.last > start)
  t.deepEqual(store.oplog.after(start, 'db', 'c', 10), [])
  await inserting
  t.is(store.oplog.after(start, 'db', 'c', 10).length, 1)
})

test('batches end before a reply grows too large', async (t) => {
  const { ask } = await bench(t)
  const text = 'x'.repeat(7_000_000)
  for (const _id of [1, 2, 3]) await ask(insertOne({ _id, text }))
  const open = await ask(findAll)
  t.is(batchOf(open).length, 2)
  const rest = await ask({ getMore: (open['cursor'] as Doc)['id'], collection: 'c' })
  t.deepEqual(
    batchOf(rest).map(({ _id }) => _id as number),
    [3],
  )
})

test('a repeated write is answered from memory that outlives the server', async (t) => {
  const bench_ = await bench(t)
  const session = { lsid: { id: new BSON.UUID() }, txnNumber: BSON.Long.fromNumber(7) }
  const increment = {
    findAndModify: 'c',
    query: { _id: 1 },
    update: { $inc: { n: 1 } },
    upsert: true,
    new: true,
    ...session,
  }
  const first = await bench_.ask(increment)
  t.like(first, { value: { n: 1 }, ok: 1 })
  t.deepEqual(await bench_.ask(increment), first)
  bench_.reopen()
  t.deepEqual(await bench_.ask(increment), first)
  t.like(await bench_.ask({ ...increment, txnNumber: BSON.Long.fromNumber(6) }), { ok: 0, code: 225 })
  t.like(await bench_.ask({ ...increment, txnNumber: BSON.Long.fromNumber(8) }), { value: { n: 2 } })
  t.like(await bench_.ask({ ...findAll, ...session }), { ok: 0, code: 72 })
})

test('sessions are forgotten when they end, or half an hour after their last write', async (t) => {
  const bench_ = await bench(t)
  const count = () => bench_.store.database.get('SELECT count(*) AS n FROM retries')?.['n']
  const lsids = [1, 2].map(() => ({ id: new BSON.UUID() }))
  for (const lsid of lsids) await bench_.ask({ ...insertOne({}), lsid, txnNumber: BSON.Long.fromNumber(1) })
  t.is(count(), 2)
  await bench_.ask({ endSessions: [lsids[0]] })
  t.is(count(), 1)
  bench_.now = new Date(bench_.now.getTime() + 31 * 60_000)
  sweep(bench_.store)
  t.is(count(), 0)
})

test('a failed command leaves nothing: no document, no collection, no index, no event', async (t) => {
  const { store, ask } = await bench(t)
  const before = store.oplog.last
  const keys = [
    { key: { a: 1 }, name: 'a' },
    { key: { b: 1 }, name: 'a' },
  ]
  t.like(await ask({ createIndexes: 'fresh', indexes: keys }), { ok: 0, code: 86 })
  t.deepEqual(store.catalog.all(), [])
  await ask(insertOne({ _id: 1, k: [1, 2] }))
  await ask({ createIndexes: 'c', indexes: [{ key: { k: 1 }, name: 'k', unique: true }] })
  t.like(
    await ask({
      insert: 'c',
      documents: [
        { _id: 2, k: 5 },
        { _id: 3, k: 2 },
      ],
    }),
    { n: 1 },
  )
  t.like(await ask({ update: 'c', updates: [{ q: {}, u: { $set: { k: 7 } }, multi: true }] }), { n: 0, nModified: 0 })
  t.deepEqual(batchOf(await ask(findAll)), [
    { _id: 1, k: [1, 2] },
    { _id: 2, k: 5 },
  ])
  t.is(store.oplog.after(before, 'db', undefined, 100).length, 2)
})

test('a stream looks past all that does not match, however much it is', async (t) => {
  const { ask } = await bench(t)
  const { postBatchResumeToken: resumeAfter } = (await ask({ ...changes, cursor: {} }))['cursor'] as Doc
  await ask({ insert: 'c', documents: Array.from({ length: 1200 }, (_, n) => ({ n })) })
  const pipeline = [{ $changeStream: { resumeAfter } }, { $match: { 'fullDocument.n': 1199 } }]
  t.like(batchOf(await ask({ aggregate: 'c', pipeline, cursor: {} })), [{ fullDocument: { n: 1199 } }])
})

test('trimmed history is an error that says so, not a gap', async (t) => {
  const { ask, store } = await bench(t, 10_000)
  const open = await ask({ aggregate: 'c', pipeline: [{ $changeStream: {} }], cursor: {} })
  const { id, postBatchResumeToken: token } = open['cursor'] as Doc
  for (let n = 0; n < 30; n++) await ask(insertOne({ n, text: 'x'.repeat(500) }))
  const resume = { aggregate: 'c', pipeline: [{ $changeStream: { resumeAfter: token } }], cursor: {} }
  const lost = { ok: 0, code: 286, codeName: 'ChangeStreamHistoryLost', errorLabels: ['NonResumableChangeStreamError'] }
  t.like(await ask(resume), lost)
  t.like(await ask({ getMore: id, collection: 'c' }), lost)
  const bytes = store.database.get('SELECT sum(length(event)) AS n FROM oplog')?.['n'] as number
  t.true(bytes > 5_000 && bytes < 12_000, `${bytes} bytes kept`)
})

test('a token of another history is refused', async (t) => {
  const bench_ = await bench(t)
  bench_.now = new Date('2030-01-01')
  await bench_.ask(insertOne({}))
  const open = await bench_.ask({ aggregate: 'c', pipeline: [{ $changeStream: {} }], cursor: {} })
  const { postBatchResumeToken: token } = open['cursor'] as Doc
  const other = await bench(t)
  const resume = { aggregate: 'c', pipeline: [{ $changeStream: { resumeAfter: token } }], cursor: {} }
  t.like(await other.ask(resume), { ok: 0, code: 280, errorLabels: ['NonResumableChangeStreamError'] })
})

test('cluster times grow also when the clock goes back and the server restarts', async (t) => {
  const bench_ = await bench(t)
  const times: bigint[] = []
  const open = await bench_.ask({ aggregate: 'c', pipeline: [{ $changeStream: {} }], cursor: {} })
  const { postBatchResumeToken: start } = open['cursor'] as Doc
  for (const year of ['2026', '2025', '2027', '2024']) {
    bench_.now = new Date(`${year}-06-01`)
    await bench_.ask(insertOne({}))
    bench_.reopen()
  }
  const all = await bench_.ask({ aggregate: 'c', pipeline: [{ $changeStream: { resumeAfter: start } }], cursor: {} })
  for (const event of batchOf(all)) times.push((event['clusterTime'] as BSON.Timestamp).toBigInt())
  t.is(times.length, 4)
  t.deepEqual(
    times,
    times.toSorted((a, b) => (a < b ? -1 : 1)),
  )
  const second = batchOf(all)[2]?.['clusterTime']
  const late = await bench_.ask({
    aggregate: 'c',
    pipeline: [{ $changeStream: { startAtOperationTime: second } }],
    cursor: {},
  })
  t.is(batchOf(late).length, 2)
})

test('a waiting getMore ends with an event, with its time, and when it is killed or its client goes', async (t) => {
  const { ask, store } = await bench(t)
  const watch = async () => {
    const open = await ask({ aggregate: 'c', pipeline: [{ $changeStream: {} }], cursor: {} })
    return { getMore: (open['cursor'] as Doc)['id'], collection: 'c', maxTimeMS: 30_000 }
  }
  const [event, killed, left] = [await watch(), await watch(), await watch()]
  const gone = new AbortController()
  const waits = [ask(event), ask(killed), ask(left, gone.signal)]
  t.like(await ask(event), { ok: 0, code: 12051 })
  t.like(await ask({ killCursors: 'c', cursors: [killed.getMore, BSON.Long.fromNumber(1)] }), { ok: 1 })
  t.like(await waits[1], { ok: 0, code: 237 })
  gone.abort()
  t.like(await waits[2], { ok: 0, code: 237 })
  await ask(insertOne({ _id: 5 }))
  t.like(batchOf((await waits[0]) ?? {})[0], { documentKey: { _id: 5 } })
  const empty = await ask({ ...event, maxTimeMS: 1 })
  t.deepEqual(batchOf(empty), [])
  t.not((empty['cursor'] as Doc)['postBatchResumeToken'], undefined)
  t.like(await ask(killed), { ok: 0, code: 43 })
  store.cursors.closeAll()
})

test('a cursor that nobody reads for ten minutes is closed', async (t) => {
  const bench_ = await bench(t)
  await bench_.ask({ insert: 'c', documents: [{}, {}, {}] })
  const open = await bench_.ask({ ...findAll, batchSize: 1 })
  const more = { getMore: (open['cursor'] as Doc)['id'], collection: 'c', batchSize: 1 }
  bench_.now = new Date(bench_.now.getTime() + 9 * 60_000)
  sweep(bench_.store)
  t.is(batchOf(await bench_.ask(more)).length, 1)
  bench_.now = new Date(bench_.now.getTime() + 11 * 60_000)
  sweep(bench_.store)
  t.like(await bench_.ask(more), { ok: 0, code: 43 })
})

test('a collection that is dropped under a cursor ends it with 175', async (t) => {
  const { ask } = await bench(t)
  await ask({ insert: 'c', documents: [{}, {}, {}] })
  const open = await ask({ ...findAll, batchSize: 1 })
  await ask({ drop: 'c' })
  await ask(insertOne({}))
  t.like(await ask({ getMore: (open['cursor'] as Doc)['id'], collection: 'c' }), { ok: 0, code: 175 })
})

test('a full disk refuses the write, keeps what was acknowledged and goes on when there is room', async (t) => {
  const { ask, store } = await bench(t)
  await ask(insertOne({ _id: 'before' }))
  const pages = Number(store.database.get('PRAGMA page_count')?.['page_count'])
  store.database.exec(`PRAGMA max_page_count = ${pages + 20}`)
  const big = (n: number) => insertOne({ _id: n, text: 'x'.repeat(30_000) })
  const replies = await Promise.all([1, 2, 3, 4, 5].map((n) => ask(big(n))))
  const acknowledged = replies.flatMap(({ ok }, at) => (ok === 1 ? [at + 1] : []))
  t.true(acknowledged.length < 5)
  t.true(
    replies.every(({ ok, code }) => ok === 1 || code === 14031 || code === 1),
    JSON.stringify(replies),
  )
  const ids = batchOf(await ask({ ...findAll, projection: { _id: 1 } })).map(({ _id }) => _id)
  t.deepEqual(ids, ['before', ...acknowledged])
  store.database.exec('PRAGMA max_page_count = 1000000')
  t.like(await ask(big(9)), { ok: 1, n: 1 })
})

test('a long list of expired documents goes in portions', async (t) => {
  const bench_ = await bench(t)
  await bench_.ask({ createIndexes: 'c', indexes: [{ key: { at: 1 }, name: 'at', expireAfterSeconds: 10 }] })
  await bench_.ask({ insert: 'c', documents: Array.from({ length: 700 }, () => ({ at: bench_.now })) })
  bench_.now = new Date(bench_.now.getTime() + 9_000)
  t.false(sweep(bench_.store))
  t.is(bench_.store.database.get('SELECT count(*) AS n FROM documents_1')?.['n'], 700)
  bench_.now = new Date(bench_.now.getTime() + 1_000)
  t.true(sweep(bench_.store))
  t.false(sweep(bench_.store))
  t.is(bench_.store.database.get('SELECT count(*) AS n FROM documents_1')?.['n'], 0)
})
