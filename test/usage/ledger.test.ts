// The ledger: whatever happens to the feed, it holds the machine's life; no second is lost or counted twice.
import test from 'ava'
import fc from 'fast-check'
import type { FleetReading } from '../../reconciler/observed.ts'
import { machineNews } from '../../reconciler/usage/derive.ts'
import {
  inOrder,
  overlaps,
  sizeSpans,
  stateSpans,
  volumeSpans,
  type Change,
  type Span,
} from '../../reconciler/usage/ledger.ts'
import { UsageRecorder } from '../../reconciler/usage/recorder.ts'
import { born, life, memoryLedger, readingAt, seenAt, small, tellsAll, type Life } from './life.ts'

const naming = { prefix: 'kc', environment: 'test' }
const hour = 3_600_000

function sums<T>(spans: readonly Span<T>[]): Record<string, number> {
  const totals: Record<string, number> = {}
  for (const { from, to, value } of spans) totals[String(value)] = (totals[String(value)] ?? 0) + to - from
  return totals
}

/** The truth, by a method of its own: each state lasts until the next. */
function truth(changes: Life, from: number, to: number): Record<string, number> {
  const totals: Record<string, number> = {}
  for (const [index, { at, state }] of changes.entries()) {
    const ms = Math.min(to, changes[index + 1]?.at ?? to) - Math.max(from, at)
    if (ms > 0 && state !== 'destroyed') totals[state] = (totals[state] ?? 0) + ms
  }
  return totals
}

/** A feed: how long until the next look, and what goes wrong with it. */
const feed = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 1, max: 20 * hour }),
    mishap: fc.constantFrom('none', 'none', 'none', 'stale', 'missing', 'restart', 'before', 'between', 'after'),
    shown: fc.integer({ min: 1, max: 4 }),
  }),
  { maxLength: 30 },
)

test('crashes, late, stale and missing looks: the ledger is the life of the machine', async (t) => {
  await fc.assert(
    fc.asyncProperty(life, feed, async (changes, looks) => {
      const ledger = memoryLedger()
      let now = born
      const fresh = () => new UsageRecorder({ store: ledger, source: tellsAll(changes, () => now), naming })
      let recorder = fresh()
      const look = async (reading: FleetReading) => {
        try {
          await recorder.sweep(reading)
        } catch {
          recorder = fresh()
        }
      }
      for (const { afterMs, mishap, shown } of looks) {
        now += afterMs
        if (mishap === 'restart') recorder = fresh()
        if (mishap === 'before' || mishap === 'between' || mishap === 'after') ledger.fail = mishap
        if (mishap === 'missing') await look({ at: now, machines: [], volumes: [] })
        else await look(readingAt(changes, mishap === 'stale' ? Math.max(born, now - 5 * hour) : now, shown))
      }
      ledger.fail = undefined
      now = Math.max(now, changes.at(-1)?.at ?? now) + hour
      await look(readingAt(changes, now))
      t.deepEqual(sums(stateSpans(ledger.changes(), born, now)), truth(changes, born, now))
    }),
    { numRuns: 400 },
  )
})

test('the same entries in any order, twice or in parts, fold to the same', (t) => {
  fc.assert(
    fc.property(life, fc.array(fc.nat(), { minLength: 100, maxLength: 100 }), (changes, random) => {
      const [news] = [machineNews(undefined, seenAt(changes, Infinity) ?? t.fail(), 0)]
      const entries = (news?.changes ?? []) as readonly Change[]
      const mixed = [...entries, ...entries]
        .map((entry, index) => ({ entry, order: random[index] ?? 0 }))
        .sort((a, b) => a.order - b.order)
        .map(({ entry }) => entry)
      t.deepEqual(inOrder(mixed), inOrder(entries))
    }),
  )
})

test('the months of a life add up to it', (t) => {
  fc.assert(
    fc.property(life, fc.array(fc.integer({ min: 0, max: 40 * 24 * hour }), { maxLength: 4 }), (changes, cuts) => {
      const entries = changes.map((change, rank) => ({ ...change, rank }))
      const end = (changes.at(-1)?.at ?? born) + hour
      const edges = [born, ...cuts.map((cut) => Math.min(end, born + cut)), end].sort((a, b) => a - b)
      const parts = edges.slice(1).map((to, index) => sums(stateSpans(entries, edges[index] ?? born, to)))
      const total = parts.flatMap((part) => Object.values(part)).reduce((a, b) => a + b, 0)
      t.is(total, end - born)
    }),
  )
})

