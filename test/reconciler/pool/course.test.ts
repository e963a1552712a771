// The keeper over hours of made-up demand, failures and claims: what holds at every moment, whatever happens.
import fc from 'fast-check'
import test from 'ava'
import { PoolKeeper, type PoolPorts } from '../../../reconciler/pool/keeper.ts'
import { mostMaking } from '../../../reconciler/pool/plan.ts'
import { poolDocument, type StoredPool } from '../../../specs/pool.ts'
import type { Tenant, TenantStatus } from '../../../specs/tenant.ts'
import { outsideOf, portsOver } from '../../helpers/model-ports.ts'
import { standard, tenantWith } from '../../helpers/tenants.ts'

const minute = 60_000
/** How often the keeper looks. */
const lookMs = 10_000
/** No machine is made in less, and a member that ends is gone after a minute. */
const quickestMs = 30_000

/** A while in which the world is the same. */
interface Weather {
  readonly minutes: number
  /** How many the demand asks for, in each pool. */
  readonly wanted: number
  readonly claimsPerLook: number
  /** No machine can be made. */
  readonly failing: boolean
}

const poolsOf = (limits: readonly { readonly min: number; readonly more: number }[]): StoredPool[] =>
  limits.map(({ min, more }, index) => {
    const spec = { region: 'iad', class: 'standard', min, max: min + more }
    const document = poolDocument.parse({ kind: 'Pool', name: `p${index}`, spec })
    return { ...document, uid: `u${index}`, generation: 1, revision: 1, createdAt: 0 }
  })

type Moment = Readonly<Record<'now' | 'made', number>> & {
  readonly members: readonly Tenant[]
  readonly weather: Weather
}

const live = ({ spec }: Tenant) => spec.state !== 'deleted'
const isWarm = (member: Tenant) => live(member) && member.status.warm !== undefined
const ofPool = (members: readonly Tenant[], { name }: StoredPool) => members.filter(({ pool }) => pool?.name === name)

function becomes(member: Tenant, now: number, { failing }: Weather): Tenant {
  const age = now - member.createdAt
  if (!live(member) || isWarm(member) || age < quickestMs) return member
  const since = findSince(member.status) ?? now
  const condition = { type: 'Synced', status: 'False', reason: 'RegionFull', message: 'no room' } as const
  const said = { ...condition, observedGeneration: 1, lastTransitionTime: since }
  const status: TenantStatus = failing
    ? { ...member.status, conditions: [said] }
    : { ...member.status, conditions: [], warm: { since: now, image: standard.image } }
  return { ...member, status }
}

const findSince = ({ conditions }: TenantStatus) => conditions.find(({ type }) => type === 'Synced')?.lastTransitionTime

/** Plays the weathers one after the other; `look` sees each moment after the keeper did. */
async function play(
  pools: readonly StoredPool[],
  weathers: readonly Weather[],
  look: (moment: Moment) => void,
): Promise<void> {
  const outside = outsideOf(tenantWith())
  const { clock } = outside
  let members: Tenant[] = []
  let [retired, claimed]: [{ pool: string; at: number }[], { pool: string; at: number }[]] = [[], []]
  let made = 0
  let wanted = 0
  const store: PoolPorts = {
    pools: async () => pools,
    members: async () => members,
    retired: async (since) => retired.filter(({ at }) => at > since),
    claimed: async (since) => claimed.filter(({ at }) => at > since).map(({ pool }) => pool),
    add: async (member) => {
      members = [...members, member]
      made += 1
      return 'added'
    },
    retire: async (member, now) => {
      retired = [...retired, { pool: member.pool?.name ?? '', at: now }]
      const left: Tenant = { ...member, spec: { ...member.spec, state: 'deleted' }, generation: 2 }
      members = members.map((each) => (each.uid === member.uid ? left : each))
      return left
    },
    wanted: async () => wanted,
  }
  const keeper = new PoolKeeper({ ports: portsOver(outside), store, told: () => {} })
  const leaving = new Map<string, number>()
  for (const weather of weathers) {
    wanted = weather.wanted
    for (let at = 0; at < weather.minutes * minute; at += lookMs) {
      await clock.advance(lookMs)
      const now = clock.now()
      members = members.map((member) => becomes(member, now, weather))
      for (const member of members) if (!live(member) && !leaving.has(member.uid)) leaving.set(member.uid, now)
      members = members.filter(({ uid }) => now - (leaving.get(uid) ?? now) < minute)
      for (const taken of members.filter(isWarm).slice(0, weather.claimsPerLook)) {
        members = members.filter(({ uid }) => uid !== taken.uid)
        claimed = [...claimed, { pool: taken.pool?.name ?? '', at: now }]
      }
      await keeper.sweep({ at: now, machines: [], volumes: [] })
      look({ now, made, members, weather })
    }
  }
}

