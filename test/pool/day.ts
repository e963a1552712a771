// A day of new tenants against a pool, by the real plan and the real sizing: who finds a machine ready, and what the standing
// machines cost. Only the making of a machine is a number here: 45 s, and then it is warm.
import { historyMs, slotOf, stockFor, type Arrivals } from '../../reconciler/pool/demand.ts'
import type { Member } from '../../reconciler/pool/member.ts'
import { mostMaking, planPool, successMs } from '../../reconciler/pool/plan.ts'
import type { Instant } from '../../specs/clock.ts'
import { poolDocument } from '../../specs/pool.ts'
import { stream } from '../../src/sim/latency.ts'

const secondMs = 1_000
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const weekMs = 7 * dayMs
const makingMs = 45 * secondMs
/** How often the keeper looks. */
const lookMs = 10 * secondMs
/** A shared CPU with 2 GB that runs, in dollars an hour (Fly's list price of 10.70 a month). */
const hourlyPrice = 10.7 / 730

/** New tenants an hour, at the hour of the day. */
export const shapes = {
  quiet: () => 4,
  diurnal: (hour: number) => 4 + 56 * Math.max(0, Math.sin(((hour - 6) / 24) * 2 * Math.PI)),
  /** The same with ten times as many from two to half past three in the afternoon, as no week before had it. */
  burst: (hour: number) => shapes.diurnal(hour) * (hour >= 14 && hour < 15.5 ? 10 : 1),
} as const

export type Shape = keyof typeof shapes

/** `demand`, or a number that always stands ready. */
export type Sizing = 'demand' | number

export interface DayResult {
  readonly arrivals: number
  readonly hits: number
  readonly warmHours: number
  readonly cost: number
}

/** The moments of a day's arrivals, drawn from a Poisson process of the shape. */
function momentsOf(shape: Shape, day: Instant, random: () => number): Instant[] {
  const most = 700
  const found: Instant[] = []
  for (let at = day; at < day + dayMs;) {
    at += (-Math.log(1 - random()) * hourMs) / most
    if (at < day + dayMs && random() < shapes[shape]((at - day) / hourMs) / most) found.push(Math.floor(at))
  }
  return found
}

function counted(moments: readonly Instant[]): Map<Instant, number> {
  const counts = new Map<Instant, number>()
  for (const at of moments) counts.set(slotOf(at), (counts.get(slotOf(at)) ?? 0) + 1)
  return counts
}

const arrivalsOf = (counts: ReadonlyMap<Instant, number>, now: Instant): Arrivals[] =>
  [...counts].filter(([at]) => at > now - historyMs).map(([at, count]) => ({ at, count }))

/** Runs one day after two ordinary ones of the weeks before. */
export function runDay(shape: Shape, sizing: Sizing, seed: number): DayResult {
  const random = stream(seed)
  const day = 4 * weekMs
  const usual = shape === 'burst' ? 'diurnal' : shape
  const past = [1, 2].flatMap((weeks) => momentsOf(usual, day - weeks * weekMs, random))
  const moments = momentsOf(shape, day, random)
  const counts = counted(past)
  const fixed = typeof sizing === 'number' ? { min: sizing, max: sizing } : { min: 1, max: 60 }
  const { spec } = poolDocument.parse({ kind: 'Pool', name: 'p', spec: { region: 'iad', class: 'c', ...fixed } })
  let members: (Member & { readonly warmAt: Instant })[] = []
  let claims: Instant[] = []
  let [hits, warmHours, next, made] = [0, 0, 0, 0]
  for (let now = day; now < day + dayMs; now += lookMs) {
    for (; (moments[next] ?? Infinity) < now + lookMs; next += 1) {
      const at = moments[next] ?? 0
      counts.set(slotOf(at), (counts.get(slotOf(at)) ?? 0) + 1)
      const taken = members.find(({ warmAt }) => warmAt <= at)
      if (taken === undefined) continue
      hits += 1
      claims.push(at)
      members = members.filter((member) => member !== taken)
    }
    members = members.map((member) =>
      member.warmAt <= now && member.standing === 'making' ? { ...member, standing: 'warm', since: now } : member,
    )
    const wanted = sizing === 'demand' ? stockFor(arrivalsOf(counts, now), spec.ratio, now, 1) : sizing
    claims = claims.filter((at) => at > now - successMs)
    const room = mostMaking - members.filter(({ standing }) => standing === 'making').length
    const seen = { wanted, retiredAt: [], claimedLately: claims.length, room }
    const plan = planPool({ spec, members, ...seen, now, scale: 1 })
    const gone = new Set(plan.retire.map(({ uid }) => uid))
    members = members.filter(({ uid }) => !gone.has(uid))
    for (let count = 0; count < plan.create; count += 1) {
      made += 1
      const member = { uid: `u${made}`, createdAt: now, standing: 'making', since: now, outdated: false } as const
      members = [...members, { ...member, warmAt: now + makingMs }]
    }
    warmHours += (members.length * lookMs) / hourMs
  }
  return { arrivals: moments.length, hits, warmHours, cost: warmHours * hourlyPrice }
}

export const sizings: readonly Sizing[] = ['demand', 5, 10]

/** The table of every shape and sizing, for people. */
export function dayTable(seed: number): string {
  const head = ['day', 'pool', 'arrivals', 'hit ratio', 'warm hours', '$ a day']
  const rows = (Object.keys(shapes) as Shape[]).flatMap((shape) =>
    sizings.map((sizing) => {
      const { arrivals, hits, warmHours, cost } = runDay(shape, sizing, seed)
      const ratio = `${((100 * hits) / arrivals).toFixed(1)} %`
      return [shape, String(sizing), String(arrivals), ratio, warmHours.toFixed(0), cost.toFixed(2)]
    }),
  )
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell) => cell.padEnd(12))
        .join('')
        .trimEnd(),
    )
    .join('\n')
}
