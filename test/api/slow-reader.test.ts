// Streams and their readers: a quiet stream is kept alive, and a reader that does not read is dropped before much is kept for
// it, while others hear everything; it goes on where it was.
import { connect, type Socket } from 'node:net'
import test from 'ava'
import type { Clock } from '../../specs/clock.ts'
import { realClock } from '../../src/clock.ts'
import { until } from '../helpers/processes.ts'
import { startTestApi, stored, tenantDocument, token, type ApiUnderTest } from './fixture.ts'

/** Fifteen seconds, the pause between signs of life, pass quickly. */
const hurried: Clock = { ...realClock, after: (ms, action) => realClock.after(ms === 15_000 ? 25 : ms, action) }

interface Heard {
  readonly type: string
  readonly id: string
  /** Which change it is, by what the test wrote. */
  readonly change: number | undefined
}

interface Reader {
  readonly socket: Socket
  readonly events: Heard[]
  /** Signs of life that are no events. */
  comments(): number
  bytes(): number
  ended(): boolean
}

function heardIn(text: string): Heard {
  const [, type = ''] = /(?:^|\n)event: (\w+)/.exec(text) ?? []
  const [, id = ''] = /\nid: ([\w.]+)/.exec(text) ?? []
  const [, change] = /x(\d+)"/.exec(text) ?? []
  return { type, id, change: change === undefined ? undefined : Number(change) }
}

/** A watcher on a bare socket, which reads when it is told to. */
async function watcher(api: ApiUnderTest, lastId = ''): Promise<Reader> {
  const { hostname, port } = new URL(api.url)
  const socket = connect(Number(port), hostname)
  await new Promise<void>((resolve) => void socket.once('connect', () => resolve()))
  const events: Heard[] = []
  let [rest, comments, bytes, ended] = ['', 0, 0, false]
  socket.on('data', (part: Buffer) => {
    bytes += part.length
    // Without the lines of the chunks that the answer comes in.
    const [last = '', ...whole] = `${rest}${part.toString('latin1')}`.split('\n\n').reverse()
    rest = last
    for (const text of whole.reverse())
      if (/(^|\n)event: /.test(text)) events.push(heardIn(text))
      else if (/(^|\n): keep-alive/.test(text)) comments += 1
  })
  socket.on('error', () => (ended = true))
  socket.on('close', () => (ended = true))
  const resumed = lastId === '' ? '' : `Last-Event-ID: ${lastId}\r\n`
  socket.write(`GET /v1/tenants?watch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${resumed}\r\n`)
  return { socket, events, comments: () => comments, bytes: () => bytes, ended: () => ended }
}

const soon = (what: string, holds: () => boolean, limitMs = 60_000) =>
  until(what, limitMs, async () => (holds() ? true : undefined))

test('a quiet stream says that it lives, and now and then where it is', async (t) => {
  const api = await startTestApi(t, () => ({ clock: hurried }))
  const reader = await watcher(api)
  await soon('it is kept alive', () => reader.comments() > 5)
  const bookmarks = reader.events.flatMap(({ type, id }) => (type === 'BOOKMARK' ? [id] : []))
  t.true(bookmarks.length > 1, 'one at the beginning, and more in between')
  t.is(new Set(bookmarks).size, 1, 'nothing has happened')
  reader.socket.destroy()
})

const changes = 1_250
const heardAll = ({ events }: Reader) => events.at(-1)?.change === changes
const large = 'x'.repeat(30_000)

test('who does not read is dropped while little is kept for him; who reads hears all; he goes on where he was', async (t) => {
  t.timeout(300_000)
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const [idle, reading] = [await watcher(api), await watcher(api)]
  await soon('both watch', () => [idle, reading].every(({ events }) => events.length === 2))
  idle.socket.pause()
  const before = idle.bytes()
  const last = async (n: number) => {
    const acme = await stored(api.tenants, 'acme')
    const wish = { ...acme, spec: { ...acme.spec, config: { large: `${large}${n}` } } }
    t.truthy(await api.tenants.change(acme, wish))
  }
  for (let n = 1; n <= changes; n += 1) await last(n)
  await soon('the reader has heard all', () => heardAll(reading))

  // What comes out now lay in the buffers of the system; the rest was kept for nobody.
  idle.socket.resume()
  await soon('he is dropped', () => idle.ended())
  const kept = idle.bytes() - before
  t.true(kept < (changes * large.length) / 2, `${kept} bytes`)
  t.log(`${Math.round(kept / 1e6)} of ${Math.round((changes * large.length) / 1e6)} MB were on their way`)

  const place = idle.events.at(-1)?.id ?? ''
  const again = await watcher(api, place)
  await soon('he has heard the rest', () => heardAll(again))
  t.false(again.events.some(({ type }) => type === 'RELIST'))
  const heard = new Set([...idle.events, ...again.events].flatMap(({ change }) => change ?? []))
  t.is(heard.size, changes, 'every change, once it is put together')
  for (const { socket } of [reading, again]) socket.destroy()
})
