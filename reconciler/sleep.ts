// Before a machine sleeps its gateway is asked: it finishes what runs, takes nothing new, and says when its user's own next
// job is due. After the sleep it is opened again. Pure.
import type { Instant } from '../specs/clock.ts'
import type { ChannelsRecord, SleepRecord, Tenant } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { Created } from './execute.ts'
import type { ObservedMachine } from './observed.ts'
import type { SleepAnswer } from './ports.ts'
import type { Step } from './step.ts'
import { act } from './verdicts.ts'
import type { World } from './world.ts'

/** An owner's word waits so long for a gateway that is busy; the idle policy as long as something runs. */
const patienceMs = 60_000
/** So often a gateway that does not answer is asked before its machine is put to rest all the same, or left as it is. */
const mostSilences = 2
const afterSilenceMs = 2_000
/** A suspend takes a moment: what is ready for less than this is asked again, which renews it. */
const spareMs = 15_000
/** An answer older than this belongs to an earlier sleep: OpenClaw's own lease lasts two minutes. */
const leaseMs = 120_000

/** An owner's word is carried out; the idle policy asks. */
const drains = ({ wish }: PlanInput) => wish.effective !== 'idle-suspended'

function ofThisSleep(input: PlanInput, { id }: ObservedMachine): SleepRecord | undefined {
  const { sleep } = input.tenant.status
  const same = sleep?.machine === id && sleep.drain === drains(input)
  return same && input.now - sleep.at < leaseMs ? sleep : undefined
}

function ask(input: PlanInput, { id, address, incarnation }: ObservedMachine): Decision {
  const drain = drains(input)
  const channels = !drain && input.wish.resolved?.idle.withChannels !== true
  return act({ kind: 'prepareSleep', id, address, incarnation, drain, channels })
}

function whileBusy(input: PlanInput, machine: ObservedMachine, { why = '', until }: SleepRecord): Decision {
  if (input.now >= until) return ask(input, machine)
  const message = `The gateway finishes what it is doing before it sleeps (${why}).`
  return { kind: 'wait', reason: 'GatewayBusy', message, until }
}

/** What comes between the closing of the road and the sleep; undefined: the machine may be put to rest. */
export function gatewayFinding(input: PlanInput, machine: ObservedMachine): Decision | undefined {
  // A member of a pool has no user, and nothing of anybody's runs in it.
  if (input.wish.effective === 'pool-warm') return undefined
  const record = ofThisSleep(input, machine)
  if (record === undefined) return ask(input, machine)
  const { answer, since, until, silent } = record
  if (input.wish.effective !== 'idle-suspended' && input.now - since >= patienceMs) return undefined
  switch (answer) {
    case 'unsupported':
      return undefined
    case 'ready':
      return input.now < until - spareMs ? undefined : ask(input, machine)
    case 'busy':
      return whileBusy(input, machine, record)
    case 'silent':
      return silent >= mostSilences ? undefined : whileBusy(input, machine, record)
  }
}

/** A gateway that was made ready for sleep is opened again, whether its machine slept or not. */
export function openingFinding(input: PlanInput, machine: ObservedMachine): Decision | undefined {
  const { sleep } = input.tenant.status
  const { id, address, incarnation, state } = machine
  if (sleep?.suspension === undefined || sleep.machine !== id || state !== 'started') return undefined
  if (sleep.answer === 'silent' && input.now < sleep.until) return undefined
  return act({ kind: 'endSleep', id, address, incarnation, suspension: sleep.suspension })
}

/** The record after a look: what is wanted awake keeps only what its gateway is still to be told. */
export function sleepAfter({ tenant, wish }: PlanInput, { machine }: World): SleepRecord | undefined {
  const { sleep } = tenant.status
  if (sleep === undefined || sleep.machine !== machine?.id || wish.effective === 'deleted') return undefined
  if (wish.effective !== 'running') return sleep
  // A gateway that starts anew knows of no sleep.
  return sleep.suspension === undefined || machine.state === 'stopped' ? undefined : sleep
}

type Prepare = Extract<Step, { kind: 'prepareSleep' }>

function recordOf(tenant: Tenant, { id, drain }: Prepare, answer: SleepAnswer, now: Instant): SleepRecord | undefined {
  const { sleep: before } = tenant.status
  const same = before?.machine === id && before.drain === drain && now - before.at < leaseMs ? before : undefined
  const base = { machine: id, drain, since: same?.since ?? now, at: now, silent: 0 }
  switch (answer.kind) {
    case 'channels':
      return undefined
    case 'ready': {
      const { suspension, wakeAt } = answer
      return { ...base, answer: 'ready', until: Math.min(answer.until, now + leaseMs), suspension, wakeAt }
    }
    case 'busy': {
      const { why, suspension, retryAfterMs } = answer
      return { ...base, answer: 'busy', until: now + retryAfterMs, suspension, why }
    }
    case 'silent': {
      const silent = (same?.silent ?? 0) + 1
      return {
        ...base,
        answer: 'silent',
        silent,
        until: now + afterSilenceMs,
        suspension: same?.suspension,
        why: answer.why,
      }
    }
    case 'unsupported':
      return { ...base, answer: 'unsupported', until: now }
  }
}

/** What the gateway said, for the journal. */
export function sleepText(answer: SleepAnswer | undefined): string {
  switch (answer?.kind) {
    case undefined:
      return ''
    case 'ready': {
      const { wakeAt } = answer
      return wakeAt === undefined ? ': it is ready' : `: it is ready until its job of ${new Date(wakeAt).toISOString()}`
    }
    case 'busy':
      return `: it is busy (${answer.why})`
    case 'silent':
      return `: no answer (${answer.why})`
    case 'channels':
      return `: it stays awake for ${answer.names.join(', ')}`
    case 'unsupported':
      return ': it knows no such call'
  }
}

function opened({ status: { sleep } }: Tenant, { opened: said }: Created, now: Instant): SleepRecord | undefined {
  if (sleep === undefined || said !== 'silent') return undefined
  const silent = sleep.answer === 'silent' ? sleep.silent + 1 : 1
  return silent >= mostSilences ? undefined : { ...sleep, answer: 'silent', silent, until: now + afterSilenceMs }
}

interface SleepNotes {
  readonly sleep: SleepRecord | undefined
  readonly channels: ChannelsRecord | undefined
}

/** What is on record after a step that went through at `now`. */
export function sleepDone(tenant: Tenant, step: Step, created: Created, now: Instant): SleepNotes {
  const { sleep, channels } = tenant.status
  if (step.kind === 'endSleep') return { sleep: opened(tenant, created, now), channels }
  if (step.kind !== 'prepareSleep' || created.sleep === undefined) return { sleep, channels }
  const live = created.sleep.kind === 'channels' ? { at: now, names: created.sleep.names } : undefined
  return { sleep: recordOf(tenant, step, created.sleep, now), channels: live ?? (step.channels ? undefined : channels) }
}
