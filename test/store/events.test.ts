// Events over a real store: what is the same becomes one record, pages are newest first, and nothing grows without end.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { EventRecord } from '../../src/events/event.ts'
import { eventsIn, keptSeconds, mostPerTenant, type EventPlace, type Events } from '../../src/store/events.ts'
import { openStore, type OpenStore } from '../../src/store/open.ts'

async function opened(t: ExecutionContext): Promise<{ events: Events; db: OpenStore['db'] }> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-events-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { events: eventsIn(store.db), db: store.db }
}

const noon = Date.UTC(2026, 0, 1, 12)
const minute = 60_000

function record(part: Partial<EventRecord> & { readonly at?: number } = {}): EventRecord {
  const { at = noon, ...rest } = part
  const what = { uid: 'u1', tenant: 'acme', kind: 'failed', reason: 'RegionFull', step: 'createVolume' } as const
  return { id: `e${at}`, ...what, message: 'iad is full', firstAt: at, lastAt: at, count: 1, ...rest }
}

test('the same again within an hour is one record with a first time, a last time and a count', async (t) => {
  const { events } = await opened(t)
  await events.write([record()])
  await events.write([record({ at: noon + 20 * minute, count: 3 })])
  await events.write([record({ at: noon + 70 * minute })])
  t.like(await events.page({ uid: 'u1', limit: 10 }), [
    { id: `e${noon}`, firstAt: noon, lastAt: noon + 70 * minute, count: 5, message: 'iad is full' },
  ])
  // After a quiet hour it is another story; and so is another message, or another tenant.
  await events.write([record({ at: noon + 200 * minute })])
  await events.write([record({ id: 'x', message: 'ams is full' }), record({ id: 'y', uid: 'u2', tenant: 'globex' })])
  t.is((await events.page({ uid: 'u1', limit: 10 })).length, 3)
  t.is((await events.page({ tenant: 'globex', limit: 10 })).length, 1)
})

test('each step done is a record of its own, and a batch that is written twice counts once', async (t) => {
  const { events } = await opened(t)
  const done = (at: number) => record({ at, kind: 'done', reason: 'Done', step: 'startMachine', tookMs: 2_000 })
  const batch = [done(noon), done(noon + minute)]
  await events.write(batch)
  await events.write(batch)
  const found = await events.page({ uid: 'u1', limit: 10 })
  t.deepEqual(
    found.map(({ lastAt, count, tookMs }) => [lastAt, count, tookMs]),
    [
      [noon + minute, 1, 2_000],
      [noon, 1, 2_000],
    ],
  )
})

test('pages are newest first, without gaps or repeats, also where times are equal; filters narrow them', async (t) => {
  const { events } = await opened(t)
  const batch = Array.from({ length: 25 }, (_, index) =>
    record({
      id: `e${String(index).padStart(2, '0')}`,
      at: noon + Math.floor(index / 5) * minute,
      message: `${index}`,
      kind: index % 2 === 0 ? 'wait' : 'failed',
    }),
  )
  await events.write(batch)
  const ids: string[] = []
  let after: EventPlace | undefined
  for (let page = 0; page < 10; page += 1) {
    const found = await events.page({ limit: 4, after })
    ids.push(...found.map(({ id }) => id))
    const last = found.at(-1)
    if (last === undefined) break
    after = last
  }
  t.deepEqual(ids, batch.map(({ id }) => id).reverse())
  t.is((await events.page({ kind: 'wait', limit: 50 })).length, 13)
  t.is((await events.page({ reason: 'Other', limit: 50 })).length, 0)
})

test('of one tenant only the newest stay, and a TTL index forgets the rest', async (t) => {
  const { events, db } = await opened(t)
  for (let part = 0; part < 8; part += 1)
    await events.write(
      Array.from({ length: 20 }, (_, index) => {
        const at = noon + (part * 20 + index) * minute
        return record({ id: `e${String(at)}`, at, message: `${at}` })
      }),
    )
  const found = await events.page({ uid: 'u1', limit: 500 })
  t.is(found.length, mostPerTenant)
  t.is(found[0]?.lastAt, noon + 159 * minute)
  const forget = (await db.collection('events').indexes()).find(({ name }) => name === 'forget')
  t.is(forget?.expireAfterSeconds, keptSeconds)
})
