// Compares what a scenario expects with what is there. Each difference is a sentence.
import { why } from '../../../reconciler/why.ts'
import { findCondition, type ConditionType } from '../../../specs/conditions.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import type { GuestHistory } from './guests.ts'
import { changesBetween, isLive, readsBetween, type Seen } from './look.ts'
import type { Expectation, Fact, TenantExpectation } from './schema.ts'

/** What a phase began with and ended with. */
export interface Ends {
  readonly before: Seen
  readonly after: Seen
  readonly guestsBefore: ReadonlyMap<string, GuestHistory>
  readonly guestsAfter: ReadonlyMap<string, GuestHistory>
}

const shown = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value))

/** Where `actual` differs from the part of it that is wanted; null stands for not there. */
export function unlike(actual: unknown, wanted: unknown, path: string): string[] {
  if (wanted === null) return actual === undefined || actual === null ? [] : [`${path} is ${shown(actual)}, not absent`]
  if (Array.isArray(wanted)) {
    const list: readonly unknown[] = Array.isArray(actual) ? actual : []
    if (list.length !== wanted.length) return [`${path} is ${shown(actual)}, not ${shown(wanted)}`]
    return wanted.flatMap((each, index) => unlike(list[index], each, `${path}[${index}]`))
  }
  if (typeof wanted === 'object') {
    const fields = (typeof actual === 'object' && actual !== null ? actual : {}) as Record<string, unknown>
    return Object.entries(wanted).flatMap(([key, each]) =>
      unlike(fields[key], each, path === '' ? key : `${path}.${key}`),
    )
  }
  return actual === wanted ? [] : [`${path} is ${shown(actual)}, not ${shown(wanted)}`]
}

type WantedCondition = NonNullable<TenantExpectation['conditions']>[string]

function conditionProblems(tenant: Tenant, type: string, wanted: WantedCondition, now: number): string[] {
  const { is, says, nextTryWithin, nextTry } = typeof wanted === 'string' ? { is: wanted } : { ...wanted }
  const found = findCondition(tenant.status.conditions, type as ConditionType)
  if (is === 'absent') return found === undefined ? [] : [`${type} is ${found.status} ${found.reason}, not absent`]
  if (found === undefined) return [`${type} is absent, not ${is}`]
  const problems: string[] = []
  const { status, reason, message, nextTryAt } = found
  if (`${status} ${reason}` !== is) problems.push(`${type} is ${status} ${reason} (${message}), not ${is}`)
  if (says !== undefined && !message.includes(says)) problems.push(`${type} says "${message}", not "${says}"`)
  if (nextTry === 'never' && nextTryAt !== undefined) problems.push(`${type} is tried again at ${nextTryAt}`)
  if (nextTryWithin === undefined) return problems
  const rest = (nextTryAt ?? Infinity) - now
  if (rest < 0 || rest > nextTryWithin)
    problems.push(`${type}: the next try is in ${rest} ms, not within ${nextTryWithin}`)
  return problems
}

function factOf(seen: Seen, guests: ReadonlyMap<string, GuestHistory>, name: string, fact: Fact): unknown {
  const status = seen.tenants.get(name)?.status
  const machine = seen.world.machines.find(({ id }) => id === status?.machine?.id)
  switch (fact) {
    case 'machine':
      return status?.machine?.id
    case 'volume':
      return status?.volume?.id
    case 'version':
      return machine?.instance_id
    case 'address':
      return machine?.private_ip
    case 'boots':
      return guests.get(name)?.boots
    case 'installs':
      return guests.get(name)?.installs
  }
}

function factProblems(ends: Ends, name: string, fact: Fact, same: boolean): string[] {
  const was = factOf(ends.before, ends.guestsBefore, name, fact)
  const is = factOf(ends.after, ends.guestsAfter, name, fact)
  return (was === is) === same ? [] : [`the ${fact} was ${shown(was)} and is ${shown(is)}`]
}

function dataProblems(ends: Ends, name: string, wanted: 'own' | 'none'): string[] {
  const found = ends.guestsAfter.get(name)?.found
  const is = found === undefined ? 'none' : found === ends.after.uids.get(name) ? 'own' : 'that of another tenant'
  return is === wanted ? [] : [`the data on the volume is ${is}, not ${wanted}`]
}

function whyProblems(tenant: Tenant | undefined, wanted: string | undefined, now: number): string[] {
  const told = tenant === undefined ? '' : why({ tenant, now }).summary
  return wanted === undefined || told.includes(wanted) ? [] : [`why: "${told}", not "${wanted}"`]
}

function countProblems(what: string, is: number | undefined, wanted: number | undefined): string[] {
  return wanted === undefined || is === wanted ? [] : [`${what}: ${is ?? 0}, not ${wanted}`]
}

