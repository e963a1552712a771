// A pool member's own roads: to standing ready, and away without a trace where nobody ever claimed it. Pure.
import { metadataKeys } from '../specs/names.ts'
import type { PersonalRecord, TenantStatus } from '../specs/tenant.ts'
import type { Decision, PlanInput } from './decision.ts'
import { driftOf } from './drift.ts'
import type { ObservedMachine } from './observed.ts'
import { planRunning } from './running.ts'
import { canSuspend, planSuspended } from './suspended.ts'
import type { World } from './world.ts'

/** Its gateway has answered and its packages are installed, and what it does now keeps that in memory. */
function isReady(input: PlanInput, { state }: ObservedMachine): boolean {
  const { guest } = input.observed
  const { preparedBoot } = input.tenant.status
  if (preparedBoot === undefined) return false
  if (state === 'started') return guest.kind === 'ready' && guest.boot === preparedBoot
  // A sleeping member that stopped for good would be no quicker than a machine that is made when it is needed.
  return state === 'suspending' || state === 'suspended' || (state === 'stopped' && !canSuspend(input))
}

/** Like a running tenant without hosts and certificates; of the suspended tier, put to sleep once it is ready. */
export function planWarm(input: PlanInput, world: World): Decision {
  const { machine } = world
  const asleep = input.tenant.pool?.tier === 'suspended' && machine !== undefined
  return asleep && machine.hostOk && isReady(input, machine) ? planSuspended(input, world) : planRunning(input, world)
}

/** Whether it can be claimed after this look. */
export function isWarm({ tenant, wish, observed }: PlanInput, decision: Decision): boolean {
  if (wish.effective !== 'pool-warm' || decision.kind !== 'settled') return false
  const machine = observed.machines.find(({ id }) => id === tenant.status.machine?.id)
  const state = tenant.pool?.tier === 'running' ? 'started' : 'suspended'
  // One that is not as wanted would have to be made anew for its tenant: it is retired instead (pool/plan.ts).
  return machine?.state === state && machine.hostOk && driftOf(machine, wish) !== 'restart'
}

export function warmAfter(input: PlanInput, decision: Decision): TenantStatus['warm'] {
  const { tenant, wish, now } = input
  const { warm } = tenant.status
  if (wish.resolved === undefined || !isWarm(input, decision)) return undefined
  return { since: warm?.since ?? now, image: wish.resolved.image }
}

/** What the gateway was told counts for the boot that was told. */
export function personalAfter({ tenant, wish }: PlanInput, { machine }: World): PersonalRecord | undefined {
  const { personal } = tenant.status
  const own = machine !== undefined && machine.metadata[metadataKeys.specHash] === wish.specHash
  return own ? undefined : personal
}

/** Nobody has claimed it, says its document. */
function isMember({ tenant }: PlanInput): boolean {
  return tenant.pool !== undefined && tenant.claim === undefined
}

/** Nobody has claimed it, says its document, and its machine as Fly shows it says so too. */
export function saysUnclaimed(input: PlanInput, { metadata, state }: ObservedMachine): boolean {
  if (!isMember(input) || state === 'destroying') return false
  return metadata[metadataKeys.form] === 'pool' && metadata[metadataKeys.claim] === undefined
}

/** Written down before the machine goes: afterwards nobody can be asked. */
export function unclaimedAfter(input: PlanInput, decision: Decision): string | undefined {
  const { unclaimedVolume, volume } = input.tenant.status
  const goes = decision.kind === 'act' && decision.step.kind === 'destroyMachine' && decision.step.why === 'retired'
  return goes ? volume?.id : unclaimedVolume
}

/** No machine ever wrote a tenant's data to its volume: there was none, or it said to the last that it had no owner. An open create
 * is resolved before this is asked. */
export function neverClaimed(input: PlanInput): boolean {
  const { volume, machine, unclaimedVolume } = input.tenant.status
  if (!isMember(input) || volume === undefined) return false
  return machine === undefined || unclaimedVolume === volume.id
}