const weather = fc.record({
  minutes: fc.integer({ min: 1, max: 30 }),
  wanted: fc.integer({ min: 0, max: 30 }),
  claimsPerLook: fc.integer({ min: 0, max: 3 }),
  failing: fc.boolean(),
})
const limits = fc.array(fc.record({ min: fc.integer({ min: 0, max: 6 }), more: fc.integer({ min: 0, max: 20 }) }), {
  ...{ minLength: 1, maxLength: 3 },
})
const weathers = fc.array(weather, { minLength: 1, maxLength: 8 })
const runs = { numRuns: 15 }

test('never more than the ceiling, and never more under way than is the pools’ share of what Fly allows', async (t) => {
  await fc.assert(
    fc.asyncProperty(limits, weathers, async (given, course) => {
      const pools = poolsOf(given)
      const history: { now: number; made: number }[] = []
      await play(pools, course, ({ now, made, members }) => {
        for (const pool of pools) t.true(ofPool(members, pool).filter(live).length <= pool.spec.max)
        t.true(members.filter((member) => live(member) && !isWarm(member)).length <= mostMaking)
        history.push({ now, made })
        // Fly takes one create a second, and a member is two of them, of different kinds: 16 in 30 s are at most 0.6 a second.
        const before = history.findLast((then) => then.now <= now - quickestMs)
        t.true(made - (before?.made ?? 0) <= mostMaking * 2)
      })
    }),
    runs,
  )
})

test('never under the floor for long: ten minutes after the trouble is over it stands', async (t) => {
  await fc.assert(
    fc.asyncProperty(limits, weathers, async (given, course) => {
      const pools = poolsOf(given)
      // What cannot go on is waited for, and one that goes on after all counts.
      const calm: Weather = { minutes: 10, wanted: 0, claimsPerLook: 0, failing: false }
      let last: readonly Tenant[] = []
      await play(pools, [...course, calm], ({ members }) => (last = members))
      for (const pool of pools)
        t.true(ofPool(last, pool).filter(isWarm).length >= pool.spec.min, `${pool.name}: ${JSON.stringify(course)}`)
    }),
    runs,
  )
})

test('while none can be made hardly any is tried: one for each that is given up, after a quarter of an hour', async (t) => {
  await fc.assert(
    fc.asyncProperty(limits, weathers, fc.integer({ min: 20, max: 120 }), async (given, course, minutes) => {
      const pools = poolsOf(given)
      const storm: Weather = { minutes, wanted: 30, claimsPerLook: 3, failing: true }
      let before = 0
      let began: number | undefined
      await play(pools, [...course, storm], ({ now, made, members, weather: present }) => {
        for (const pool of pools) {
          const own = ofPool(members, pool).filter(live)
          const stuck = own.some((member) => findSince(member.status) !== undefined)
          t.false(stuck && own.some(({ createdAt }) => createdAt === now), 'one more beside one that cannot go on')
        }
        if (present !== storm) return void (before = made)
        began ??= now
        // Those of the first half minute do not know yet that they fail.
        const most = mostMaking * 2 + pools.length * Math.ceil((now - began) / (15 * minute)) * 2
        t.true(made - before <= most, `${made - before} in ${(now - began) / minute} min, not ${most}`)
      })
    }),
    runs,
  )
})
