// Members: a new one's document, and how far one is. Pure.
import type { Instant } from '../../specs/clock.ts'
import { findCondition } from '../../specs/conditions.ts'
import { memberName } from '../../specs/names.ts'
import type { StoredPool } from '../../specs/pool.ts'
import type { Tenant } from '../../specs/tenant.ts'
import type { Wish } from '../decision.ts'
import { driftOf } from '../drift.ts'
import type { ObservedMachine } from '../observed.ts'

/** `making`: on its way; `failing`: and something keeps it from going on. */
export type Standing = 'making' | 'failing' | 'warm' | 'leaving'

export interface Member {
  readonly uid: string
  readonly createdAt: Instant
  readonly standing: Standing
  /** Of a warm one: since when; of a failing one: since when it says so. */
  readonly since: Instant
  /** It is not what would be made today, so its tenant would not get what it should. */
  readonly outdated: boolean
}

/** A member before anything was done about it: its class's defaults and nothing of anybody's own. */
export function newMember({ name, spec }: StoredPool, uid: string, now: Instant): Tenant {
  return {
    kind: 'Tenant',
    uid,
    name: memberName(uid),
    labels: {},
    spec: {
      ...{ state: 'running', class: spec.class, region: spec.region },
      ...{ domains: [], update: 'deferred', paused: false },
    },
    entitlement: { state: 'active' },
    pool: { name, tier: spec.tier },
    status: {
      observedGeneration: 0,
      effective: 'pool-warm',
      conditions: [],
      hosts: [],
      route: { kind: 'closed', reason: 'provisioning' },
    },
    generation: 1,
    revision: 1,
    createdAt: now,
  }
}

function failingSince({ status }: Tenant): Instant | undefined {
  const said = [findCondition(status.conditions, 'Stalled'), findCondition(status.conditions, 'HostUnreachable')]
  const synced = findCondition(status.conditions, 'Synced')
  const found =
    said.find((condition) => condition?.status === 'True') ?? (synced?.status === 'False' ? synced : undefined)
  return found?.lastTransitionTime
}

/** How far it is, as it says itself. */
export function standingOf(tenant: Tenant): Pick<Member, 'standing' | 'since'> {
  const { spec, status, createdAt } = tenant
  if (spec.state === 'deleted') return { standing: 'leaving', since: createdAt }
  if (status.warm !== undefined) return { standing: 'warm', since: status.warm.since }
  const failing = failingSince(tenant)
  return failing === undefined ? { standing: 'making', since: createdAt } : { standing: 'failing', since: failing }
}

/** The member as the pool counts it; `machine` as the last list of the fleet had it. */
export function memberOf(
  tenant: Tenant,
  pool: Pick<StoredPool, 'spec'>,
  wish: Wish,
  machine: ObservedMachine | undefined,
): Member {
  const { uid, createdAt, spec } = tenant
  const other =
    spec.region !== pool.spec.region || spec.class !== pool.spec.class || tenant.pool?.tier !== pool.spec.tier
  const drifted = machine !== undefined && machine.contentHash !== '' && driftOf(machine, wish) === 'restart'
  return { uid, createdAt, ...standingOf(tenant), outdated: other || drifted }
}
