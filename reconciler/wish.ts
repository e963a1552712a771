// From a tenant and its class to what is wanted of the machine, and to the request that makes it.
import { contentHash, machineConfig, specHash, wantedMetadata, type MachineInput } from '../boot/machine.ts'
import { recordText } from '../specs/record.ts'
import { resolveSpec, type ResolvedSpec } from '../specs/class.ts'
import type { Instant } from '../specs/clock.ts'
import { effectiveState } from '../specs/effective.ts'
import { tenantCertificates, tenantHosts } from '../specs/names.ts'
import type { Tenant } from '../specs/tenant.ts'
import type { Wish } from './decision.ts'
import { sleepsAt } from './idle.ts'
import type { Ports } from './ports.ts'

/** What only the create or update itself knows. */
interface Occasion {
  readonly volumeId: string
  readonly incarnation: number
}

/** The address of whoever has none: no such name exists (RFC 2606). All members of a pool are made alike. */
const nobody = 'unclaimed.invalid'

/** A member has no hosts and no work of its own; everything else is its class's. */
function memberInput({ settings }: Pick<Ports, 'settings'>, { managed }: ResolvedSpec) {
  const publicOrigin = `${settings.publicScheme}://${nobody}`
  const { llmBaseUrl } = settings
  return { hosts: [nobody], publicOrigin, managed, llmBaseUrl, maySleep: true, overlay: undefined }
}

function publicOrigin({ publicScheme, publicPort }: Ports['settings'], host: string): string {
  return `${publicScheme}://${host}${publicPort === undefined ? '' : `:${publicPort}`}`
}

/** What the gateway's configuration follows from. */
export function gatewayInput(
  ports: Pick<Ports, 'settings'>,
  tenant: Pick<Tenant, 'name' | 'spec' | 'pool'>,
  resolved: ResolvedSpec,
): MachineInput['gateway'] {
  if (tenant.pool !== undefined) return memberInput(ports, resolved)
  const { settings } = ports
  const hosts = tenantHosts(tenant.name, tenant.spec.domains, settings)
  return {
    hosts,
    publicOrigin: publicOrigin(settings, hosts[0] ?? tenant.name),
    managed: resolved.managed,
    llmBaseUrl: settings.llmBaseUrl,
    maySleep: resolved.idle.afterMinutes > 0,
    overlay: resolved.overlay,
  }
}

/** What the metadata says of a machine that a pool made. */
function origin({ pool, claim }: Tenant): Pick<MachineInput['identity'], 'form' | 'claim'> {
  if (pool !== undefined) return { form: 'pool' }
  return claim === undefined ? {} : { form: 'own', claim: `${new Date(claim.at).toISOString()} ${claim.pool}` }
}

function machineInput(
  ports: Ports,
  tenant: Tenant,
  resolved: ResolvedSpec,
  occasion: Occasion,
  llmToken: string | undefined,
) {
  const { settings, secrets } = ports
  const input: MachineInput = {
    image: resolved.image,
    guest: resolved.guest,
    region: resolved.region,
    volumeId: occasion.volumeId,
    identity: {
      environment: settings.naming.environment,
      uid: tenant.uid,
      incarnation: occasion.incarnation,
      tenant: tenant.name,
      term: ports.term() ?? 0,
      record: recordText(tenant.labels, tenant.spec),
      ...origin(tenant),
    },
    secrets: {
      gatewayToken: secrets.gatewayToken(tenant.uid),
      bridgeKey: secrets.bridgeKey(tenant.uid, occasion.incarnation),
      llmToken,
    },
    gateway: gatewayInput(ports, tenant, resolved),
    bootScript: settings.bootScript,
    bridgeSource: settings.bridgeSource,
  }
  return input
}

function machineWish(ports: Ports, tenant: Tenant, resolved: ResolvedSpec | undefined) {
  if (resolved === undefined) return { specHash: '', contentHash: '', metadata: {} }
  // The hashes leave out the volume, the incarnation and the secrets' values: a stand-in serves.
  const occasion = { volumeId: '', incarnation: 0 }
  const input = machineInput(ports, tenant, resolved, occasion, resolved.managed ? 'token' : undefined)
  return { specHash: specHash(input), contentHash: contentHash(machineConfig(input)), metadata: wantedMetadata(input) }
}

/** Of a claimed tenant: what a pool would make for it. */
function unclaimedWish(ports: Ports, tenant: Tenant, resolved: ResolvedSpec | undefined): Wish['unclaimed'] {
  const { claim, status } = tenant
  if (claim === undefined || resolved === undefined) return undefined
  const member = { ...tenant, pool: { name: claim.pool, tier: claim.tier } }
  const { specHash, contentHash } = machineWish(ports, member, resolved)
  return { specHash, contentHash, taken: status.personal?.specHash }
}

function hostsOf({ settings }: Ports, { name, spec, pool }: Tenant): Pick<Wish, 'hosts' | 'certificates'> {
  if (pool !== undefined) return { hosts: [], certificates: [] }
  return {
    hosts: tenantHosts(name, spec.domains, settings),
    certificates: tenantCertificates(name, spec.domains, settings),
  }
}

/** What is wanted of the tenant now. */
export function wishOf(ports: Ports, tenant: Tenant, lastUsedAt: Instant | undefined): Wish {
  const { clock } = ports
  const defaults = ports.classOf(tenant)
  const resolved = defaults === undefined ? undefined : resolveSpec(tenant.spec, defaults)
  const now = clock.now()
  const sleeps = resolved === undefined ? undefined : sleepsAt(tenant, resolved.idle, lastUsedAt, now)
  const idle = sleeps !== undefined && now >= sleeps ? 'asleep' : 'awake'
  return {
    effective: effectiveState({
      admin: tenant.spec.state,
      billing: tenant.entitlement.state,
      idle,
      warm: tenant.pool !== undefined,
    }),
    lastUsedAt,
    sleepsAt: sleeps,
    resolved,
    ...machineWish(ports, tenant, resolved),
    unclaimed: unclaimedWish(ports, tenant, resolved),
    ...hostsOf(ports, tenant),
  }
}

/** The machine configuration to send to Fly, with its secrets: never log it. */
export async function wantedConfig(
  ports: Ports,
  tenant: Tenant,
  resolved: ResolvedSpec,
  occasion: Occasion,
): Promise<unknown> {
  const llmToken = resolved.managed ? await ports.secrets.llmToken(tenant.uid) : undefined
  return machineConfig(machineInput(ports, tenant, resolved, occasion, llmToken))
}
