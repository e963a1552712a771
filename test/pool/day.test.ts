// Sizing by demand against a fixed pool of 5 and of 10: a quiet day, one with its ups and downs, and one with ten times as
// many in the afternoon.
import test from 'ava'
import { runDay } from './day.ts'

const ratio = ({ hits, arrivals }: ReturnType<typeof runDay>) => hits / arrivals

test('demand finds nearly everybody a machine and costs less than a pool that always stands ready', (t) => {
  const [quiet, diurnal] = (['quiet', 'diurnal'] as const).map((shape) => runDay(shape, 'demand', 7))
  if (quiet === undefined || diurnal === undefined) throw new Error('a day is missing')
  t.true(ratio(quiet) >= 0.95, `quiet: ${ratio(quiet)}`)
  t.true(ratio(diurnal) >= 0.97, `diurnal: ${ratio(diurnal)}`)
  t.true(quiet.cost < runDay('quiet', 5, 7).cost)
  t.true(diurnal.cost < runDay('diurnal', 10, 7).cost)
})

test('a burst that no week before had is met better than by a fixed pool', (t) => {
  const [demand, five, ten] = (['demand', 5, 10] as const).map((sizing) => runDay('burst', sizing, 7))
  if (demand === undefined || five === undefined || ten === undefined) throw new Error('a day is missing')
  t.true(ratio(demand) > ratio(five), `${ratio(demand)} against ${ratio(five)}`)
  t.true(ratio(demand) >= ratio(ten) - 0.02, `${ratio(demand)} against ${ratio(ten)}`)
  t.true(demand.cost < five.cost)
})
