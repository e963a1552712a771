// States that pass by themselves, and how long they may take before somebody has to know. Pure.
import type { Instant } from '../specs/clock.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { ObservedMachine, ObservedVolume, TransientState } from './observed.ts'
import { act, isEager, poll, stall } from './verdicts.ts'

const minuteMs = 60_000

/**
 * Fly's own limits for a state that should have passed (docs: machines/machine-states). `created` has none there: one
 * machine sat in it for over two hours while its siblings booted in seconds (community 28143), so three minutes are enough.
 */
const limits: Readonly<Record<TransientState, { readonly ms: number; readonly then: 'replace' | 'person' }>> = {
  creating: { ms: 3 * minuteMs, then: 'replace' },
  created: { ms: 3 * minuteMs, then: 'replace' },
  starting: { ms: 5 * minuteMs, then: 'replace' },
  restarting: { ms: 5 * minuteMs, then: 'replace' },
  launch_failed: { ms: 5 * minuteMs, then: 'replace' },
  stopping: { ms: 5 * minuteMs, then: 'person' },
  suspending: { ms: 5 * minuteMs, then: 'person' },
  updating: { ms: 10 * minuteMs, then: 'person' },
  replacing: { ms: 10 * minuteMs, then: 'person' },
  destroying: { ms: 5 * minuteMs, then: 'person' },
  unknown: { ms: 10 * minuteMs, then: 'person' },
}

const volumeLimitMs = 10 * minuteMs

/** Since when the machine has been in the state that it is in. */
export function inStateSince({ tenant, now }: PlanInput, { id, state }: ObservedMachine): Instant {
  const { machine } = tenant.status
  return machine?.id === id && machine.state === state ? (machine.since ?? now) : now
}

const minutes = (ms: number) => `${Math.floor(ms / minuteMs)} min`

/** A machine on its way from one state to another: looked at again, and beyond its limit replaced or shown to a person. */
export function busy(input: PlanInput, machine: ObservedMachine & { readonly state: TransientState }): Decision {
  const { id, region, state } = machine
  const since = inStateSince(input, machine)
  const age = input.now - since
  const { ms, then } = limits[state]
  if (age < ms * input.settings.scale) {
    const wait = poll(input, 'MachineBusy', `Machine ${id} is ${state}.`, since)
    const told = state === 'starting' && isEager(input)
    return told ? { ...wait, comes: { machine: id, state: 'started' } } : wait
  }
  if (then === 'replace') return act({ kind: 'destroyMachine', id, region, why: 'replaced' })
  return stall(
    input,
    'Stuck',
    `Machine ${id} has been ${state} for ${minutes(age)} and should have passed on long ago. Moorage waits for it; if it stays, destroy it with flyctl or ask Fly.`,
  )
}

/** A volume that cannot be mounted yet. */
export function volumeBusy(input: PlanInput, { id }: ObservedVolume): Decision {
  const since = input.tenant.status.volume?.since ?? input.now
  const age = input.now - since
  if (age < volumeLimitMs * input.settings.scale)
    return poll(input, 'VolumeBusy', `Volume ${id} is not ready yet.`, since)
  return stall(
    input,
    'Stuck',
    `Volume ${id} has not been ready for ${minutes(age)}. Moorage waits for it and makes no other; if it stays, ask Fly.`,
  )
}
