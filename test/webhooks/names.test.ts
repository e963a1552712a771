// The names that webhooks go to: what they resolve to is looked at in the moment of connecting, each time. The world here is a
// listener on loopback that counts who comes.
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { realClock } from '../../src/clock.ts'
import { httpSender, publicLookup, type Resolve } from '../../src/webhooks/send.ts'

interface Address {
  readonly address: string
  readonly family: number
}

const v4 = (address: string): Address => ({ address, family: 4 })
const v6 = (address: string): Address => ({ address, family: 6 })

/** A resolver that says these in turn, and the last one for ever; an error is a name that is not found. */
function saying(...answers: readonly (readonly Address[] | Error)[]): Resolve {
  let count = 0
  return (_host, _options, done) => {
    const answer = answers[Math.min(count++, answers.length - 1)] ?? []
    setImmediate(() => (answer instanceof Error ? done(answer, []) : done(null, [...answer])))
  }
}

/** Counts the connections that are made to it. */
async function listener(t: ExecutionContext) {
  let came = 0
  const server = createServer((socket) => {
    came += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => void server.close())
  return { port: (server.address() as AddressInfo).port, came: () => came }
}

function sendTo(t: ExecutionContext, resolve: Resolve, url: string) {
  const sender = httpSender({ clock: realClock, allowPrivate: false, resolve })
  t.teardown(() => sender.close())
  return () => sender.send({ url, headers: {}, body: '{}' })
}

const inside = 'the name leads into a private network'

test('a name that leads inside is not connected to, also when only one of its addresses does', async (t) => {
  const { port, came } = await listener(t)
  const [home, mapped, fly, open] = [v4('127.0.0.1'), v6('::ffff:127.0.0.1'), v6('fdaa:0:1::3'), v4('1.1.1.1')]
  for (const addresses of [[home], [mapped], [fly], [v4('169.254.169.254')], [open, home], [home, open], []]) {
    const send = sendTo(t, saying(addresses), `https://hooks.example:${port}/`)
    t.deepEqual(await send(), { status: undefined, error: inside }, JSON.stringify(addresses))
  }
  t.is(came(), 0)
})

test('a name that is public when it is looked at first and private later is refused later', async (t) => {
  const { port, came } = await listener(t)
  // A public address of documentation's would be refused itself, so the first answer is a name that is not there.
  const send = sendTo(t, saying(new Error('queryA ENOTFOUND'), [v4('127.0.0.1')]), `https://hooks.example:${port}/`)
  t.deepEqual(await send(), { status: undefined, error: 'queryA ENOTFOUND' })
  t.deepEqual(await send(), { status: undefined, error: inside })
  t.is(came(), 0)
})

const looked = (resolve: Resolve, all: boolean) =>
  new Promise<unknown[]>((done) => {
    publicLookup(resolve)('hooks.example', { all }, (...answer) => done(answer))
  })

test('what is looked at is what is connected to: the very addresses that were found', async (t) => {
  const found = [v4('1.1.1.1'), v6('2606:4700::1111')]
  t.deepEqual(await looked(saying(found), true), [null, found])
  t.deepEqual(await looked(saying(found), false), [null, '1.1.1.1', 4])
  // Each connection asks anew.
  const turns = saying(found, [v4('10.0.0.1')])
  t.deepEqual(await looked(turns, true), [null, found])
  t.deepEqual((await looked(turns, true))[0], new Error(inside))
})

test('the guard is what stops it: without it the same name is connected to', async (t) => {
  const { port, came } = await listener(t)
  const sender = httpSender({ clock: realClock, allowPrivate: true })
  t.teardown(() => sender.close())
  const { status, error } = await sender.send({ url: `https://localhost:${port}/`, headers: {}, body: '{}' })
  t.is(status, undefined)
  t.truthy(error)
  t.true(came() > 0)
})
