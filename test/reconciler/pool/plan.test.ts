// What is made and given up of a pool, and how many are to stand ready.
import fc from 'fast-check'
import test from 'ava'
import { poissonStock, recentRate, slotMs, stockFor, usualRate } from '../../../reconciler/pool/demand.ts'
import type { Member, Standing } from '../../../reconciler/pool/member.ts'
import { mostMaking, planPool, type PoolInput } from '../../../reconciler/pool/plan.ts'
import { poolDocument } from '../../../specs/pool.ts'

const minute = 60_000
const hour = 60 * minute
const week = 7 * 24 * hour
const now = 10 * week

const specWith = (spec: object) =>
  poolDocument.parse({ kind: 'Pool', name: 'p', spec: { region: 'iad', class: 'standard', min: 0, max: 50, ...spec } })
    .spec

let count = 0
const some = (standing: Standing, number: number, part: Partial<Member> = {}): Member[] =>
  Array.from({ length: number }, () => {
    count += 1
    return { uid: `u${count}`, createdAt: now - hour, standing, since: now - hour, outdated: false, ...part }
  })

const plan = (members: Member[], part: Partial<PoolInput> = {}) =>
  planPool({
    spec: specWith({}),
    members,
    wanted: 10,
    retiredAt: [],
    claimedLately: 0,
    room: mostMaking,
    now,
    scale: 1,
    ...part,
  })

test('an empty pool begins with one, and goes on with twice as many as have lately got there', (t) => {
  t.is(plan([]).create, 1)
  t.is(plan(some('making', 1)).create, 0)
  const lately = { since: now - minute }
  t.is(plan(some('warm', 1, lately)).create, 2)
  t.is(plan(some('warm', 3, lately)).create, 4)
  t.is(plan([...some('warm', 3, lately), ...some('making', 3)]).create, 1)
  t.is(plan([...some('warm', 9, lately), ...some('making', 1)]).create, 0)
})

test('what was claimed as soon as it was ready has got there as well', (t) => {
  t.is(plan([], { claimedLately: 3 }).create, 4)
  t.is(plan(some('making', 4), { claimedLately: 30 }).create, 6)
})

test('nothing is added while one cannot go on, and one that cannot for long is given up', (t) => {
  t.is(plan([...some('warm', 3), ...some('failing', 1, { since: now - minute })]).create, 0)
  const { retire } = plan([...some('warm', 3), ...some('failing', 1, { since: now - 16 * minute })])
  t.deepEqual(
    retire.map(({ why }) => why),
    ['failed'],
  )
})

test('a fifth in five minutes goes for age or because something newer would be made', (t) => {
  const old = some('warm', 20, { createdAt: now - 25 * hour })
  t.deepEqual(
    plan(old, { wanted: 20 }).retire.map(({ why }) => why),
    ['age', 'age', 'age', 'age'],
  )
  t.is(plan(old, { wanted: 20, retiredAt: [now - minute, now - minute] }).retire.length, 2)
  t.is(plan(some('warm', 20, { outdated: true }), { wanted: 20 }).retire.length, 4)
  t.is(plan(some('warm', 3, { outdated: true }), { wanted: 3 }).retire.length, 1)
})

test('a surplus goes only when it is large', (t) => {
  t.deepEqual(plan(some('warm', 14)).retire, [])
  t.deepEqual(plan(some('warm', 30)).retire.map(({ why }) => why)[0], 'surplus')
})

test('floor, ceiling, room and share hold for whatever is there', (t) => {
  const member = fc.record({
    uid: fc.uuid(),
    createdAt: fc.integer({ min: now - 48 * hour, max: now }),
    standing: fc.constantFrom<Standing>('making', 'failing', 'warm', 'leaving'),
    since: fc.integer({ min: now - 48 * hour, max: now }),
    outdated: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(member, { maxLength: 60 }), fc.nat(80), fc.nat(8), fc.nat(5), (members, wanted, room, min) => {
      const input = { ...{ wanted, room }, spec: specWith({ min, max: 40 }) }
      const { create, retire } = plan(members, input)
      const live = members.filter(({ standing }) => standing !== 'leaving')
      const leaving = new Set(members.filter(({ standing }) => standing === 'leaving').map(({ uid }) => uid))
      t.true(create >= 0 && create <= room)
      t.true(create === 0 || live.length - retire.length + create <= Math.max(min, Math.min(40, wanted)))
      t.true(retire.length <= Math.max(1, live.length * 0.2))
      t.is(new Set(retire.map(({ uid }) => uid)).size, retire.length)
      t.false(retire.some(({ uid }) => leaving.has(uid)))
    }),
    { numRuns: 300 },
  )
})

test('the stock is the smallest that is enough as often as it is wanted', (t) => {
  // The table of the controllers' notes: 20, 60, 200 and 600 an hour, 90 s, 0.99.
  t.deepEqual(
    [20, 60, 200, 600].map((rate) => poissonStock((rate * 90) / 3600, 0.99)),
    [3, 5, 11, 25],
  )
  t.is(poissonStock(0, 0.99), 0)
  t.true(poissonStock(600, 0.99) > 600)
})

test('what came lately counts most, and what came at this hour in other weeks counts as well', (t) => {
  const slot = Math.floor(now / slotMs) * slotMs
  const steady = Array.from({ length: 24 }, (_each, index) => ({ at: slot - index * slotMs, count: 5 }))
  const rate = recentRate(steady, slot + slotMs - 1)
  t.true(Math.abs(rate - 60) < 1, `${rate}`)
  t.true(
    recentRate([{ at: slot, count: 50 }], slot + slotMs - 1) > recentRate([{ at: slot - 4 * slotMs, count: 50 }], slot),
  )
  t.is(usualRate([{ at: slot - week, count: 200 }], now), 200)
  t.is(usualRate([{ at: slot - week - 2 * hour, count: 200 }], now), 0)
  t.is(stockFor([{ at: slot - week, count: 200 }], 0.99, now, 1), 11)
  t.is(stockFor([], 0.99, now, 1), 0)
})
