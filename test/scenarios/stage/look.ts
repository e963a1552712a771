// What there is to see at a moment: the tenants' documents, everything the simulated Fly holds, and how often it was called.
import { parseName } from '../../../specs/names.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import { routes } from '../../../src/sim/routes.ts'
import { app, type Stage } from './stage.ts'

export interface FlyMachine {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly app_name: string
  readonly instance_id: string
  readonly private_ip: string
  readonly config?: { readonly metadata?: Readonly<Record<string, string>> }
}

export interface FlyVolume {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly app_name: string
}

export interface FlyWorld {
  readonly machines: readonly FlyMachine[]
  readonly volumes: readonly FlyVolume[]
  readonly snapshots: readonly { readonly volume: string; readonly status: string }[]
  readonly certificates: readonly { readonly hostname: string; readonly status: string; readonly app_name: string }[]
  readonly calls: Readonly<Record<string, number>>
}

export interface Seen {
  readonly at: number
  /** By name; undefined once purged. */
  readonly tenants: ReadonlyMap<string, Tenant | undefined>
  readonly uids: ReadonlyMap<string, string>
  readonly world: FlyWorld
  /** The status of each pool. */
  readonly pools: Readonly<Record<string, unknown>>
  /** Members of pools that were given up. */
  readonly retired: ReadonlySet<string>
}

interface PoolAnswer {
  readonly items: readonly { readonly name: string; readonly status: unknown }[]
}

const naming = { prefix: 'kc', environment: 'test' }

/** Whose a machine or a volume is, by its name. */
export const ownerOf = ({ name }: { readonly name: string }): { uid: string; incarnation: number } | undefined =>
  parseName(naming, name)

/** Ended for good: as absent as what never was. */
const ended = new Set(['destroyed', 'migrated', 'replaced'])

export const isLive = ({ state }: { readonly state: string }): boolean => !ended.has(state)

const reading = new Set(routes.filter(({ reads }) => reads).map(({ action }) => action))

/** How often each changing action was called between two moments. */
export function changesBetween(before: FlyWorld, after: FlyWorld): Readonly<Record<string, number>> {
  const counts = Object.entries(after.calls).map(
    ([action, count]) => [action, count - (before.calls[action] ?? 0)] as const,
  )
  return Object.fromEntries(counts.filter(([action, count]) => count > 0 && !reading.has(action)))
}

/** How many calls that only look were made between two moments. */
export function readsBetween(before: FlyWorld, after: FlyWorld): number {
  return Object.entries(after.calls)
    .filter(([action]) => reading.has(action))
    .reduce((sum, [action, count]) => sum + count - (before.calls[action] ?? 0), 0)
}

/** Looks around; `uids` are those of the tenants by name. */
export async function lookAround(stage: Stage, uids: ReadonlyMap<string, string>): Promise<Seen> {
  const tenants = new Map<string, Tenant | undefined>()
  for (const [name, uid] of uids) tenants.set(name, await stage.stores.tenants.get(uid))
  const world = (await stage.fly('GET', '/_sim/state')).body as FlyWorld
  const { items } = (await stage.api('GET', '/v1/pools')).body as PoolAnswer
  const ours = <Each extends { readonly app_name: string }>(all: readonly Each[]) =>
    all.filter(({ app_name: name }) => name === app)
  const { machines, volumes, certificates } = world
  return {
    at: stage.clock.now(),
    tenants,
    uids,
    pools: Object.fromEntries(items.map(({ name, status }) => [name, status])),
    retired: await stage.stores.retiredMembers(),
    world: { ...world, machines: ours(machines), volumes: ours(volumes), certificates: ours(certificates) },
  }
}
