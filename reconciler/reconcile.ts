// One pass for one tenant: load, observe, plan, at most one change, record. It answers when to come back.
import { isDeepStrictEqual } from 'node:util'
import type { Instant } from '../specs/clock.ts'
import { Fault } from '../specs/faults.ts'
import type { Tenant, TenantStatus } from '../specs/tenant.ts'
import type { Coming, Decision, PlanInput, Wish } from './decision.ts'
import { execute, type Created } from './execute.ts'
import type { PassResult } from './meter.ts'
import type { Observed } from './observed.ts'
import { observe } from './observe.ts'
import { plan } from './plan.ts'
import type { JournalEntry, Ports } from './ports.ts'
import { servedBy, type Served } from './served.ts'
import { sleepText } from './sleep.ts'
import { noSpans, traceOf, type SpanValues } from './spans.ts'
import { statusBlind, statusDone, statusFailed, statusSeen } from './status.ts'
import { spareMsFor, stepWords, type Step } from './step.ts'
import { wishOf } from './wish.ts'

/** When the tenant is to be looked at again, and how the pass ended; undefined: it does not exist any more. */
type ComeBack =
  | {
      readonly at: Instant
      readonly result: Exclude<PassResult, 'panic'>
      /** What Fly can tell of before that. */
      readonly comes?: Coming | undefined
      /** The road was opened for the first time. */
      readonly served?: Served | undefined
    }
  | undefined

/** The same, with the live machine that the record named before the pass. */
export type Passed = (NonNullable<ComeBack> & { readonly machine: string | undefined }) | undefined

function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  throw error
}

function plain(status: TenantStatus): unknown {
  return JSON.parse(JSON.stringify(status))
}

/** Writes the status where it differs. Undefined: somebody else wrote the tenant, so this pass is stale. */
async function save({ store }: Ports, tenant: Tenant, status: TenantStatus): Promise<Tenant | undefined> {
  if (isDeepStrictEqual(plain(tenant.status), plain(status))) return tenant
  return store.saveStatus(tenant, status)
}

function noteFor({ clock, journal }: Ports, tenant: Tenant) {
  return (
    kind: JournalEntry['kind'],
    what: string,
    message: string,
    more: Pick<JournalEntry, 'tookMs' | 'reason'> = {},
  ) => {
    journal.note({ at: clock.now(), uid: tenant.uid, tenant: tenant.name, kind, what, message, ...more })
  }
}

interface Moment {
  readonly now: Instant
  readonly random: number
}

const moment = ({ clock }: Ports): Moment => ({ now: clock.now(), random: clock.random() })

/** Records a failure and answers with the time of the next try. */
async function fail(
  ports: Ports,
  tenant: Tenant,
  what: {
    readonly step: string
    readonly fault: Fault
    readonly status: TenantStatus
    readonly back: Instant | undefined
    readonly tookMs?: number
  },
): Promise<ComeBack> {
  const { rule, message } = what.fault
  const took = what.tookMs === undefined ? {} : { tookMs: what.tookMs }
  noteFor(ports, tenant)('failed', what.step, message, { reason: rule.reason, ...took })
  const written = await save(ports, tenant, what.status)
  const now = ports.clock.now()
  return { at: written === undefined ? now : (what.back ?? now + ports.settings.resyncMs), result: 'error' }
}

function failBlind(ports: Ports, tenant: Tenant, wish: Wish, fault: Fault): Promise<ComeBack> {
  const status = statusBlind(tenant, wish.effective, fault, moment(ports))
  return fail(ports, tenant, { step: 'observe', fault, status, back: status.outage?.notBefore })
}

function failStep(ports: Ports, tenant: Tenant, step: Step['kind'], fault: Fault, tookMs: number): Promise<ComeBack> {
  const status = statusFailed(tenant, step, fault, moment(ports))
  // Another step may be possible meanwhile: the planner is asked again before this one's time.
  const soon = ports.clock.now() + ports.settings.pollMs
  const back = Math.min(status.retry?.notBefore ?? soon, soon)
  return fail(ports, tenant, { step, fault, status, back, tookMs })
}

/** Performs the step and accounts for it. Answers what it made, or the Fault that it met. */
async function perform(ports: Ports, tenant: Tenant, wish: Wish, step: Step): Promise<Created | Fault> {
  try {
    await ports.guards.charge(tenant, step)
    const created = await execute(ports, tenant, wish, step)
    ports.guards.ended(tenant, step, undefined)
    return created
  } catch (error) {
    const fault = asFault(error)
    ports.guards.ended(tenant, step, fault)
    return fault
  }
}

/** Ten writes of others in the moment of one of ours: then it is left out, as by a crash. */
const mostWrites = 10

/** What a step did nobody else knows: it is written down beside whatever has been written meanwhile. */
async function record(ports: Ports, tenant: Tenant, step: Step, created: Created): Promise<void> {
  const now = ports.clock.now()
  let present: Tenant | undefined = tenant
  for (let writes = 0; present !== undefined && writes < mostWrites; writes += 1) {
    if ((await save(ports, present, statusDone(present, step, created, now))) !== undefined) return
    present = await ports.store.get(tenant.uid)
  }
}

