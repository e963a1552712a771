// A claim -> the tenant that it was: spec and labels from the machine's metadata, the overlay from its configuration, the
// state from what it does. Pure; what cannot be read is an answer in words, never a guess.
import type { Instant } from '../../specs/clock.ts'
import { isObject, type Json } from '../../boot/json.ts'
import { overlayOf } from '../../boot/overlay.ts'
import { resolveSpec } from '../../specs/class.ts'
import { effectiveState } from '../../specs/effective.ts'
import { dnsLabel, type IdlePolicy } from '../../specs/fields.ts'
import { metadataKeys, parseName, tenantHosts } from '../../specs/names.ts'
import { readRecord } from '../../specs/record.ts'
import type { Tenant, TenantSpec } from '../../specs/tenant.ts'
import { isTransient, type MachineState, type SurveyedMachine } from '../observed.ts'
import type { Ports } from '../ports.ts'
import { gatewayInput } from '../wish.ts'
import type { Claim } from './claims.ts'

export interface AdoptionContext extends Pick<Ports, 'settings' | 'classOf'> {
  readonly now: Instant
  /** A machine at rest that the idle policy may have put to sleep: traffic wakes it again. Else it stays suspended. */
  readonly asleep: boolean
}

/** A sentence that says why not. */
type Refusal = string

/** What the machine does is what was wanted of it; one that is between two states is asked again. */
function stateOf(state: MachineState): TenantSpec['state'] | undefined {
  if (state === 'started' || state === 'starting') return 'running'
  if (state === 'stopping' || state === 'suspending') return 'suspended'
  return isTransient(state) ? undefined : 'suspended'
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function overlayIn(
  context: Pick<AdoptionContext, 'settings'>,
  { gatewayConfig }: SurveyedMachine,
  tenant: Pick<Tenant, 'name' | 'spec'>,
  defaults: NonNullable<ReturnType<Ports['classOf']>>,
): TenantSpec['config'] | Refusal {
  if (gatewayConfig === undefined)
    return 'Fly does not show its configuration now; adopt again when its host can be reached.'
  const config = parsed(gatewayConfig)
  if (!isObject(config)) return 'Its configuration is not JSON.'
  const overlay = overlayOf(config, gatewayInput(context, tenant, resolveSpec(tenant.spec, defaults)))
  if (overlay === undefined)
    return 'Its configuration was written with other platform settings (domain, public origin, port): set those first.'
  return Object.keys(overlay).length === 0 ? undefined : (overlay as TenantSpec['config'])
}

function bare(context: AdoptionContext, claim: Claim): Tenant | Refusal {
  const { uid, machine, volume, fenced } = claim
  const name = machine.metadata[metadataKeys.tenant] ?? ''
  const record = readRecord(machine.metadata[metadataKeys.record] ?? '')
  const state = stateOf(machine.state)
  if (!dnsLabel.safeParse(name).success) return 'Its metadata names no tenant.'
  if (record === undefined) return 'Its metadata holds no readable record of the tenant’s spec.'
  if (state === undefined) return `It is ${machine.state}; adopt again in a moment.`
  const spec: TenantSpec = { ...record.spec, state, paused: false }
  const incarnation = parseName(context.settings.naming, volume.name)?.incarnation ?? 1
  return {
    kind: 'Tenant',
    uid,
    name,
    labels: record.labels,
    spec,
    entitlement: { state: 'active' },
    status: {
      observedGeneration: 0,
      effective: effectiveState({ admin: state, billing: 'active', idle: 'awake' }),
      conditions: [],
      hosts: tenantHosts(name, spec.domains, context.settings),
      route: { kind: 'closed', reason: 'provisioning' },
      machine: { id: machine.id, state: machine.state, region: machine.region, incarnation: machine.incarnation },
      volume: { id: volume.id, incarnation },
      ...(fenced.length === 0 ? {} : { fenced }),
      // When it was last used is lost too: the time until it may sleep begins anew.
      ...(state === 'running' ? { awakeSince: context.now } : {}),
      // It is no new tenant, and nobody waits for its road for the first time.
      servedSince: context.now,
    },
    generation: 1,
    // Newer than whatever a proxy may still remember of it.
    revision: Math.floor(context.now / 1_000),
    createdAt: Math.min(volume.createdAt, machine.createdAt),
  }
}

/** Whether somebody said so or nobody used it cannot be told from the machine: an operator says which to assume. */
function withSleep({ asleep, now }: AdoptionContext, tenant: Tenant, { afterMinutes }: IdlePolicy): Tenant {
  const { spec, status, createdAt } = tenant
  const mayHaveSlept = afterMinutes > 0 && now - createdAt > afterMinutes * 60_000
  if (!asleep || spec.state !== 'suspended' || !mayHaveSlept) return tenant
  return { ...tenant, spec: { ...spec, state: 'running' }, status: { ...status, effective: 'idle-suspended' } }
}

/** The tenant that a claim proves, or the sentence that says what is missing. */
export function adoptedTenant(context: AdoptionContext, claim: Claim): Tenant | Refusal {
  const tenant = bare(context, claim)
  if (typeof tenant === 'string') return tenant
  const defaults = context.classOf(tenant)
  if (defaults === undefined) return `Its class ${tenant.spec.class} does not exist here.`
  const overlay = overlayIn(context, claim.machine, tenant, defaults)
  if (typeof overlay === 'string') return overlay
  const whole = overlay === undefined ? tenant : { ...tenant, spec: { ...tenant.spec, config: overlay } }
  return withSleep(context, whole, resolveSpec(whole.spec, defaults).idle)
}
