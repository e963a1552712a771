// Machines that stop by themselves while they should run: counted, started again later and later, and then left for a person,
// because each failing start of the agent may spend the tenant's LLM tokens. Pure.
import { exitWords, isSettingsExit } from '../boot/exit.ts'
import type { Instant } from '../specs/clock.ts'
import type { CrashRecord } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { ObservedMachine } from './observed.ts'
import { restartPending } from './restart.ts'
import { inStateSince } from './stuck.ts'
import { act, stall } from './verdicts.ts'
import type { World } from './world.ts'

const firstMs = 10_000
const capMs = 300_000
/** A machine that ran this long has recovered. */
const calmMs = 600_000

/** Fly's own restart policy has tried each of these starts four times. */
const mostStarts = 5
/** What the same settings make fail again fails again. */
const mostStartsOfSettings = 1

/** It may have started and stopped again between two looks. */
const upStates: readonly string[] = ['starting', 'started', 'restarting']

/** What still counts: a changed wish, or a person who asks to try again, begins anew. */
function counting({ tenant }: PlanInput): CrashRecord | undefined {
  const { crash } = tenant.status
  if (crash === undefined || (tenant.retryRequestedAt ?? 0) > crash.at) return undefined
  return (crash.generation ?? tenant.generation) < tenant.generation ? undefined : crash
}

/** The count after this look: one more when a machine that ran, and was to run, is found stopped. */
export function crashAfter(input: PlanInput, { machine }: World): CrashRecord | undefined {
  const { status, generation } = input.tenant
  const { machine: before } = status
  const crash = counting(input)
  if (input.wish.effective !== 'running' || machine === undefined) return undefined
  const up = before?.id === machine.id && upStates.includes(before.state)
  const ran = up && status.effective === 'running'
  if (ran && machine.state === 'stopped' && !restartPending(input.tenant))
    return { count: (crash?.count ?? 0) + 1, at: input.now, generation, exitCode: machine.exit?.code }
  const calm = machine.state === 'started' && input.now - inStateSince(input, machine) >= calmMs * input.settings.scale
  return calm ? undefined : crash
}

/** When a stopped machine may be started: at once the first time, then after a pause that doubles up to five minutes. */
function startableAt(crash: CrashRecord | undefined, scale: number): Instant {
  if (crash === undefined || crash.count < 2) return -Infinity
  return crash.at + Math.min(capMs, firstMs * 2 ** Math.min(crash.count - 2, 10)) * scale
}

function isHopeless({ count, exitCode }: CrashRecord): boolean {
  return count >= (exitCode !== undefined && isSettingsExit(exitCode) ? mostStartsOfSettings : mostStarts)
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times in a row`)

/** Starts a stopped machine, now or later, or leaves it to a person. */
export function startFinding(input: PlanInput, world: World, { id }: ObservedMachine): Decision {
  const crash = crashAfter(input, world)
  const why = crash?.exitCode === undefined ? '' : `, last with ${exitWords(crash.exitCode)}`
  const stopped = `Machine ${id} has stopped by itself ${times(crash?.count ?? 0)}${why}`
  if (crash !== undefined && isHopeless(crash))
    return stall(
      input,
      'StartFails',
      `${stopped}. It is not started again, because each failing start may spend the tenant's LLM tokens: change the spec, or retry.`,
    )
  const at = startableAt(crash, input.settings.scale)
  if (input.now >= at) return act({ kind: 'startMachine', id })
  return { kind: 'wait', reason: 'CrashLoop', message: `${stopped}; it is started again after a pause.`, until: at }
}