async function act(ports: Ports, tenant: Tenant, wish: Wish, step: Step): Promise<ComeBack> {
  // Never call with a lease that has run out: another controller may be acting already.
  if (ports.term(spareMsFor(step)) === undefined) {
    const { pollMs, resyncMs } = ports.settings
    return { at: ports.clock.now() + (ports.term() === undefined ? resyncMs : pollMs), result: 'requeue_after' }
  }
  const note = noteFor(ports, tenant)
  const started = ports.clock.now()
  note('step', step.kind, stepWords[step.kind])
  const result = await (ports.spans ?? noSpans).span(`step ${step.kind}`, {}, async (span) => {
    const outcome = await perform(ports, tenant, wish, step)
    if (outcome instanceof Fault) span.failed(outcome.rule.reason)
    return outcome
  })
  const tookMs = ports.clock.now() - started
  if (result instanceof Fault) return failStep(ports, tenant, step.kind, result, tookMs)
  note('done', step.kind, `${stepWords[step.kind]}${sleepText(result.sleep)}`, { tookMs })
  // A purged tenant has no status any more.
  if (step.kind === 'forgetTenant') return undefined
  await record(ports, tenant, step, result)
  return { at: ports.clock.now(), result: 'requeue' }
}

function noteDecision(ports: Ports, tenant: Tenant, decision: Exclude<Decision, { kind: 'act' }>): void {
  const note = noteFor(ports, tenant)
  if (decision.kind === 'settled') note('settled', 'Settled', 'as wanted')
  else note(decision.kind === 'wait' ? 'wait' : 'stalled', decision.reason, decision.message)
}

async function wishNow(ports: Ports, tenant: Tenant): Promise<Wish> {
  return wishOf(ports, tenant, await ports.activity.lastUsedAt(tenant.uid))
}

/** The whole input of the planner for one tenant, observed now. Throws a Fault when Fly cannot be asked. */
export async function look(ports: Ports, tenant: Tenant, known?: Wish): Promise<PlanInput> {
  const wish = known ?? (await wishNow(ports, tenant))
  const observed: Observed = await observe(ports, tenant, wish)
  const { settings, guards, clock } = ports
  return { tenant, wish, observed, fleet: guards.view(), settings, now: clock.now() }
}

/** Looks, unless others have just found that Fly cannot be asked. Answers what the planner is given, or the Fault. */
async function seek(ports: Ports, tenant: Tenant, wish: Wish): Promise<PlanInput | Fault> {
  const { guards } = ports
  const blocked = guards.blockedRead(tenant)
  if (blocked !== undefined) return blocked
  try {
    const input = await look(ports, tenant, wish)
    guards.ended(tenant, undefined, undefined)
    // Success may have ended a hold: the plan is made with what is known after it.
    return { ...input, fleet: guards.view() }
  } catch (error) {
    const fault = asFault(error)
    guards.ended(tenant, undefined, fault)
    return fault
  }
}

function decisionValues(decision: Decision): SpanValues {
  const step = decision.kind === 'act' ? decision.step.kind : undefined
  const reason = decision.kind === 'wait' || decision.kind === 'stalled' ? decision.reason : undefined
  return { 'moorage.decision': decision.kind, 'moorage.step': step, 'moorage.reason': reason }
}

async function pass(ports: Ports, tenant: Tenant): Promise<ComeBack> {
  const { guards, clock } = ports
  const wish = await wishNow(ports, tenant)
  const spans = ports.spans ?? noSpans
  const input = await spans.span('observe', {}, async (span) => {
    const seen = await seek(ports, tenant, wish)
    if (seen instanceof Fault) span.failed(seen.rule.reason)
    return seen
  })
  if (input instanceof Fault) return failBlind(ports, tenant, wish, input)
  const decision = await spans.span('plan', {}, (span) => {
    const made = plan(input)
    if (made.kind === 'act') guards.admit(tenant, made.step)
    else guards.waits(tenant, made)
    span.set(decisionValues(made))
    return Promise.resolve(made)
  })
  const written = await save(ports, tenant, statusSeen(input, decision))
  // Whoever wrote in between knows more than this pass: drop it, the next read has the truth.
  if (written === undefined) return { at: clock.now(), result: 'requeue' }
  const served = servedBy(tenant, written)
  if (decision.kind === 'act') {
    const back = await act(ports, written, wish, decision.step)
    return back && { ...back, served }
  }
  if (written !== tenant) noteDecision(ports, tenant, decision)
  const comes = decision.kind === 'wait' ? decision.comes : undefined
  return { at: decision.until, result: decision.kind === 'settled' ? 'success' : 'requeue_after', comes, served }
}

/** Reconciles one tenant once. Throws only for a defect of ours; everything the outside does wrong is recorded. */
export async function reconcile(ports: Ports, uid: string): Promise<Passed> {
  const tenant = await ports.store.get(uid)
  if (tenant === undefined) return undefined
  const { machine } = tenant.status
  try {
    const spans = ports.spans ?? noSpans
    const back = await spans.pass(tenant, traceOf(tenant, ports.clock.now()), () => pass(ports, tenant))
    return back && { ...back, machine: machine?.state === 'destroyed' ? undefined : machine?.id }
  } finally {
    ports.guards.release(tenant)
  }
}
