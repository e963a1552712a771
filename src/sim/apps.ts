// Apps: one global namespace of names; deleting one takes its machines, volumes and certificates with it.
import * as z from 'zod'
import { type Answer, type Call, appOf, bodyOf, ok } from './call.ts'
import { invalid, unprocessable } from './errors.ts'
import { hash } from './latency.ts'
import { hex } from './ids.ts'
import { viewOf } from './lists.ts'
import { begin } from './machine-life.ts'
import type { AppRecord } from './state.ts'
import { deleted } from './volumes.ts'
import { type World, bytesOf, momentFor } from './world.ts'

const creation = z.looseObject({
  name: z.string().optional(),
  app_name: z.string().optional(),
  org_slug: z.string(),
  network: z.string().optional(),
  idempotency_key: z.string().optional(),
})

const number = (text: string): number => hash(text) % 1_000_000

function appWire(world: World, app: AppRecord): Record<string, unknown> {
  const machines = world.store.all('machine').filter((one) => one.app === app.id && one.state !== 'destroyed')
  const volumes = world.store.all('volume').filter((one) => one.app === app.id && one.deletedAt === undefined)
  return {
    id: app.appId,
    name: app.id,
    internal_numeric_id: app.number,
    machine_count: machines.length,
    volume_count: volumes.length,
    network: app.network,
    status: machines.length > 0 ? 'deployed' : 'pending',
    organization: { name: app.org, slug: app.org, internal_numeric_id: number(app.org) },
  }
}

/** GET the apps of an organisation. */
export function listApps(world: World, call: Call): Answer {
  const org = call.query.get('org_slug')
  if (org === null || org === '') throw invalid('org_slug: is required')
  const view = viewOf(world, call)
  const apps = world.store.all('app').filter((app) => app.org === org && view.knows(app))
  return ok({ apps: apps.map((app) => appWire(world, app)), total_apps: apps.length })
}

/** A new app's record, not written yet. */
export function newApp(world: Pick<World, 'clock'>, name: string, org: string, network = 'default'): AppRecord {
  return {
    id: name,
    appId: hex(bytesOf(world), 14),
    number: number(name),
    org,
    network,
    createdAt: world.clock.now(),
    idempotencyKey: undefined,
    secrets: [],
    secretsVersion: 0,
    ips: [],
  }
}

/** POST an app. The name comes as `name` (the specification) or as `app_name` (the documentation's examples). */
export function createApp(world: World, call: Call): Answer {
  const body = bodyOf(call, creation)
  const name = body.name ?? body.app_name ?? ''
  if (!/^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$/.test(name))
    throw unprocessable('Validation failed: Name may only contain numbers, lowercase letters and dashes')
  const key = body.idempotency_key
  const first = key === undefined ? undefined : world.store.all('app').find((app) => app.idempotencyKey === key)
  if (first !== undefined && first.id === name) return created(first)
  if (first !== undefined) throw unprocessable('Validation failed: Idempotency key was used for another name')
  if (world.store.get('app', name) !== undefined)
    throw unprocessable('Validation failed: Name has already been taken', 'name_taken')
  const app = { ...newApp(world, name, body.org_slug, body.network), idempotencyKey: key }
  world.store.save({ kind: 'app', record: app })
  return created(app)
}

const created = (app: AppRecord): Answer => ({ status: 201, body: { id: app.appId, created_at: app.createdAt } })

/** GET one app. */
export const getApp = (world: World, call: Call): Answer => ok(appWire(world, appOf(world, call)))

/** DELETE an app and all that is in it. */
export function deleteApp(world: World, call: Call): Answer {
  const app = appOf(world, call)
  const now = world.clock.now()
  for (const machine of world.store.all('machine')) {
    const gone = machine.app !== app.id || machine.state === 'destroyed' || machine.state === 'destroying'
    if (!gone) world.runner.go(begin(machine, 'destroy', false, momentFor(world, machine)))
  }
  for (const volume of world.store.all('volume')) {
    if (volume.app === app.id && volume.deletedAt === undefined)
      world.store.save({ kind: 'volume', record: deleted(volume, now) })
  }
  for (const certificate of world.store.all('certificate')) {
    if (certificate.app === app.id && certificate.deletedAt === undefined)
      world.store.save({ kind: 'certificate', record: { ...certificate, deletedAt: now } })
  }
  world.store.drop('app', app.id)
  return { status: 202 }
}
