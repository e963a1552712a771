// Writes: read, check, compute, compare-and-set; a lost race is read and checked again.
import { isDeepStrictEqual } from 'node:util'
import type { Clock, Instant } from '../../specs/clock.ts'
import type { Entitlement, Tenant, TenantDocument } from '../../specs/tenant.ts'
import type { Claim } from '../audit/noted.ts'
import type { FleetStore } from '../store/fleet.ts'
import type { TenantWish } from '../store/tenants.ts'
import { brakeClass, brakeLimit, brakeSettings, withEntitlement, withParked } from './brake.ts'
import { checkPreconditions } from './etag.ts'
import { newTenant } from './new-tenant.ts'
import { Problem } from './problem.ts'
import { checkRules, notFound, type RuleContext } from './rules.ts'

export interface WriteContext extends RuleContext {
  readonly fleet: FleetStore
  readonly clock: Clock
  /** Makes a machine that stands ready the tenant's; undefined: none fits, or the name was taken meanwhile. */
  readonly claim?: Claim | undefined
}

export interface Preconditions {
  readonly ifMatch: string
  readonly ifNoneMatch: string
}

/** What became of what is wanted. */
export interface Outcome {
  readonly created: boolean
  /** Also true where it was created. */
  readonly changed: boolean
}

export interface Written extends Outcome {
  readonly tenant: Tenant
}

/** A tenant's document, and with force what it takes over from billing. */
export interface ForcedDocument extends TenantDocument {
  readonly entitlement?: Entitlement | undefined
}

const attempts = 5

function contended(noun: string): Problem {
  return new Problem(409, 'conflict', `The ${noun} is being written by others at the same time; read it and try again.`)
}

/** Calls `attempt` until it does not lose a race. */
export async function settled<T>(attempt: () => Promise<T | undefined>, noun = 'tenant', most = attempts): Promise<T> {
  for (let count = 0; count < most; count += 1) {
    const result = await attempt()
    if (result !== undefined) return result
  }
  throw contended(noun)
}

function wishOf({ labels, spec, entitlement, entitledAt, entitledBy, ...rest }: Tenant): TenantWish {
  const { retryRequestedAt, restartRequestedAt, parked, restore } = rest
  const asked = { retryRequestedAt, restartRequestedAt, restore }
  return { labels, spec, entitlement, entitledAt, entitledBy, parked, ...asked }
}

function changes(tenant: Tenant, wish: TenantWish): boolean {
  const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
  return !isDeepStrictEqual(plain(wishOf(tenant)), plain(wish))
}

/** One try at applying; undefined when somebody else wrote first. */
async function tryApply(
  context: WriteContext,
  document: ForcedDocument,
  when: Preconditions,
): Promise<Written | undefined> {
  const { tenants } = context
  const before = await tenants.byName(document.name)
  checkPreconditions(when, before)
  context.admits?.(document.name, document.labels)
  await checkRules(context, document.spec, before)
  if (before === undefined) {
    const tenant = newTenant(document, context)
    const claimed = await context.claim?.(tenant)
    if (claimed !== undefined) return { tenant: claimed, created: true, changed: true }
    return (await tenants.add(tenant)) === 'added' ? { tenant, created: true, changed: true } : undefined
  }
  checkNotPurging(before, document.spec.state)
  const own = { ...wishOf(before), labels: document.labels, spec: document.spec }
  const { entitlement } = document
  const wish = entitlement === undefined ? own : withEntitlement(own, entitlement, 'admin')
  if (!changes(before, wish)) return { tenant: before, created: false, changed: false }
  const tenant = await tenants.change(before, wish)
  return tenant === undefined ? undefined : { tenant, created: false, changed: true }
}

/** Creates the tenant, or replaces what its admin owns of it; the same content again changes nothing. */
export function applyTenant(context: WriteContext, document: ForcedDocument, when: Preconditions): Promise<Written> {
  return settled(() => tryApply(context, document, when))
}

