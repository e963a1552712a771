// Start, stop, and who may hold a folder: what a process and its operator see of the embedded server.
import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { MongoClient } from 'mongodb'
import { startEmbedded, supervise } from '../../../src/store/embedded/server.ts'
import { startChild, temporaryFolder } from './children.ts'

test('the folder is private, and so is one that was not', async (t) => {
  const folder = join(await temporaryFolder(t), 'db')
  await mkdir(folder)
  await chmod(folder, 0o755)
  const server = await startEmbedded({ folder })
  t.is((await stat(folder)).mode & 0o777, 0o700)
  t.true((await stat(join(folder, 'mongo.sock'))).isSocket())
  t.regex(server.uri, /^mongodb:\/\/%2F.*mongo\.sock\/moorage\?/)
  await server.close()
  t.false(existsSync(join(folder, 'mongo.sock')))
})

test('documents, indexes and the history survive a restart', async (t) => {
  const folder = join(await temporaryFolder(t), 'db')
  const first = await startEmbedded({ folder })
  const before = new MongoClient(first.uri)
  const stream = before.db().collection('a').watch()
  await stream.tryNext()
  await before.db().collection('a').createIndex({ k: 1 }, { unique: true }, {})
  await before.db().collection<{ _id: number; k: number }>('a').insertOne({ _id: 1, k: 1 })
  const token = (await stream.next())._id
  await before.db().collection<{ _id: number; k: number }>('a').insertOne({ _id: 2, k: 2 })
  await before.close()
  await first.close()

  const second = await startEmbedded({ folder })
  t.teardown(() => second.close())
  const after = new MongoClient(second.uri)
  t.teardown(() => after.close())
  t.is(second.uri, first.uri)
  t.is(await after.db().collection('a').countDocuments(), 2)
  await t.throwsAsync(after.db().collection('a').insertOne({ k: 2 }), { code: 11000 })
  const resumed = after.db().collection('a').watch([], { resumeAfter: token })
  t.like(await resumed.next(), { operationType: 'insert', documentKey: { _id: 2 } })
  await resumed.close()
})

test('a second process is refused and told who holds the folder', async (t) => {
  const folder = join(await temporaryFolder(t), 'db')
  const holder = await startChild(folder)
  t.teardown(() => holder.kill())
  const second = await startChild(folder)
  t.true(second.said.refused?.includes(`in use by process ${holder.pid}`), second.said.refused)
  await t.throwsAsync(startEmbedded({ folder }), { message: new RegExp(`in use by process ${holder.pid}`) })
  const client = new MongoClient(holder.said.uri ?? '')
  t.teardown(() => client.close())
  t.like(await client.db().command({ ping: 1 }), { ok: 1 })
})

test('the same process is refused too, and a killed one leaves the folder free', async (t) => {
  const folder = join(await temporaryFolder(t), 'db')
  const killed = await startChild(folder)
  await killed.kill()
  const server = await startEmbedded({ folder })
  t.teardown(() => server.close())
  await t.throwsAsync(startEmbedded({ folder }), { message: new RegExp(`in use by process ${process.pid}`) })
})

test('a path too long for a socket puts it in a private folder elsewhere', async (t) => {
  const folder = join(await temporaryFolder(t), 'x'.repeat(90), 'db')
  const server = await startEmbedded({ folder })
  const socket = decodeURIComponent(/mongodb:\/\/([^/]+)\//.exec(server.uri)?.[1] ?? '')
  t.false(socket.startsWith(folder))
  t.is((await stat(join(socket, '..'))).mode & 0o777, 0o700)
  const client = new MongoClient(server.uri)
  t.like(await client.db().command({ ping: 1 }), { ok: 1 })
  await client.close()
  await server.close()
  t.false(existsSync(join(socket, '..')))
})

test('a folder that is a link or a file is refused', async (t) => {
  const home = await temporaryFolder(t)
  await symlink(home, join(home, 'link'))
  await writeFile(join(home, 'file'), '')
  await t.throwsAsync(startEmbedded({ folder: join(home, 'link') }), { message: /is not a folder/ })
  await t.throwsAsync(startEmbedded({ folder: join(home, 'file') }), { message: /EEXIST|is not a folder/ })
})

test('a file that is no database of ours is refused and left alone', async (t) => {
  const folder = join(await temporaryFolder(t), 'db')
  await mkdir(folder)
  await writeFile(
    join(folder, 'moorage.sqlite'),
    'something else entirely, and longer than one hundred bytes'.repeat(5),
  )
  await t.throwsAsync(startEmbedded({ folder }), { message: /not a database/ })
})

test('close ends connections and waiting streams, and can be called twice', async (t) => {
  const server = await startEmbedded({ folder: join(await temporaryFolder(t), 'db') })
  const client = new MongoClient(server.uri, { serverSelectionTimeoutMS: 10_000, monitorCommands: true })
  const isWaiting = Promise.withResolvers<undefined>()
  client.on('commandStarted', ({ commandName }) => {
    if (commandName === 'getMore') isWaiting.resolve(undefined)
  })
  const stream = client.db().collection('a').watch([], { maxAwaitTimeMS: 60_000 })
  const failing = t.throwsAsync(stream.next())
  await isWaiting.promise
  await Promise.all([server.close(), server.close()])
  // The driver would look for a server for half a minute more.
  await client.close()
  await failing
})

test('bytes that are no message end their connection and no other', async (t) => {
  const server = await startEmbedded({ folder: join(await temporaryFolder(t), 'db') })
  t.teardown(() => server.close())
  const path = decodeURIComponent(/mongodb:\/\/([^/]+)\//.exec(server.uri)?.[1] ?? '')
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    '\x10\0\0\0\x01\0\0\0\0\0\0\0\xff\xff\0\0',
    '\x05\0\0\0xxxxxxxxxxxxxxxxxxxx',
  ]) {
    const socket = connect(path)
    socket.write(bytes, 'latin1')
    await once(socket, 'close')
  }
  const client = new MongoClient(server.uri)
  t.teardown(() => client.close())
  t.like(await client.db().command({ ping: 1 }), { ok: 1 })
})

test('a worker that breaks is a failure that says why', async (t) => {
  const listening =
    "require('node:worker_threads').parentPort.postMessage({ kind: 'listening', socket: '/x/mongo.sock' });"
  const server = await supervise(
    new Worker(`${listening} setTimeout(() => { throw new Error('disk on fire') }, 20)`, { eval: true }),
  )
  const failure = await t.throwsAsync(server.failed, { message: /ended by itself/ })
  t.like(failure.cause, { message: 'disk on fire' })
  await t.throwsAsync(supervise(new Worker('process.exit(3)', { eval: true })), { message: /exit code 3/ })
})
