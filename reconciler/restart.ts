// A restart that a person asked for: the machine is stopped, so that what it starts next starts anew. Pure.
import type { Instant } from '../specs/clock.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Decision } from './decision.ts'
import type { ObservedMachine } from './observed.ts'
import { act } from './verdicts.ts'
import type { World } from './world.ts'

/** A restart was asked for, and the machine has not been seen without its memory since. */
export function restartPending({ restartRequestedAt, status }: Tenant): boolean {
  return restartRequestedAt !== undefined && restartRequestedAt > (status.restartedAt ?? -Infinity)
}

/** A suspended machine would go on where it was: it is stopped too. */
export function restartFinding(tenant: Tenant, { id, state }: ObservedMachine): Decision | undefined {
  const keepsMemory = state === 'started' || state === 'suspended'
  return keepsMemory && restartPending(tenant) ? act({ kind: 'stopMachine', id }) : undefined
}

/** The request that has been met. A crash between the stop and the note of it changes nothing: what is stopped has no memory. */
export function restartedAfter(tenant: Tenant, { machine }: World): Instant | undefined {
  const fresh = machine === undefined || machine.state === 'stopped' || machine.state === 'failed'
  return fresh && restartPending(tenant) ? tenant.restartRequestedAt : tenant.status.restartedAt
}
