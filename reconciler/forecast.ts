// Forecast: the road that lies ahead, by asking the planner again and again of a world in which each step does what it
// should and time passes. Pure: nothing is called and nothing is written.
import { findCondition } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import { effectOf, observationOf, timePasses, type ForecastWorld, type Making } from './effects.ts'
import { purgeAt } from './farewell.ts'
import { outlook, type PlannedStep } from './outlook.ts'
import { plan } from './plan.ts'
import { statusDone, statusSeen } from './status.ts'

export interface Waiting {
  readonly reason: string
  readonly message: string
  readonly until: Instant
}

export interface Forecast {
  /** What the planner says now. */
  readonly decision: Decision
  readonly steps: readonly PlannedStep[]
  /** `wait`: the road leads to something that does not pass by itself within an hour. */
  readonly ends: 'settled' | 'stalled' | 'wait'
  readonly destructive: boolean
  readonly interrupts: boolean
  readonly typicalSeconds: number
  /** What the road ends in, where it does not end as wanted. */
  readonly waitsFor: Waiting | undefined
}

/** Longer waits (a deferred update, the retention of a volume) are where a forecast ends. */
const horizonMs = 3_600_000
const mostPasses = 200
/** So often the same look at the same world may repeat before it counts as one that stays. */
const mostRepeats = 2

interface Position {
  readonly tenant: Tenant
  readonly world: ForecastWorld
  readonly now: Instant
}

/** A shared certificate is not asked for before there is a machine; in an app that exists, others have needed it before. */
function certificatesOf({ observed, wish }: PlanInput): ForecastWorld['certificates'] {
  const shared = observed.app === 'absent' ? [] : wish.certificates.filter((certificate) => certificate.shared)
  return { ...Object.fromEntries(shared.map(({ host }) => [host, 'issued'])), ...observed.certificates }
}

function worldOf(input: PlanInput): ForecastWorld {
  const { observed, tenant } = input
  const { guest } = observed
  const boot = guest.kind === 'starting' || guest.kind === 'ready' ? guest.boot : tenant.status.preparedBoot
  const { app, volumes, machines, snapshots } = observed
  const certificates = certificatesOf(input)
  return {
    app,
    volumes,
    machines,
    certificates,
    guest,
    boots: 0,
    firstBoot: boot,
    created: [],
    snapshots: snapshots ?? [],
  }
}

/** What is made gets its name as its id: nobody knows Fly's id before Fly has given it. */
function makingOf({ tenant, wish }: PlanInput, now: Instant): Making {
  const { metadata, contentHash } = wish
  return {
    now,
    source: { metadata, contentHash },
    volume: ({ name, sizeGb, region }) => ({
      ...{ id: name, name, state: 'creating', sizeGb, region },
      ...{ attachedMachine: undefined, usedBytes: 0, createdAt: now },
    }),
    machine: ({ name, incarnation, region, volume }) => ({
      ...{ id: name, name, uid: tenant.uid, incarnation, state: 'created', version: 'v1', region, address: '::' },
      ...{ metadata, contentHash, mount: volume, hostOk: true, createdAt: now, updatedAt: now },
    }),
  }
}

function look(input: PlanInput, { tenant, world, now }: Position): PlanInput {
  return { ...input, tenant, now, observed: observationOf(world, tenant, input.wish) }
}

/** Where the wait or the step leads. */
function onward(seen: PlanInput, decision: Decision, at: Position): Position {
  const tenant = { ...at.tenant, status: statusSeen(seen, decision) }
  if (decision.kind !== 'act') return { tenant, world: timePasses(at.world), now: Math.max(at.now + 1, decision.until) }
  const { world, created } = effectOf(at.world, decision.step, makingOf(seen, at.now))
  return {
    tenant: { ...tenant, status: statusDone(tenant, decision.step, created, at.now) },
    world,
    now: at.now,
  }
}

/** The same situation again, whatever the clock says. */
function signature(decision: Decision, { tenant, world }: Position): string {
  const what = decision.kind === 'act' ? decision.step : { ...decision, message: '', until: 0 }
  return JSON.stringify([what, world, { ...tenant.status, conditions: [] }])
}

const endless: Waiting = { reason: 'NoEnd', message: 'The steps would repeat without an end.', until: 0 }

/** Quiet, and yet not at the end: an update that waits for the machine's next stop, a volume that is retained. */
function resting(input: PlanInput, decision: Extract<Decision, { kind: 'settled' }>): Waiting | undefined {
  const { conditions } = statusSeen(input, decision)
  const drifted = findCondition(conditions, 'Drifted')
  if (drifted !== undefined) {
    const { reason, message, nextTryAt: until = decision.until } = drifted
    return { reason, message, until }
  }
  const ready = findCondition(conditions, 'Ready')
  if (ready?.reason !== 'Retained') return undefined
  return { reason: ready.reason, message: ready.message, until: purgeAt(input) }
}

function end(input: PlanInput, decision: Decision): Pick<Forecast, 'ends' | 'waitsFor'> {
  switch (decision.kind) {
    case 'settled': {
      const waitsFor = resting(input, decision)
      return { ends: waitsFor === undefined ? 'settled' : 'wait', waitsFor }
    }
    case 'act':
      return { ends: 'stalled', waitsFor: endless }
    case 'wait':
    case 'stalled': {
      const { kind: ends, reason, message, until } = decision
      return { ends, waitsFor: { reason, message, until } }
    }
  }
}

/** What the steps amount to. */
function told(decision: Decision, steps: readonly PlannedStep[], last: Pick<Forecast, 'ends' | 'waitsFor'>): Forecast {
  return {
    decision,
    steps,
    ...last,
    destructive: steps.some(({ destructive }) => destructive),
    interrupts: steps.some(({ interrupts }) => interrupts),
    typicalSeconds: steps.reduce((sum, step) => sum + step.typicalSeconds, 0),
  }
}

/** As if nothing were held back on purpose: whoever only looks on wants to see what would be done. */
function unheld(input: PlanInput): PlanInput {
  const spec = { ...input.tenant.spec, paused: false }
  return { ...input, tenant: { ...input.tenant, spec }, fleet: { ...input.fleet, mode: 'normal' } }
}

/**
 * The steps from here to where the road ends, if everything goes as it should. `decision` is what the planner says now,
 * also where it says that it only looks on.
 */
export function forecast(seenNow: PlanInput): Forecast {
  const input = unheld(seenNow)
  let at: Position = { tenant: input.tenant, world: worldOf(input), now: input.now }
  const first = plan(seenNow)
  const steps: PlannedStep[] = []
  const seen = new Map<string, number>()
  let decision = plan(input)
  let now = input
  for (let pass = 0; pass < mostPasses; pass += 1) {
    const mark = signature(decision, at)
    const repeats = seen.get(mark) ?? 0
    seen.set(mark, repeats + 1)
    if (decision.kind === 'settled' || decision.kind === 'stalled' || repeats >= mostRepeats) break
    if (decision.kind === 'wait' && decision.until - input.now > horizonMs) break
    if (decision.kind === 'act') steps.push(outlook(now, decision.step))
    // A purged tenant is not looked at again.
    if (decision.kind === 'act' && decision.step.kind === 'forgetTenant')
      return told(first, steps, { ends: 'settled', waitsFor: undefined })
    at = onward(now, decision, at)
    now = look(input, at)
    decision = plan(now)
  }
  return told(first, steps, end(now, decision))
}
