// What to do about one pool: make members, give some up, or nothing. Pure: whoever runs it tells the number that is wanted
// (demand.ts) and the time.
import type { Instant } from '../../specs/clock.ts'
import type { StoredPool } from '../../specs/pool.ts'
import type { Member } from './member.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Of a pool, in a while (controllers.md 2.9: at most a fifth in five minutes). */
const retirement = { share: 0.2, windowMs: 5 * minuteMs } as const
/** How long a member may say that it cannot go on before another is tried in its place. */
const patienceMs = 15 * minuteMs
/** Members that became warm within this time count as success: then more are made at once. */
export const successMs = 10 * minuteMs
/**
 * Members on their way at a time, of all pools together. Each takes 30 s and more, so that is half a create a second at most,
 * and Fly takes one a second: pools never have more than their share of 60 %.
 */
export const mostMaking = 16

export type RetireReason = 'age' | 'outdated' | 'failed' | 'surplus' | 'pool-gone'

export interface Retirement {
  readonly uid: string
  readonly why: RetireReason
}

export interface PoolPlan {
  readonly create: number
  readonly retire: readonly Retirement[]
}

export interface PoolInput {
  readonly spec: StoredPool['spec']
  readonly members: readonly Member[]
  /** How many are to stand ready, as the demand says. */
  readonly wanted: number
  /** When members of this pool were retired lately. */
  readonly retiredAt: readonly Instant[]
  /** How many members of this pool were claimed within the time that counts as success. */
  readonly claimedLately: number
  /** How many more members may be on their way, as far as other pools are concerned. */
  readonly room: number
  readonly now: Instant
  readonly scale: number
}

/** Between the floor and the ceiling. */
export function targetOf({ min, max }: StoredPool['spec'], wanted: number): number {
  return Math.min(max, Math.max(min, wanted))
}

function reasonFor({ spec, now, scale }: PoolInput, member: Member): RetireReason | undefined {
  if (member.outdated) return 'outdated'
  if (now - member.createdAt >= spec.maxAgeHours * hourMs) return 'age'
  return member.standing === 'failing' && now - member.since >= patienceMs * scale ? 'failed' : undefined
}

/** More than half above the target: a little surplus is used up by itself, or ends by age. */
function surplusOf(input: PoolInput, live: readonly Member[]): readonly Member[] {
  const target = targetOf(input.spec, input.wanted)
  const most = Math.min(input.spec.max, Math.ceil(target * 1.5) + (target === 0 ? 0 : 1))
  return live.slice(0, Math.max(0, live.length - most))
}

/** What is not warm yet goes before what is, and the old before the young. */
function firstToGo(a: Member, b: Member): number {
  return Number(a.standing === 'warm') - Number(b.standing === 'warm') || a.createdAt - b.createdAt
}

function retirements(input: PoolInput, live: readonly Member[]): readonly Retirement[] {
  const { retiredAt, now, scale } = input
  const lately = retiredAt.filter((at) => at > now - retirement.windowMs * scale).length
  const most = Math.max(1, Math.floor((live.length + lately) * retirement.share)) - lately
  const due = live.flatMap((member): Retirement[] => {
    const why = reasonFor(input, member)
    return why === undefined ? [] : [{ uid: member.uid, why }]
  })
  const surplus = surplusOf(input, live)
    .filter(({ uid }) => !due.some((each) => each.uid === uid))
    .map(({ uid }): Retirement => ({ uid, why: 'surplus' }))
  return [...due, ...surplus].slice(0, Math.max(0, most))
}

/** One, two, four, eight and so on: twice as many are on their way as have lately got there. Nothing more while one cannot go on. */
function windowOf({ claimedLately, now, scale }: PoolInput, live: readonly Member[]): number {
  if (live.some(({ standing }) => standing === 'failing')) return 0
  const arrived = live.filter(({ standing, since }) => standing === 'warm' && since > now - successMs * scale).length
  return Math.min(mostMaking, 2 ** Math.ceil(Math.log2(arrived + claimedLately + 1)))
}

/** What to do about the pool now. */
export function planPool(input: PoolInput): PoolPlan {
  const live = input.members.filter(({ standing }) => standing !== 'leaving').sort(firstToGo)
  const retire = retirements(input, live)
  const making = live.filter(({ standing }) => standing === 'making' || standing === 'failing').length
  const missing = targetOf(input.spec, input.wanted) - (live.length - retire.length)
  const create = Math.max(0, Math.min(missing, windowOf(input, live) - making, input.room))
  return { create, retire }
}
