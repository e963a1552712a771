// Tenants over the real store: names, compare-and-set, watching, and a watch over a server without change streams.
import { EventEmitter } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { MongoServerError, type Db } from 'mongodb'
import type { Tenant } from '../../specs/tenant.ts'
import { openStore } from '../../src/store/open.ts'
import { tenantsIn, type Tenants } from '../../src/store/tenants.ts'
import { until } from '../helpers/processes.ts'
import { tenantWith } from '../helpers/tenants.ts'

async function database(t: ExecutionContext): Promise<Db> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-tenants-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  return store.db
}

const tenants = async (t: ExecutionContext): Promise<Tenants> => tenantsIn(await database(t))

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

test('a domain belongs to one tenant at a time, and tenants without domains do not meet', async (t) => {
  const store = await tenants(t)
  const withDomains = (name: string, domains: string[]): Tenant => {
    const tenant = named(name)
    return { ...tenant, spec: { ...tenant.spec, domains } }
  }
  t.is(await store.add(named('plain')), 'added')
  t.is(await store.add(named('other')), 'added')
  const race = await Promise.all(
    ['a', 'b', 'c'].map((name) => store.add(withDomains(name, [`${name}.test`, 'one.test']))),
  )
  t.deepEqual(race.sort(), ['added', 'taken', 'taken'])
  const plain = await store.byName('plain')
  if (plain === undefined) throw new Error('it is not there')
  t.is(await store.change(plain, { ...plain, spec: { ...plain.spec, domains: ['one.test'] } }), undefined)
  t.like(await store.change(plain, { ...plain, spec: { ...plain.spec, domains: ['two.test'] } }), { generation: 2 })
})

/** The database of a server that has no change streams, as a standalone mongod. */
function withoutStreams(db: Db): Db {
  const refuse = () => Promise.reject(new MongoServerError({ message: 'needs a replica set', code: 40_573 }))
  const stream = Object.assign(new EventEmitter(), { tryNext: refuse, close: () => Promise.resolve() })
  const collection = (name: string) =>
    new Proxy(db.collection(name), {
      get: (target, key) => {
        if (key === 'watch') return () => stream
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  return { collection } as unknown as Db
}

test('where there are no change streams the watch compares revisions', async (t) => {
  const db = await database(t)
  const store = tenantsIn(withoutStreams(db))
  await store.add(named('acme'))
  const seen: string[] = []
  const watch = await store.watch({
    changed: ({ name, revision }) => seen.push(`${name} ${revision}`),
    removed: (uid) => seen.push(`removed ${uid}`),
    missed: () => t.fail(),
  })
  const tenant = await store.get('uid-acme')
  if (tenant === undefined) throw new Error('it is not there')
  await store.saveStatus(tenant, { ...tenant.status, effective: 'x' })
  await store.add(named('globex'))
  await until('both are told', 10_000, () => Promise.resolve(seen.length >= 2 ? true : undefined))
  t.deepEqual(seen.sort(), ['acme 2', 'globex 1'])
  await db.collection('tenants').deleteMany({})
  await until('both are gone', 10_000, () => Promise.resolve(seen.length >= 4 ? true : undefined))
  t.true(seen.includes('removed uid-acme'))
  await watch.close()
})

test('a purged tenant is a tombstone: ids stay, what its owner wrote goes, and its name and domain are free', async (t) => {
  const db = await database(t)
  const store = tenantsIn(db)
  const personal = { labels: { owner: 'jane-doe' }, domains: ['agent.jane.test'], config: { note: 'canary' } }
  const { labels, domains, config } = personal
  const before = tenantWith(
    { domains, config },
    {
      labels,
      entitlement: { state: 'suspended', reason: 'canary' },
      parked: { entitlement: { state: 'ended' }, since: 1 },
    },
  )
  const status = { ...before.status, volume: { id: 'vol_1', incarnation: 1 }, hosts: domains }
  await store.add({ ...before, status })
  const [stale] = await store.page({ limit: 1 })
  if (stale === undefined) throw new Error('it is not there')
  const fresh = await store.saveStatus(stale, status)
  t.false(await store.purge(stale))
  t.true(fresh !== undefined && (await store.purge(fresh)))
  t.is(await store.byName('acme'), undefined)
  const tombstone = await db.collection<{ _id: string }>('tenants').findOne({ _id: before.uid })
  t.like(tombstone, { purged: true, name: 'acme', status: { volume: { id: 'vol_1' } } })
  t.notRegex(JSON.stringify(tombstone), /canary|jane/)
  t.deepEqual(await store.claimsOf('vol_1', 'somebody-else'), [before.uid])
  t.deepEqual(await store.claimsOf('vol_1', before.uid), [])
  t.is(await store.add({ ...before, uid: 'another-uid' }), 'added')
  t.is((await store.byName('acme'))?.uid, 'another-uid')
})
