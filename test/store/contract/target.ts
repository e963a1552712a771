// One suite, every server that we claim to work with: the embedded one always, and a real MongoDB when MONGODB_URI names
// one. Each test gets a database of its own and talks through the official driver only.
import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { type Collection, type Db, MongoClient } from 'mongodb'
import { startTestMongo } from '../../helpers/mongo.ts'

export interface Scene {
  readonly t: ExecutionContext
  readonly db: Db
  readonly uri: string
  /** The collection that most tests need. */
  readonly coll: Collection
}

type Contract = (title: string, body: (scene: Scene) => Promise<void>) => void

/** Call once per test file: starts what the file's tests run against, and answers how to write one. */
export function contract(): Contract {
  const embedded = startTestMongo({ sweepMs: 200 })
  test.after.always(async () => (await embedded).close())
  const real = process.env['MONGODB_URI']
  const targets: [string, () => Promise<string>][] = [['embedded', async () => (await embedded).uri]]
  if (real !== undefined) targets.push(['MONGODB_URI', async () => real])
  return (title, body) => {
    for (const [target, uriOf] of targets) {
      test(`${target}: ${title}`, async (t) => inDatabase(await uriOf(), t, body))
    }
  }
}

async function inDatabase(uri: string, t: ExecutionContext, body: (scene: Scene) => Promise<void>): Promise<void> {
  const client = new MongoClient(uri)
  const db = client.db(`moorage-test-${randomBytes(6).toString('hex')}`)
  try {
    await body({ t, db, uri, coll: db.collection('things') })
  } finally {
    const left = await db.listCollections({}, { nameOnly: true }).toArray()
    await Promise.all(left.map(({ name }) => db.collection(name).drop()))
    await client.close()
  }
}

/** The code of the MongoDB error that an action must end with. */
export async function codeOf(action: Promise<unknown>): Promise<unknown> {
  try {
    await action
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
  return 'no error'
}
