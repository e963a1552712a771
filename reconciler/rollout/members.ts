// How each member of a rollout is doing: whether it runs the new image, and whether that does it good. Pure.
import type { Instant } from '../../specs/clock.ts'
import { findCondition } from '../../specs/conditions.ts'
import { faultRules, type FaultRule } from '../../specs/faults.ts'
import { waves, type Rollout, type WaveCounts } from '../../specs/rollout.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Wish } from '../decision.ts'
import { driftOf } from '../drift.ts'
import type { ObservedMachine } from '../observed.ts'

export type Standing =
  /** Its wave is not open yet. */
  | { readonly kind: 'unreached' }
  /** An admin has taken it out of our hands. */
  | { readonly kind: 'paused' }
  /** It has no machine now; its next one gets the new image. */
  | { readonly kind: 'absent' }
  /** To be updated now. */
  | { readonly kind: 'pending' }
  /** In use: to be updated at its next stop. */
  | { readonly kind: 'deferred' }
  /** Something that the image has no part in keeps it from being updated, or from being Ready. */
  | { readonly kind: 'blocked'; readonly updated: boolean }
  /** Updated in its sleep: nothing is known of the image by it. */
  | { readonly kind: 'resting' }
  | { readonly kind: 'ready' }
  /** Updated and not Ready, or its update is refused. */
  | { readonly kind: 'trouble'; readonly updated: boolean; readonly since: Instant; readonly said: string }

export interface Member {
  readonly uid: string
  readonly name: string
  readonly wave: number
  /** When the image can show itself in it: `later` at its next stop, `never` while it is not wanted running. */
  readonly proves: 'now' | 'later' | 'never'
  readonly standing: Standing
  /** How often in a row its updated machine stopped by itself, where the last time was in this wave. */
  readonly crashes: number
}

export interface MemberInput {
  readonly tenant: Tenant
  /** With the image that the rollout gives it. */
  readonly wish: Wish
  /** The recorded machine, as the reading of the fleet shows it. */
  readonly machine: ObservedMachine | undefined
  readonly rollout: Rollout
  readonly wave: number
  /** Since when it has been in trouble without a pause; undefined: it was not, the last time. */
  readonly troubleSince: Instant | undefined
  readonly deferMs: number
  readonly now: Instant
}

const rules: readonly FaultRule[] = Object.values(faultRules)

/** Reasons that no image gives: a host, a region, an account, the API; the tenant's data; a name that leads elsewhere. */
const notTheImage = new Set([
  ...rules.filter(({ scope }) => scope !== 'tenant').map(({ reason }) => reason),
  ...['CertificatePending', 'VolumeMissing', 'VolumeLeaving', 'VolumeBusy'],
])

/** The sentence of a refused create or update, where refusals began after the rollout did: older ones are not its doing. */
function refusal({ tenant: { status }, rollout }: MemberInput): string | undefined {
  const { retry } = status
  if (retry?.step !== 'updateMachine' && retry?.step !== 'createMachine') return undefined
  const synced = findCondition(status.conditions, 'Synced')
  const begun = synced?.status === 'False' ? synced.lastTransitionTime : undefined
  return begun === undefined || begun < rollout.startedAt || notTheImage.has(retry.reason) ? undefined : retry.message
}

/** As the planner defers: a started machine that somebody may be using. */
function isDeferred({ tenant, machine, deferMs, now }: MemberInput): boolean {
  const { spec, status } = tenant
  if (spec.update === 'immediate' || machine?.state !== 'started' || status.route.kind !== 'forward') return false
  return now < (status.drift?.since ?? now) + deferMs
}

function trouble({ troubleSince, now }: MemberInput, updated: boolean, said: string): Standing {
  return { kind: 'trouble', updated, since: troubleSince ?? now, said }
}

function notUpdated(input: MemberInput, machine: ObservedMachine): Standing {
  const said = refusal(input)
  if (said !== undefined) return trouble(input, false, said)
  const { conditions } = input.tenant.status
  const stalled = findCondition(conditions, 'Stalled')?.status === 'True'
  if (!machine.hostOk || stalled) return { kind: 'blocked', updated: false }
  return { kind: isDeferred(input) ? 'deferred' : 'pending' }
}

function updated(input: MemberInput): Standing {
  // As the controller last acted: the idle policy's vote is its business.
  if (input.tenant.status.effective !== 'running') return { kind: 'resting' }
  const ready = findCondition(input.tenant.status.conditions, 'Ready')
  if (ready?.status === 'True') return { kind: 'ready' }
  if (ready !== undefined && notTheImage.has(ready.reason)) return { kind: 'blocked', updated: true }
  return trouble(input, true, ready?.message ?? 'Nothing is known of it yet.')
}

function standingOf(input: MemberInput): Standing {
  const { tenant, wish, machine } = input
  if (tenant.spec.paused) return { kind: 'paused' }
  if (machine === undefined) {
    const said = refusal(input)
    return said === undefined ? { kind: 'absent' } : trouble(input, false, said)
  }
  return driftOf(machine, wish) === 'restart' ? notUpdated(input, machine) : updated(input)
}

export function isUpdated({ standing }: Member): boolean {
  switch (standing.kind) {
    case 'resting':
    case 'ready':
      return true
    case 'blocked':
    case 'trouble':
      return standing.updated
    case 'unreached':
    case 'paused':
    case 'absent':
    case 'pending':
    case 'deferred':
      return false
  }
}

function proves({ spec, status }: Tenant): Member['proves'] {
  if (spec.paused || status.effective !== 'running') return 'never'
  return spec.update === 'immediate' ? 'now' : 'later'
}

/** A member whose wave is not open. */
export function unreached(tenant: Tenant, wave: number): Member {
  const { uid, name } = tenant
  return { uid, name, wave, proves: proves(tenant), standing: { kind: 'unreached' }, crashes: 0 }
}

/** A member that the rollout has reached, judged by its tenant and its machine. */
export function memberOf(input: MemberInput): Member {
  const { tenant, rollout, wave } = input
  const { crash } = tenant.status
  const crashes = crash !== undefined && crash.at >= rollout.waveSince ? crash.count : 0
  const member = {
    uid: tenant.uid,
    name: tenant.name,
    wave,
    proves: proves(tenant),
    standing: standingOf(input),
    crashes,
  }
  return isUpdated(member) ? member : { ...member, crashes: 0 }
}

/** In trouble for longer than the grace. */
export function isFailing({ standing }: Member, now: Instant, graceMs: number): boolean {
  return standing.kind === 'trouble' && now - standing.since >= graceMs
}

/** The counts of each wave. */
export function countMembers(members: readonly Member[], now: Instant, graceMs: number): WaveCounts[] {
  return waves.map((_wave, index) => {
    const own = members.filter(({ wave }) => wave === index)
    const are = (kind: Standing['kind']) => own.filter(({ standing }) => standing.kind === kind).length
    return {
      members: own.length,
      updated: own.filter(isUpdated).length,
      ready: are('ready'),
      deferred: are('deferred'),
      failing: own.filter((member) => isFailing(member, now, graceMs)).length,
    }
  })
}
