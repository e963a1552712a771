// What tests of the kept routes stand on: a store that can be away or lose its tenants, and a table that follows it.
import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RouteSource } from '../../proxy/ports.ts'
import { RouteTable } from '../../proxy/table.ts'
import type { TenantSink } from '../../reconciler/ports.ts'
import type { Instant } from '../../specs/clock.ts'
import type { Route } from '../../specs/route.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { keptRoutes, type StoreOfRoutes } from '../../src/kept-routes.ts'
import { freshStatus, tenantWith } from './tenants.ts'
import { VirtualClock } from './virtual-clock.ts'

export const forward: Route = { kind: 'forward', machine: 'm1', incarnation: 1, address: 'fdaa::3', port: 18_789 }

export function named(
  name: string,
  { revision = 1, route = forward }: { revision?: number; route?: Route } = {},
): Tenant {
  const status = { ...freshStatus, hosts: [`${name}.localhost`], route }
  return tenantWith({}, { name, uid: `uid-${name}`, revision, status })
}

/** A store that can be away. */
export function store(...tenants: Tenant[]) {
  const sinks: TenantSink[] = []
  const state = { tenants, away: false, attempts: 0, open: 0, sinks, acknowledgedAt: undefined as Instant | undefined }
  const connect = async (): Promise<StoreOfRoutes> => {
    state.attempts += 1
    if (state.away) throw new Error('The database at mongodb://db cannot be used.')
    state.open += 1
    return {
      tenants: {
        page: ({ after }) => Promise.resolve(after === undefined ? state.tenants : []),
        watch: (sink) => {
          sinks.push(sink)
          return Promise.resolve({ close: () => Promise.resolve() })
        },
      },
      acknowledgedAt: () => Promise.resolve(state.acknowledgedAt),
      close: async () => void (state.open -= 1),
    }
  }
  return { state, connect }
}

export function stage(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), 'moorage-routes-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'routes.json')
  const clock = new VirtualClock()
  const said: string[] = []
  const say = (_fields: object, message: string) => void said.push(message)
  const log = { info: say, warn: say, error: say }
  /** Follows a source into a table of its own, as a started proxy does. */
  const follow = (source: RouteSource) => {
    const table = new RouteTable({ opened: () => {}, retired: () => {}, contested: () => {}, changed: () => {} })
    const where = (name: string) => table.lookup(`${name}.localhost`)?.tenant.route
    return { table, where, following: source.follow(table) }
  }
  return { folder, path, clock, log, said, follow, options: { path, clock, log } }
}

/** A run of the proxy that knew these tenants and ended in order. */
export async function formerRun(t: ExecutionContext, ...tenants: Tenant[]) {
  const scene = stage(t)
  const { connect } = store(...tenants)
  const { following } = scene.follow(keptRoutes({ ...scene.options, connect }))
  await (await following).close()
  return scene
}
