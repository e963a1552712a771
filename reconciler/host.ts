// A machine whose host Fly cannot reach: nothing is decided about it until the host is back or a person says so. Pure.
import { findCondition } from '../specs/conditions.ts'
import type { Instant } from '../specs/clock.ts'
import type { Decision, PlanInput } from './decision.ts'
import type { ObservedMachine } from './observed.ts'
import { poll, stall } from './verdicts.ts'

/** A host that is away for less is likely to come back with everything on it. */
const patienceMs = 1_800_000

/** Since when the tenant's host has been out of reach. */
function awaySince({ tenant, now }: PlanInput): Instant {
  return findCondition(tenant.status.conditions, 'HostUnreachable')?.lastTransitionTime ?? now
}

/** Waits for the host, and after half an hour asks a person. The data on it is never given up by itself. */
export function hostFinding(input: PlanInput, { id, hostOk }: ObservedMachine): Decision | undefined {
  if (hostOk) return undefined
  const since = awaySince(input)
  const said = `Fly cannot reach the host of machine ${id}; its data is not touched.`
  if (input.now - since < patienceMs * input.settings.scale) return poll(input, 'HostUnreachable', said, since)
  return stall(
    input,
    'HostUnreachable',
    `${said} It has been away for a long time: wait for it, or restore the tenant on another host from its last snapshot, which loses what was written since.`,
  )
}
