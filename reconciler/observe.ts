// Observe: ask the cloud about one tenant, as little as a decision needs. A read by id beats a list.
import type { Tenant } from '../specs/tenant.ts'
import type { Wish } from './decision.ts'
import type { CertificateState, Observed, ObservedGuest, ObservedMachine, ObservedVolume } from './observed.ts'
import type { Ports } from './ports.ts'
import { restorePending } from './restore.ts'
import { isEager } from './verdicts.ts'

/**
 * The recorded volume, where the machine mounts another one (Fly moves machines between hosts) that one too, and what an
 * unresolved create may have made.
 */
async function volumes(
  { cloud }: Ports,
  { status }: Tenant,
  recorded: ObservedVolume | undefined,
  found: readonly ObservedMachine[],
): Promise<readonly ObservedVolume[]> {
  const mounted = found.find(({ id }) => id === status.machine?.id)?.mount
  const moved = status.volume !== undefined && mounted !== undefined && mounted !== status.volume.id
  const read = [recorded, moved ? await cloud.volume(mounted) : undefined]
  const ids = new Set([status.volume?.id, ...(moved ? [mounted] : [])])
  const named = status.intent?.kind === 'createVolume' ? await cloud.volumesNamed(status.intent.name) : []
  return [...read.filter((volume) => volume !== undefined), ...named.filter(({ id }) => !ids.has(id))]
}

/** Machines that the fleet's list showed beside the recorded one, read by id. */
async function strays({ cloud, seen }: Ports, { uid, status }: Tenant): Promise<readonly ObservedMachine[]> {
  const others = seen(uid).filter((id) => id !== status.machine?.id)
  const found = await Promise.all(others.map((id) => cloud.machine(id)))
  return found.filter((machine) => machine !== undefined)
}

async function machines(ports: Ports, tenant: Tenant): Promise<readonly ObservedMachine[]> {
  const { cloud } = ports
  const { uid, status } = tenant
  if (status.machine !== undefined) {
    const [found, others] = await Promise.all([cloud.machine(status.machine.id), strays(ports, tenant)])
    if (found !== undefined) return [found, ...others]
  }
  // Without a record and without an open create nothing can exist: uids are random and never reused.
  const mayExist = status.machine !== undefined || status.intent?.kind === 'createMachine'
  return mayExist ? cloud.machinesOf(uid) : []
}

/** The wanted certificates and those that the tenant had before. */
async function certificates(
  { cloud }: Ports,
  { status }: Tenant,
  wish: Wish,
): Promise<Record<string, CertificateState>> {
  if (wish.effective !== 'running' && wish.effective !== 'deleted') return {}
  const asked = wish.certificates.filter(({ shared }) => wish.effective === 'running' || !shared)
  const hosts = new Set([...asked.map(({ host }) => host), ...(status.certificates ?? [])])
  const states = await Promise.all([...hosts].map(async (host) => [host, await cloud.certificate(host)] as const))
  return Object.fromEntries(states)
}

/** What deletions and restores need to know besides: the volume's snapshots, and who else names the volume. */
async function history({ cloud, store }: Ports, tenant: Tenant, wish: Wish) {
  const { volume } = tenant.status
  if (volume === undefined) return {}
  if (wish.effective !== 'deleted') return restorePending(tenant) ? { snapshots: await cloud.snapshots(volume.id) } : {}
  const [snapshots, claims] = await Promise.all([cloud.snapshots(volume.id), store.claimsOf(volume.id, tenant.uid)])
  return { snapshots, claims }
}

async function guest({ probe }: Ports, wish: Wish, found: readonly ObservedMachine[]): Promise<ObservedGuest> {
  const [machine] = found
  const runs = wish.effective === 'running' || wish.effective === 'pool-warm'
  const worthAsking = runs && machine?.state === 'started'
  return worthAsking ? probe.ask(machine) : { kind: 'unknown' }
}

/** Fly lets a volume be read once a second: who waits for a claimed machine must not wait for that. */
function beliefMs({ settings, clock }: Ports, tenant: Tenant): number {
  return isEager({ tenant, settings, now: clock.now() }) ? 5_000 * settings.scale : 0
}

/** What the cloud says of one tenant now. Throws the Fault of the first read that fails. */
export async function observe(ports: Ports, tenant: Tenant, wish: Wish): Promise<Observed> {
  if (!(await ports.cloud.appExists()))
    return { app: 'absent', volumes: [], machines: [], certificates: {}, guest: { kind: 'unknown' } }
  // What does not need the answer of another read is asked at the same time: somebody may be waiting.
  const { volume } = tenant.status
  const [foundMachines, recorded, foundCertificates, foundHistory] = await Promise.all([
    machines(ports, tenant),
    volume === undefined ? undefined : ports.cloud.volume(volume.id, beliefMs(ports, tenant)),
    certificates(ports, tenant, wish),
    history(ports, tenant, wish),
  ])
  const [foundVolumes, foundGuest] = await Promise.all([
    volumes(ports, tenant, recorded, foundMachines),
    guest(ports, wish, foundMachines),
  ])
  return {
    app: 'present',
    volumes: foundVolumes,
    machines: foundMachines,
    certificates: foundCertificates,
    guest: foundGuest,
    ...foundHistory,
  }
}
