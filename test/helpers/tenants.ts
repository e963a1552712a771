// Builders: a tenant and a wish as short as a test wants to write them.
import type { ClassSpec } from '../../specs/class.ts'
import { resolveSpec } from '../../specs/class.ts'
import { effectiveState } from '../../specs/effective.ts'
import { metadataKeys } from '../../specs/names.ts'
import { tenantSpec, type Tenant, type TenantSpec, type TenantStatus } from '../../specs/tenant.ts'
import type { PlanSettings, Wish } from '../../reconciler/decision.ts'
import type { PlatformSettings } from '../../reconciler/ports.ts'

export const uid = 'abcdefghijklmnop'

export const standard: ClassSpec = {
  image: 'ghcr.io/openclaw/openclaw:2026.9.6',
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 },
  volume: { sizeGb: 1 },
  idle: { afterMinutes: 0 },
  llmProxy: true,
  price: { monthlyMicros: 39_000_000, currency: 'USD' },
}

export const planSettings: PlanSettings = {
  naming: { prefix: 'kc', environment: 'test' },
  pollMs: 1_000,
  resyncMs: 300_000,
  listLagMs: 15_000,
  bridgePort: 18_789,
  retainMs: 14 * 86_400_000,
  deferMs: 7 * 86_400_000,
  // No token gets old in a test that is not about it.
  llmTokenMs: Number.MAX_SAFE_INTEGER,
  scale: 1,
}

/** The boot files are left out: nothing here boots, and a thousand copies of them take their time. */
export const platform: PlatformSettings = {
  ...planSettings,
  domain: 'localhost',
  certificates: 'wildcard',
  llmBaseUrl: 'http://llm.internal/v1',
  publicScheme: 'http',
  publicPort: 7080,
  bootScript: '#!/bin/sh\n',
  bridgeSource: '//',
}

export const freshStatus: TenantStatus = {
  observedGeneration: 0,
  effective: 'running',
  conditions: [],
  hosts: ['acme.localhost'],
  route: { kind: 'closed', reason: 'provisioning' },
}

export function tenantWith(spec: Partial<TenantSpec> = {}, rest: Partial<Omit<Tenant, 'spec'>> = {}): Tenant {
  return {
    kind: 'Tenant',
    uid,
    name: 'acme',
    labels: {},
    spec: { ...tenantSpec.parse({}), ...spec },
    entitlement: { state: 'active' },
    status: freshStatus,
    generation: 1,
    revision: 1,
    createdAt: 0,
    ...rest,
  }
}

/** The metadata that a machine made from this wish carries. */
export function stampOf(specHash: string): Record<string, string> {
  return { [metadataKeys.uid]: uid, [metadataKeys.specHash]: specHash, [metadataKeys.hashVersion]: '1' }
}

/** Of a pool's machine, and of one that was claimed. */
export const poolHash = 'as-pool'

function originOf({ pool, claim }: Tenant): Record<string, string> {
  if (pool !== undefined) return { [metadataKeys.form]: 'pool' }
  return claim === undefined ? {} : { [metadataKeys.form]: 'own', [metadataKeys.claim]: 'then' }
}

function unclaimedOf({ claim, status }: Tenant): Wish['unclaimed'] {
  return claim && { specHash: poolHash, contentHash: poolHash, taken: status.personal?.specHash }
}

export function wishWith(tenant: Tenant, specHash = 'wanted'): Wish {
  const warm = tenant.pool !== undefined
  return {
    effective: effectiveState({ admin: tenant.spec.state, billing: tenant.entitlement.state, idle: 'awake', warm }),
    resolved: resolveSpec(tenant.spec, standard),
    lastUsedAt: undefined,
    sleepsAt: undefined,
    specHash,
    contentHash: specHash,
    metadata: { ...stampOf(specHash), ...originOf(tenant) },
    unclaimed: unclaimedOf(tenant),
    hosts: warm ? [] : [`${tenant.name}.localhost`],
    certificates: warm ? [] : [{ host: '*.localhost', shared: true }],
  }
}
