// Machines that stop by themselves while they should run: counted, and started again later and later. Pure.
import type { Instant } from '../specs/clock.ts'
import type { CrashRecord } from '../specs/tenant.ts'
import type { PlanInput } from './decision.ts'
import { inStateSince } from './stuck.ts'
import type { World } from './world.ts'

const firstMs = 10_000
const capMs = 300_000
/** A machine that ran this long has recovered. */
const calmMs = 600_000

/** It may have started and stopped again between two looks. */
const upStates: readonly string[] = ['starting', 'started', 'restarting']

/** The count after this look: one more when a machine that ran, and was to run, is found stopped. */
export function crashAfter(input: PlanInput, { machine }: World): CrashRecord | undefined {
  const { status } = input.tenant
  const { crash, machine: before } = status
  if (input.wish.effective !== 'running' || machine === undefined) return undefined
  const up = before?.id === machine.id && upStates.includes(before.state)
  const ran = up && status.effective === 'running'
  if (ran && machine.state === 'stopped') return { count: (crash?.count ?? 0) + 1, at: input.now }
  const calm = machine.state === 'started' && input.now - inStateSince(input, machine) >= calmMs * input.settings.scale
  return calm ? undefined : crash
}

/** When a stopped machine may be started: at once the first time, then after a pause that doubles up to five minutes. */
export function startableAt(crash: CrashRecord | undefined, scale: number): Instant {
  if (crash === undefined || crash.count < 2) return -Infinity
  return crash.at + Math.min(capMs, firstMs * 2 ** Math.min(crash.count - 2, 10)) * scale
}