/** Applies what `alter` makes of the tenant as it is; whoever writes in between is not overwritten. Throws 404. */
export function alterTenant(
  context: WriteContext,
  name: string,
  when: Preconditions,
  alter: (present: TenantDocument) => ForcedDocument,
): Promise<Tenant> {
  return settled(async () => {
    const before = await existing(context, name, when)
    const { kind, labels, spec } = before
    const { tenants } = context
    const unmoved: WriteContext = { ...context, tenants: { ...tenants, byName: async () => before } }
    const written = await tryApply(unmoved, alter({ kind, name, labels, spec }), { ifMatch: '', ifNoneMatch: '' })
    return written?.tenant
  })
}

async function existing({ tenants }: WriteContext, name: string, when: Preconditions): Promise<Tenant> {
  const before = await tenants.byName(name)
  if (before === undefined) throw notFound(name)
  checkPreconditions(when, before)
  return before
}

/** Changes one part of what is wanted of an existing tenant. Throws 404 when there is none. */
export function changeTenant(
  context: WriteContext,
  name: string,
  when: Preconditions,
  alter: (wish: TenantWish, before: Tenant) => TenantWish,
): Promise<Tenant> {
  return settled(async () => {
    const before = await existing(context, name, when)
    const wish = alter(wishOf(before), before)
    context.admits?.(name, wish.labels)
    checkNotPurging(before, wish.spec.state)
    return changes(before, wish) ? context.tenants.change(before, wish) : before
  })
}

export const withState =
  (state: Tenant['spec']['state']) =>
  (wish: TenantWish): TenantWish => ({ ...wish, spec: { ...wish.spec, state } })

/** A deletion that has begun to destroy the volume cannot be taken back. Throws 409 then. */
export function checkNotPurging({ name, status, spec }: Tenant, wanted: Tenant['spec']['state']): void {
  if (status.purgingSince === undefined || spec.state !== 'deleted' || wanted === 'deleted') return
  throw new Problem(
    409,
    'purging',
    `${name} is past its retention and its volume is being destroyed; it cannot come back.`,
  )
}

/** Whether billing's word may take effect; asking again for the same tenant gives the same answer. */
async function mayTakeEffect({ fleet, clock }: WriteContext, before: Tenant, wanted: Entitlement): Promise<boolean> {
  switch (brakeClass(before, wanted)) {
    case 'free':
      return true
    case 'parked':
      return false
    case 'counted': {
      const most = brakeLimit(await fleet.liveTenants())
      return fleet.takePlace(before.uid, clock.now(), { most, windowMs: brakeSettings.windowMs })
    }
  }
}

/** What became of a word of billing's. */
export type WordOutcome = 'applied' | 'unchanged' | 'parked' | 'older'

export interface BillingWord {
  readonly entitlement: Entitlement
  /** An admin says it in billing's place. */
  readonly by?: 'admin' | undefined
  /** When it became true, where billing says so: what is older than the last such word is not heeded. */
  readonly occurredAt?: Instant | undefined
}

/** Many words on one tenant at once each need a turn. */
const wordAttempts = 100

/** Writes billing's word, or an admin's, or parks it where the brake holds it back. Throws 404 when there is no such tenant. */
export function takeWord(
  context: WriteContext,
  name: string,
  { entitlement: wanted, by, occurredAt }: BillingWord,
  when: Preconditions = { ifMatch: '', ifNoneMatch: '' },
): Promise<{ readonly outcome: WordOutcome; readonly tenant: Tenant }> {
  const attempt = async () => {
    const before = await existing(context, name, when)
    if (occurredAt !== undefined && occurredAt < (before.entitledAt ?? 0))
      return { outcome: 'older', tenant: before } as const
    const now = { ...wishOf(before), ...(occurredAt === undefined ? {} : { entitledAt: occurredAt }) }
    const takesEffect = await mayTakeEffect(context, before, wanted)
    const wish = takesEffect ? withEntitlement(now, wanted, by) : withParked(now, wanted, context.clock.now())
    const outcome = takesEffect ? ('applied' as const) : ('parked' as const)
    if (!changes(before, wish)) return { outcome: takesEffect ? 'unchanged' : outcome, tenant: before } as const
    const tenant = await context.tenants.change(before, wish)
    return tenant === undefined ? undefined : { outcome, tenant }
  }
  return settled(attempt, 'tenant', wordAttempts)
}
