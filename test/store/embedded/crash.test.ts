// kill -9 again and again while writers write and a watcher watches: what was acknowledged is there, and every change is
// seen once, in order, without the watcher noticing more than a pause.
import test, { type ExecutionContext } from 'ava'
import { type Collection, MongoClient } from 'mongodb'
import { join } from 'node:path'
import { startChild, temporaryFolder, until } from './children.ts'

const rounds = 4
const writers = 4

interface Tally {
  readonly acknowledged: Set<string>
  increments: number
  failures: number
  isDone: boolean
}

test('nothing acknowledged is lost, nothing is seen twice', async (t) => {
  const folder = join(await temporaryFolder(t), 'db')
  let child = await startChild(folder)
  t.teardown(() => child.kill())
  const client = new MongoClient(child.said.uri ?? '')
  t.teardown(() => client.close())
  const coll = client.db().collection('log')
  await coll.insertOne({ key: 'counter', n: 0 })
  const watcher = await watch(t, coll)
  const { seen } = watcher

  const tally: Tally = { acknowledged: new Set(), increments: 0, failures: 0, isDone: false }
  const work = Array.from({ length: writers }, (_, writer) => write(coll, writer, tally))
  for (let round = 0; round < rounds; round++) {
    const before = tally.acknowledged.size
    await until(t, 'writers write', () => tally.acknowledged.size >= before + 100)
    await child.kill()
    child = await startChild(folder)
  }
  tally.isDone = true
  await Promise.all(work)
  await coll.insertOne({ key: 'last' })
  await until(t, 'the watcher sees the last change', () => seen.at(-1) === 'last')
  await watcher.close()

  const stored = (
    await coll
      .find({ key: { $ne: 'counter' } })
      .sort({ _id: 1 })
      .toArray()
  ).map(({ key }) => key as string)
  const there = new Set(stored)
  t.deepEqual(
    [...tally.acknowledged].filter((key) => !there.has(key)),
    [],
    'what was acknowledged is there',
  )
  t.is(new Set(seen).size, seen.length, 'no change is seen twice')
  t.deepEqual(seen.toSorted(), stored.toSorted(), 'every change is seen')
  for (let writer = 0; writer < writers; writer++)
    t.deepEqual(ofWriter(seen, writer), ofWriter(seen, writer).toSorted(byNumber))
  const counter = (await coll.findOne({ key: 'counter' }))?.['n'] as number
  t.true(
    counter >= tally.increments && counter <= tally.increments + tally.failures,
    `${counter} of ${tally.increments}`,
  )
  t.log(
    `${tally.acknowledged.size} inserts and ${tally.increments} increments acknowledged, ${tally.failures} calls failed`,
  )
})

interface Watcher {
  readonly seen: string[]
  close(): Promise<void>
}

/** Collects the keys of inserted documents; a driver that cannot resume fails the test. */
async function watch(t: ExecutionContext, coll: Collection): Promise<Watcher> {
  const seen: string[] = []
  const stream = coll.watch([{ $match: { operationType: 'insert' } }], { maxAwaitTimeMS: 500 })
  await stream.tryNext()
  const collect = async () => {
    for await (const event of stream)
      if (event.operationType === 'insert') seen.push(event.fullDocument['key'] as string)
  }
  const collecting = collect().catch((error: unknown) => {
    if (!stream.closed) t.fail(`the stream broke: ${String(error)}`)
  })
  return {
    seen,
    close: async () => {
      await stream.close()
      await collecting
    },
  }
}

/** Inserts and increments until told to stop. A failed call may or may not have had its effect; no other may. */
async function write(coll: Collection, writer: number, tally: Tally): Promise<void> {
  for (let n = 0; !tally.isDone; n++) {
    const key = `${writer}-${n}`
    try {
      await coll.insertOne({ key })
      tally.acknowledged.add(key)
      await coll.updateOne({ key: 'counter' }, { $inc: { n: 1 } })
      tally.increments++
    } catch (error) {
      if (!(error instanceof Error)) throw error
      tally.failures++
    }
  }
}

function ofWriter(keys: readonly string[], writer: number): string[] {
  return keys.filter((key) => key.startsWith(`${writer}-`))
}

function byNumber(a: string, b: string): number {
  return Number(a.split('-')[1]) - Number(b.split('-')[1])
}
