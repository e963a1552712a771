// What usage costs: figures that were worked out by hand from the price table's own words.
import test from 'ava'
import { monthWindow, sumsByTenant, totalOf } from '../../src/usage/costs.ts'
import { parsePrices, readPrices } from '../../src/usage/prices.ts'
import type { UsedThing } from '../../src/store/usage.ts'

const prices = readPrices()
const from = Date.UTC(2026, 10, 1)
const to = from + 30 * 86_400_000
const hour = 3_600_000
const size = { at: from, cpuKind: 'shared', cpus: 1, memoryMb: 256 }

function machine(states: readonly (readonly [number, string])[], more: Partial<UsedThing> = {}): UsedThing {
  const changes = states.map(([at, state]) => ({ at, rank: 0, state: state as 'started' }))
  return { kind: 'machine', id: 'm', uid: 'u', region: 'iad', changes, sizes: [size], ...more } as UsedThing
}

const sumsOf = (...things: readonly UsedThing[]) => sumsByTenant(things, prices, { from, to }).get('u')

test('a month of the smallest machine running is 1.945 dollars, in another region 1.27 times that', (t) => {
  t.is(sumsOf(machine([[from, 'started']]))?.cost.total, 1_945_000)
  t.is(sumsOf(machine([[from, 'started']], { region: 'syd' }))?.cost.total, 2_470_150)
  const big = { at: from, cpuKind: 'performance', cpus: 1, memoryMb: 2048 }
  t.is(sumsOf(machine([[from, 'started']], { sizes: [big] }))?.cost.total, 31_000_000)
})

test('a suspended month costs its root filesystem, and the difference is saved', (t) => {
  const sums = sumsOf(machine([[from - 5, 'suspended']]))
  t.deepEqual(sums?.cost, { running: 0, resting: 450_000, volume: 0, total: 450_000 })
  t.is(sums?.saved, 1_945_000 - 450_000)
  t.deepEqual(sums?.seconds, { suspended: 30 * 86_400 })
})

test('volumes cost whether they are used or not, until they end', (t) => {
  const sizes = [
    { at: from, sizeGb: 10 },
    { at: from + 15 * 24 * hour, sizeGb: 0 },
  ]
  const sums = sumsOf({ kind: 'volume', id: 'v', uid: 'u', region: 'iad', sizes })
  t.is(sums?.volumeGbHours, 3_600)
  t.deepEqual(sums?.cost, { running: 0, resting: 0, volume: 750_000, total: 750_000 })
})

test('half a month each way, and the total is the sum of the rows', (t) => {
  const half = machine([
    [from, 'started'],
    [from + (to - from) / 2, 'suspended'],
  ])
  t.is(sumsOf(half)?.cost.total, 972_500 + 225_000)
  const both = sumsByTenant([half, machine([[from, 'started']], { uid: 'w' })], prices, { from, to })
  t.is(totalOf([...both.values()]).cost.total, 972_500 + 225_000 + 1_945_000)
})

test('a month begins and ends in UTC, and a present one goes until now', (t) => {
  t.deepEqual(monthWindow('2026-12', Date.UTC(2027, 5)), {
    from: Date.UTC(2026, 11),
    to: Date.UTC(2027, 0),
    complete: true,
  })
  t.like(monthWindow('2026-12', Date.UTC(2026, 11, 3)), { to: Date.UTC(2026, 11, 3), complete: false })
  t.like(monthWindow('2026-12', Date.UTC(2026, 1)), { from: Date.UTC(2026, 11), to: Date.UTC(2026, 11) })
})

test('a wrong price table is refused with the path', (t) => {
  t.throws(() => parsePrices('kind: Prices\ncurrency: dollars'), { message: /currency must be a currency code/ })
})
