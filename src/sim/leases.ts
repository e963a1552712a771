// Machine leases: who may change a machine for a while. They guard neither create nor metadata, as on Fly.
import * as z from 'zod'
import { type Answer, type Call, bodyOf, liveMachineOf, numberOf } from './call.ts'
import { invalid, leaseRefusal } from './errors.ts'
import { hex } from './ids.ts'
import type { Lease, MachineRecord } from './state.ts'
import { type World, bytesOf } from './world.ts'

const header = 'fly-machine-lease-nonce'
const usualSeconds = 60
const mostSeconds = 3_600

const acquire = z.looseObject({ ttl: z.int().positive().optional(), description: z.string().optional() })

/** The lease that is in force. */
export const leaseOf = (machine: MachineRecord, now: number): Lease | undefined =>
  machine.lease !== undefined && machine.lease.expiresAt > now ? machine.lease : undefined

function held(machine: MachineRecord, lease: Lease): ReturnType<typeof leaseRefusal> {
  const until = new Date(lease.expiresAt).toISOString()
  return leaseRefusal(409, `machine ID ${machine.id} lease currently held by ${lease.owner}, expires at ${until}`)
}

/** Throws when somebody else holds the lease. A nonce for a lease that is over is let through. */
export function checkLease(world: World, call: Call, machine: MachineRecord): void {
  const lease = leaseOf(machine, world.clock.now())
  if (lease !== undefined && call.headers[header] !== lease.nonce) throw held(machine, lease)
}

/** A new lease for this caller. */
export function newLease(world: World, caller: string, seconds: number, description = ''): Lease {
  const expiresAt = world.clock.now() + Math.min(seconds, mostSeconds) * 1000
  return { nonce: hex(bytesOf(world), 12), expiresAt, owner: `${caller}@tokens.fly.io`, description }
}

const envelope = (machine: MachineRecord, lease: Lease): Record<string, unknown> => ({
  status: 'success',
  data: {
    nonce: lease.nonce,
    expires_at: Math.floor(lease.expiresAt / 1000),
    owner: lease.owner,
    description: lease.description,
    version: machine.instanceId,
  },
})

/** POST: takes the lease, or refreshes it when its nonce comes along. */
export function acquireLease(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  const body = bodyOf(call, acquire)
  const seconds = body.ttl ?? numberOf(call, 'ttl', usualSeconds, mostSeconds)
  checkLease(world, call, machine)
  const before = leaseOf(machine, world.clock.now())
  const made = newLease(world, call.caller, seconds, body.description ?? before?.description)
  const lease = before === undefined ? made : { ...made, nonce: before.nonce }
  world.store.save({ kind: 'machine', record: { ...machine, lease } })
  return { status: 201, body: envelope(machine, lease) }
}

/** GET: the lease with its nonce, as Fly shows it to whoever may see the machine. */
export function showLease(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  const lease = leaseOf(machine, world.clock.now())
  if (lease === undefined) throw leaseRefusal(404, 'lease not found')
  return { status: 200, body: envelope(machine, lease) }
}

/** DELETE: gives the lease back. */
export function releaseLease(world: World, call: Call): Answer {
  const machine = liveMachineOf(world, call)
  if (call.headers[header] === undefined) throw invalid(`the header ${header} is required`)
  if (leaseOf(machine, world.clock.now()) === undefined) throw leaseRefusal(404, 'lease not found')
  checkLease(world, call, machine)
  world.store.save({ kind: 'machine', record: { ...machine, lease: undefined } })
  return { status: 200, body: { status: 'success', data: { ok: true } } }
}
