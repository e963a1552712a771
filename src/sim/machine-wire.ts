// Machines as they look on the wire.
import { createHash } from 'node:crypto'
import { hostIsDown } from './agreement.ts'
import { imageRef } from './machine-config.ts'
import type { EventRecord, MachineRecord } from './state.ts'
import { type World, subjectOf } from './world.ts'
import { leaseOf } from './leases.ts'

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** RFC 3339, as all times on the wire except those of events. */
export const time = (at: number): string => new Date(at).toISOString()

/** An event as on the wire. */
export const eventWire = (event: EventRecord): Record<string, unknown> => ({ ...event })

function checksOf(machine: MachineRecord): Record<string, unknown>[] {
  const status = machine.state === 'started' ? 'passing' : 'critical'
  return Object.keys(machine.config.checks ?? {}).map((name) => ({
    name,
    status,
    output: status === 'passing' ? 'the simulator does not run checks' : 'the machine is not started',
    updated_at: time(machine.updatedAt),
  }))
}

/** Mounts as Fly answers them: with the volume's name, size and encryption beside its id. */
function configWire(world: World, machine: MachineRecord): Record<string, unknown> {
  const { mounts } = machine.config
  if (mounts === undefined || mounts === null || mounts.length === 0) return machine.config
  const volume = machine.volume === undefined ? undefined : world.store.get('volume', machine.volume)
  const added = volume === undefined ? {} : { name: volume.name, size_gb: volume.sizeGb, encrypted: volume.encrypted }
  return { ...machine.config, mounts: mounts.map((mount) => ({ ...added, ...mount })) }
}

/** What a caller may ask to see, or not to see. */
export interface Shape {
  readonly summary?: boolean
  readonly leases?: boolean
}

/** A machine as on the wire. On a host that is unreachable its config is missing, and a part of it stands in. */
export function machineWire(world: World, machine: MachineRecord, shape: Shape = {}): Record<string, unknown> {
  const down = hostIsDown(world, machine)
  const lease = shape.leases === true ? leaseOf(machine, world.clock.now()) : undefined
  const full = configWire(world, machine)
  const { image, guest, metadata } = machine.config
  const details = {
    ...(down ? { incomplete_config: { image, guest, metadata } } : { config: full }),
    checks: checksOf(machine),
    events: machine.events.map(eventWire),
    host_status: down ? 'unreachable' : 'ok',
  }
  return {
    id: machine.id,
    name: machine.name,
    state: world.faults.peek('reads', subjectOf(machine))?.as ?? machine.state,
    region: machine.region,
    instance_id: machine.instanceId,
    version: machine.instanceId,
    private_ip: machine.privateIp,
    image_ref: imageRef(image, digestOf),
    created_at: time(machine.createdAt),
    updated_at: time(machine.updatedAt),
    ...(machine.cordoned ? { cordoned: true } : {}),
    ...(lease === undefined
      ? {}
      : {
          lease: { owner: lease.owner, description: lease.description, expires_at: Math.floor(lease.expiresAt / 1000) },
        }),
    ...(shape.summary === true ? {} : details),
  }
}

/** A machine in an organisation's list: an overview of its config only. */
export function orgMachineWire(machine: MachineRecord, summary: boolean): Record<string, unknown> {
  const { guest, image, metadata } = machine.config
  return {
    id: machine.id,
    app_name: machine.app,
    name: machine.name,
    state: machine.state,
    region: machine.region,
    instance_id: machine.instanceId,
    version: machine.instanceId,
    private_ip: machine.privateIp,
    created_at: time(machine.createdAt),
    updated_at: time(machine.updatedAt),
    ...(summary ? {} : { config: { guest, image, metadata: metadata ?? {} } }),
  }
}