function tenantProblems(ends: Ends, name: string, wanted: TenantExpectation): string[] {
  const tenant = ends.after.tenants.get(name)
  const gone = tenant === undefined
  if (wanted.purged !== undefined && wanted.purged !== gone) return [gone ? 'it is purged' : 'it is not purged']
  const guests = ends.guestsAfter.get(name)
  const of = (type: string, condition: WantedCondition) =>
    gone ? [`it is purged, and has no ${type}`] : conditionProblems(tenant, type, condition, ends.after.at)
  return [
    ...Object.entries(wanted.conditions ?? {}).flatMap(([type, condition]) => of(type, condition)),
    ...unlike(tenant?.status, wanted.status ?? {}, 'status'),
    ...(wanted.same ?? []).flatMap((fact) => factProblems(ends, name, fact, true)),
    ...(wanted.fresh ?? []).flatMap((fact) => factProblems(ends, name, fact, false)),
    ...(wanted.data === undefined ? [] : dataProblems(ends, name, wanted.data)),
    ...countProblems('cold boots', guests?.boots, wanted.boots),
    ...whyProblems(tenant, wanted.why, ends.after.at),
    ...countProblems('installs of the browser packages', guests?.installs, wanted.installs),
    ...countProblems('tokens given to the gateway', guests?.tokens.length, wanted.tokens),
  ]
}

type Wanted = NonNullable<NonNullable<Expectation['world']>['volumes']>

function listProblems(what: string, found: readonly object[], word: string, wanted: Wanted | undefined): string[] {
  if (wanted === undefined) return []
  const words = found.map((each) => String((each as Record<string, unknown>)[word]))
  // By state alone their order says nothing.
  if (wanted.every((each) => typeof each === 'string')) return unlike(words.toSorted(), wanted.toSorted(), what)
  return unlike(
    found,
    wanted.map((each) => (typeof each === 'string' ? { [word]: each } : each)),
    what,
  ).map((problem) => `${problem} (${words.join(', ')})`)
}

function worldProblems({ after: { world } }: Ends, wanted: NonNullable<Expectation['world']>): string[] {
  const machines = world.machines.filter(isLive)
  const certificates = world.certificates.filter(({ status }) => status !== 'destroyed')
  const tally = Object.groupBy(machines, ({ state }) => state)
  const counts = Object.fromEntries(Object.entries(tally).map(([state, all = []]) => [state, all.length]))
  return [
    ...(Array.isArray(wanted.machines) || wanted.machines === undefined
      ? listProblems('machines', machines, 'state', wanted.machines)
      : unlike(counts, wanted.machines, 'machines')),
    ...listProblems('volumes', world.volumes.filter(isLive), 'state', wanted.volumes),
    ...listProblems('certificates', certificates, 'hostname', wanted.certificates),
    ...listProblems('snapshots', world.snapshots, 'status', wanted.snapshots),
  ]
}

const fits = (count: number, limit: number | string): boolean =>
  typeof limit === 'number' ? count === limit : count <= Number(limit.slice(3))

function readProblems({ before, after }: Ends, wanted: number | string | undefined): string[] {
  const count = readsBetween(before.world, after.world)
  return wanted === undefined || fits(count, wanted) ? [] : [`${count} calls only looked, not ${wanted}`]
}

function callProblems({ before, after }: Ends, wanted: NonNullable<Expectation['calls']>): string[] {
  const made = changesBetween(before.world, after.world)
  return [...new Set([...Object.keys(made), ...Object.keys(wanted)])].flatMap((action) => {
    const count = made[action] ?? 0
    const limit = wanted[action] ?? 0
    return fits(count, limit) ? [] : [`${action} was called ${count} times, not ${limit}`]
  })
}

/** Everything but the trace that is not as expected. */
export function problemsOf(ends: Ends, expected: Expectation): string[] {
  const { world, calls, tenants = {}, every, pools = {} } = expected
  const names = [...ends.after.tenants.keys()]
  const told = (name: string, wanted: TenantExpectation) =>
    tenantProblems(ends, name, wanted).map((problem) => (names.length === 1 ? problem : `${name}: ${problem}`))
  return [
    ...tenantProblems(ends, names[0] ?? '', expected),
    ...Object.entries(tenants).flatMap(([name, wanted]) => told(name, wanted)),
    ...(every === undefined ? [] : names.flatMap((name) => told(name, every))),
    ...(world === undefined ? [] : worldProblems(ends, world)),
    ...readProblems(ends, expected.reads),
    ...Object.entries(pools).flatMap(([name, wanted]) => unlike(ends.after.pools[name], wanted, `pool ${name}`)),
    ...(calls === undefined ? [] : callProblems(ends, calls)),
  ]
}