test('a quiet fleet writes nothing', async (t) => {
  const ledger = memoryLedger()
  const changes: Life = [
    { at: born, state: 'created' },
    { at: born + 5, state: 'started' },
  ]
  const recorder = new UsageRecorder({ store: ledger, source: tellsAll(changes, () => born), naming })
  for (let count = 1; count < 10; count += 1) await recorder.sweep(readingAt(changes, born + count * hour))
  t.is(ledger.writes, 1)
  // Another process begins by reading the ledger, and finds nothing new either.
  const other = new UsageRecorder({ store: ledger, source: tellsAll(changes, () => born), naming })
  await other.sweep(readingAt(changes, born + 20 * hour))
  t.is(ledger.writes, 1)
})

test('an end that was only concluded is taken back when the machine is there again', async (t) => {
  const ledger = memoryLedger()
  const changes: Life = [{ at: born, state: 'started' }]
  const forgetful = { machine: () => Promise.resolve(undefined), volume: () => Promise.resolve(undefined) }
  const recorder = new UsageRecorder({ store: ledger, source: forgetful, naming })
  await recorder.sweep(readingAt(changes, born + hour))
  await recorder.sweep({ at: born + 2 * hour, machines: [], volumes: [] })
  t.deepEqual(sums(stateSpans(ledger.changes(), born, born + 9 * hour)), { started: 2 * hour })
  await recorder.sweep(readingAt(changes, born + 4 * hour))
  t.deepEqual(sums(stateSpans(ledger.changes(), born, born + 9 * hour)), { started: 9 * hour })
})

test('a list that lies about a state changes nothing, where the events say otherwise', async (t) => {
  const ledger = memoryLedger()
  const changes: Life = [{ at: born, state: 'started' }]
  const recorder = new UsageRecorder({ store: ledger, source: tellsAll(changes, () => born), naming })
  const reading = readingAt(changes, born + hour)
  await recorder.sweep({ ...reading, machines: reading.machines.map((one) => ({ ...one, state: 'stopped' })) })
  t.deepEqual(sums(stateSpans(ledger.changes(), born, born + 9 * hour)), { started: 9 * hour })
})

test('a size counts from the update that made it', (t) => {
  const big = { ...small, memoryMb: 4096 }
  const life: Life = [
    { at: born, state: 'started' },
    { at: born + hour, state: 'replacing' },
    { at: born + hour + 5, state: 'started' },
  ]
  const first = machineNews(undefined, { ...(seenAt(life, born) ?? t.fail()), size: small }, born)
  const known = first?.known.kind === 'machine' ? first.known : undefined
  const second = machineNews(known, { ...(seenAt(life, born + 3 * hour) ?? t.fail()), size: big }, born + 3 * hour)
  const sizes = [first, second].flatMap((news) =>
    news !== undefined && 'size' in news && news.size ? [news.size] : [],
  )
  const entries = life.map((change, rank) => ({ ...change, rank }))
  const both = overlaps(stateSpans(entries, born, born + 4 * hour), sizeSpans(sizes, born, born + 4 * hour))
  t.deepEqual(sums(both.map(({ value: [, { memoryMb }], ...span }) => ({ ...span, value: memoryMb }))), {
    1024: hour,
    4096: 3 * hour,
  })
})

test('a volume counts by its greatest size so far, and not after its end', (t) => {
  const entries = [
    { at: born + 4 * hour, sizeGb: 0 },
    { at: born + 6 * hour, sizeGb: 0 },
    { at: born + 2 * hour, sizeGb: 3 },
    { at: born, sizeGb: 1 },
    { at: born + 3 * hour, sizeGb: 3 },
  ]
  t.deepEqual(sums(volumeSpans(entries, born, born + 9 * hour)), { 1: 2 * hour, 3: 2 * hour })
  const back = [...entries, { at: born + 8 * hour, sizeGb: 3 }]
  t.deepEqual(sums(volumeSpans(back, born, born + 9 * hour)), { 1: 2 * hour, 3: 7 * hour })
})
