// Observe: ask the cloud about one tenant, as little as a decision needs. A read by id beats a list.
import type { Tenant } from '../specs/tenant.ts'
import type { Wish } from './decision.ts'
import type { CertificateState, Observed, ObservedGuest, ObservedMachine, ObservedVolume } from './observed.ts'
import type { Ports } from './ports.ts'

async function volumes({ cloud }: Ports, { status }: Tenant): Promise<readonly ObservedVolume[]> {
  if (status.volume !== undefined) {
    const found = await cloud.volume(status.volume.id)
    return found === undefined ? [] : [found]
  }
  return status.intent?.kind === 'createVolume' ? cloud.volumesNamed(status.intent.name) : []
}

async function machines({ cloud }: Ports, { uid, status }: Tenant): Promise<readonly ObservedMachine[]> {
  if (status.machine !== undefined) {
    const found = await cloud.machine(status.machine.id)
    if (found !== undefined) return [found]
  }
  // Without a record and without an open create nothing can exist: uids are random and never reused.
  const mayExist = status.machine !== undefined || status.intent?.kind === 'createMachine'
  return mayExist ? cloud.machinesOf(uid) : []
}

async function certificates({ cloud }: Ports, wish: Wish): Promise<Record<string, CertificateState>> {
  const states: Record<string, CertificateState> = {}
  if (wish.effective !== 'running' && wish.effective !== 'deleted') return states
  const asked = wish.certificates.filter(({ shared }) => wish.effective === 'running' || !shared)
  for (const { host } of asked) states[host] = await cloud.certificate(host)
  return states
}

async function guest({ probe }: Ports, wish: Wish, found: readonly ObservedMachine[]): Promise<ObservedGuest> {
  const [machine] = found
  const worthAsking = wish.effective === 'running' && machine?.state === 'started'
  return worthAsking ? probe.ask(machine) : { kind: 'unknown' }
}

/** What the cloud says of one tenant now. Throws the Fault of the first read that fails. */
export async function observe(ports: Ports, tenant: Tenant, wish: Wish): Promise<Observed> {
  if (!(await ports.cloud.appExists()))
    return { app: 'absent', volumes: [], machines: [], certificates: {}, guest: { kind: 'unknown' } }
  const [foundVolumes, foundMachines] = await Promise.all([volumes(ports, tenant), machines(ports, tenant)])
  const provisioned = foundMachines.length > 0 || wish.effective === 'deleted'
  return {
    app: 'present',
    volumes: foundVolumes,
    machines: foundMachines,
    certificates: provisioned ? await certificates(ports, wish) : {},
    guest: await guest(ports, wish, foundMachines),
  }
}
