// Tenants over the real store: names, compare-and-set, watching, and a watch over a server without change streams.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Tenant } from '../../specs/tenant.ts'
import { openStore } from '../../src/store/open.ts'
import { tenantsIn, type Tenants } from '../../src/store/tenants.ts'
import { until } from '../helpers/processes.ts'
import { tenantWith } from '../helpers/tenants.ts'

async function tenants(t: ExecutionContext): Promise<Tenants> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-tenants-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return tenantsIn(store.db)
}

const named = (name: string): Tenant => tenantWith({}, { name, uid: `uid-${name}` })

test('a name is taken once, also by many at once', async (t) => {
  const store = await tenants(t)
  const results = await Promise.all(Array.from({ length: 10 }, (_, i) => store.add({ ...named('acme'), uid: `u${i}` })))
  t.is(results.filter((result) => result === 'added').length, 1)
  t.is((await store.uids()).length, 1)
})

test('what is read is what was written, without fields that were left out', async (t) => {
  const store = await tenants(t)
  await store.add(named('acme'))
  t.deepEqual(await store.byName('acme'), named('acme'))
  t.deepEqual(await store.get('uid-acme'), named('acme'))
  t.is(await store.get('nobody'), undefined)
})

test('a write that was read before another write changes nothing', async (t) => {
  const store = await tenants(t)
  await store.add(named('acme'))
  const read = await store.get('uid-acme')
  if (read === undefined) throw new Error('it is not there')
  const changed = await store.change(read, { ...read, spec: { ...read.spec, state: 'suspended' } })
  t.like(changed, { generation: 2, revision: 2 })
  t.is(await store.saveStatus(read, { ...read.status, effective: 'stale' }), undefined)
  t.is((await store.get('uid-acme'))?.status.effective, 'running')
  if (changed === undefined) throw new Error('it was not changed')
  t.like(await store.saveStatus(changed, { ...changed.status, effective: 'x' }), { generation: 2, revision: 3 })
})

test('a watch tells every write from the moment it is open, in order', async (t) => {
  const store = await tenants(t)
  await store.add(named('before'))
  const seen: string[] = []
  const watch = await store.watch({
    changed: ({ name, revision }) => seen.push(`${name} ${revision}`),
    removed: () => t.fail(),
    missed: () => t.fail(),
  })
  await store.add(named('acme'))
  let tenant = await store.get('uid-acme')
  for (let write = 0; write < 5 && tenant !== undefined; write += 1)
    tenant = await store.saveStatus(tenant, { ...tenant.status, effective: `${write}` })
  await until('the last write is told', 10_000, () => Promise.resolve(seen.includes('acme 6') ? true : undefined))
  t.is(seen[0]?.startsWith('acme'), true)
  await watch.close()
  await store.add(named('after'))
  t.false(seen.some((entry) => entry.startsWith('after')))
})
