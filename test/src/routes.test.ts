// The proxy's table follows the store: everything once, each change, and a full read after changes were missed.
import test from 'ava'
import type { RouteSink } from '../../proxy/ports.ts'
import type { TenantSink } from '../../reconciler/ports.ts'
import type { TenantRoute } from '../../specs/route.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { routesOf } from '../../src/routes.ts'
import type { Tenants } from '../../src/store/tenants.ts'
import { tenantWith } from '../helpers/tenants.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

const clock = new VirtualClock()

const named = (name: string, revision = 1): Tenant => tenantWith({}, { name, uid: `uid-${name}`, revision })

function storeOf(stored: Tenant[]) {
  const watching: TenantSink[] = []
  const tenants = {
    page: ({ after, limit }: { after?: string | undefined; limit: number }) =>
      Promise.resolve(stored.filter(({ name }) => after === undefined || name > after).slice(0, limit)),
    watch: (sink: TenantSink) => {
      watching.push(sink)
      return Promise.resolve({ close: () => Promise.resolve() })
    },
  } as unknown as Tenants
  return { tenants, watching }
}

function tableOf() {
  const table = new Map<string, TenantRoute>()
  const sink: RouteSink = {
    reset: () => {},
    put: (route) => table.set(route.uid, route),
    drop: (uid) => table.delete(uid),
    revive: () => {},
    doubt: () => {},
  }
  return { table, sink }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

test('everything is there at the start, over several pages, and each change after', async (t) => {
  const stored = Array.from({ length: 1_200 }, (_, index) => named(`t${String(index).padStart(4, '0')}`))
  const { tenants, watching } = storeOf(stored)
  const { table, sink } = tableOf()
  await routesOf(tenants, { clock, failed: () => t.fail() }).follow(sink)
  t.is(table.size, 1_200)
  watching[0]?.changed(named('new', 7))
  t.is(table.get('uid-new')?.revision, 7)
  watching[0]?.removed('uid-new')
  t.false(table.has('uid-new'))
})

test('after missed changes what is gone is dropped, and what came meanwhile stays', async (t) => {
  const stored = [named('a'), named('b')]
  const { tenants, watching } = storeOf(stored)
  const { table, sink } = tableOf()
  await routesOf(tenants, { clock, failed: () => t.fail() }).follow(sink)
  stored.shift()
  watching[0]?.missed()
  watching[0]?.changed(named('meanwhile'))
  for (let turn = 0; turn < 5; turn += 1) await settle()
  t.deepEqual([...table.keys()].sort(), ['uid-b', 'uid-meanwhile'])
})

test('a full read that fails leaves every route as it was, and is tried again', async (t) => {
  const stored = [named('a')]
  const { tenants, watching } = storeOf(stored)
  const { table, sink } = tableOf()
  const failures: unknown[] = []
  let broken = false
  const page: Tenants['page'] = (query) => (broken ? Promise.reject(new Error('down')) : tenants.page(query))
  await routesOf({ ...tenants, page }, { clock, failed: (error) => failures.push(error) }).follow(sink)
  broken = true
  watching[0]?.missed()
  for (let turn = 0; turn < 5; turn += 1) await settle()
  t.is(failures.length, 1)
  t.deepEqual([...table.keys()], ['uid-a'])
  stored[0] = named('b')
  broken = false
  await clock.advance(2_000)
  t.deepEqual([...table.keys()], ['uid-b'])
})
