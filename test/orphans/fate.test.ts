// What happens to orphans in the end: leftovers of purged tenants, volumes, a person's release and keep, the budget.
import test from 'ava'
import { startTestApi } from '../api/fixture.ts'
import { until } from '../sim/fixture.ts'
import { dayMs, grownMs, searched, strangeUid, type Searched } from './fixture.ts'

/** The tenant as a purge leaves it: a tombstone. */
async function bury(it: Searched, name: string) {
  const tenant = await it.tenants.byName(name)
  if (tenant === undefined) throw new Error(`${name} is not there`)
  await it.tenants.purge(tenant)
  return { machine: tenant.status.machine?.id ?? '', volume: tenant.status.volume?.id ?? '', uid: tenant.uid }
}

const snapshots = async (it: Searched, volume: string) =>
  (await it.api('GET', `/apps/app/volumes/${volume}/snapshots`)).body.length

test('a machine left over from a purged tenant is destroyed and charged; its volume is kept', async (t) => {
  const it = await searched(t, ['acme', 'globex'])
  const { machine, volume, uid } = await bury(it, 'globex')
  it.later(grownMs)
  await it.sweep()
  t.is(await it.stateOf(machine), 'started')
  await it.sweep(3)
  t.is(await it.stateOf(machine), 'destroyed')
  t.like(it.charged[0], { kind: 'orphan', uid, region: 'iad' })
  t.is(it.charged.length, 1)
  t.like(await it.orphan(machine), { state: 'gone' })
  t.like(await it.orphan(volume), { state: 'quarantined', cause: 'leftover' })
  t.is(await it.stateOf(volume), 'created')
  t.is(await snapshots(it, volume), 1)
})

test('a volume that its own purge destroyed is on its way, and no orphan', async (t) => {
  const it = await searched(t, ['acme', 'globex'])
  const { machine, volume } = await bury(it, 'globex')
  await it.api('DELETE', `/apps/app/machines/${machine}?force=true`)
  await until(it.api, machine, 'destroyed')
  t.is((await it.api('DELETE', `/apps/app/volumes/${volume}`)).status, 200)
  it.later(grownMs)
  await it.sweep(3)
  t.deepEqual(await it.orphans.all(), [])
})

test('leftovers go one by one where the budget allows no more', async (t) => {
  const it = await searched(t, ['acme', 'globex'])
  for (const name of ['a', 'b']) await it.add(name)
  await it.converge()
  const volumes: string[] = []
  const machines: string[] = []
  for (const name of ['a', 'b']) {
    const { machine, volume } = await bury(it, name)
    machines.push(machine)
    volumes.push(volume)
  }
  // Their volumes are decided about, so that two orphans are few enough.
  it.later(grownMs)
  await it.sweep()
  for (const record of await it.orphans.all())
    if (volumes.includes(record.id)) await it.orphans.save(record, { ...record, state: 'kept' })
  await it.sweep(5)
  const states = () => Promise.all(machines.map((id) => it.stateOf(id)))
  t.deepEqual((await states()).sort(), ['destroyed', 'started'])
  t.true((await it.orphans.all()).some(({ reason }) => reason === 'BudgetSpent'))
  it.later(600_000)
  await it.sweep(2)
  t.deepEqual(await states(), ['destroyed', 'destroyed'])
})

test('a second volume of a living tenant gets one snapshot and is kept for ever', async (t) => {
  const it = await searched(t, ['acme'])
  const tenant = await it.tenants.byName('acme')
  const id = await it.volume(`kc_tes_${tenant?.uid ?? ''}_001`)
  it.later(grownMs)
  await it.sweep(4)
  t.like(await it.orphan(id), { state: 'quarantined', cause: 'duplicate', reason: 'Quarantined' })
  t.is(await snapshots(it, id), 1)
  it.later(15 * dayMs)
  await it.sweep(3)
  t.like(await it.orphan(id), { state: 'quarantined', reason: 'AwaitingDecision' })
  t.is(await it.stateOf(id), 'created')
  t.is(await snapshots(it, tenant?.status.volume?.id ?? ''), 0)

  // A person gives it up after all; its snapshot has run out by now, so another one comes first.
  t.is(await snapshots(it, id), 0)
  const held = await it.orphan(id)
  if (held === undefined) throw new Error('it was not found')
  await it.orphans.save(held, { ...held, state: 'released' })
  await it.sweep(4)
  t.is(await it.stateOf(id), 'pending_destroy')
  t.is(await snapshots(it, id), 1)
  t.is(await it.stateOf(tenant?.status.volume?.id ?? ''), 'created')
})

test('a person releases a machine and a volume over REST, and both are destroyed', async (t) => {
  const it = await searched(t, ['acme'])
  const rest = await startTestApi(t, () => ({ orphans: it.orphans }))
  const post = (id: string, action: string) => rest.call(`/v1/orphans/${id}/actions/${action}`, { method: 'POST' })
  const machine = await it.machine(strangeUid)
  const volume = await it.volume(`kc_tes_${strangeUid}_001`)
  it.later(grownMs)
  await it.sweep()
  const early = await post(volume, 'release')
  t.is(early.status, 409)
  t.like(early.json(), { code: 'conflict' })
  t.regex(String(early.json()['detail']), /not quarantined/)
  await it.sweep(4)
  const listed = (await rest.call('/v1/orphans')).json() as { items: { id: string; state: string }[] }
  t.deepEqual(listed.items.map(({ id, state }) => [id, state]).sort(), [
    [machine, 'quarantined'],
    [volume, 'quarantined'],
  ])
  t.is((await post(machine, 'release')).status, 200)
  t.like((await post(volume, 'release')).json(), { id: volume, state: 'released' })
  await it.sweep(4)
  // The budget lets one go at a time.
  it.later(600_000)
  await it.sweep(3)
  t.is(await it.stateOf(machine), 'destroyed')
  t.is(await it.stateOf(volume), 'pending_destroy')
  t.like((await rest.call(`/v1/orphans/${volume}`)).json(), { state: 'gone' })
  t.is((await post(volume, 'release')).status, 409)
  t.is((await rest.call('/v1/orphans/vol_none')).status, 404)
})

test('a released volume is not destroyed while a machine has it, or a record names it', async (t) => {
  const it = await searched(t, ['acme', 'globex'])
  const { machine, volume } = await bury(it, 'globex')
  it.later(grownMs)
  await it.sweep(4)
  const record = await it.orphan(volume)
  if (record === undefined) throw new Error('it was not found')
  t.is(record.state, 'quarantined')
  await it.orphans.save(record, { ...record, state: 'released' })
  it.later(600_000)
  await it.sweep(2)
  t.is(await it.stateOf(machine), 'destroyed')
  t.like(await it.orphan(volume), { state: 'released', reason: 'ReleaseRefused' })
  t.regex((await it.orphan(volume))?.message ?? '', /on record/)
  t.is(await it.stateOf(volume), 'created')

  const mounted = await it.volume(`kc_tes_${strangeUid}_001`)
  const config = { image: 'a/b:1', guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 256 } }
  const mounts = [{ volume: mounted, path: '/data' }]
  await it.api('POST', '/apps/app/machines', { name: 'foreign', region: 'iad', config: { ...config, mounts } })
  it.later(grownMs)
  await it.sweep(4)
  const other = await it.orphan(mounted)
  if (other === undefined) throw new Error('it was not found')
  t.is(other.state, 'quarantined')
  await it.orphans.save(other, { ...other, state: 'released' })
  await it.sweep(2)
  t.regex((await it.orphan(mounted))?.message ?? '', /attached/)
  t.is(await it.stateOf(mounted), 'created')
})

test('what a person keeps is never touched nor asked about again, until it has an owner', async (t) => {
  const it = await searched(t, ['acme'])
  const rest = await startTestApi(t, () => ({ orphans: it.orphans }))
  const id = await it.machine(strangeUid)
  it.later(grownMs)
  await it.sweep()
  const kept = await rest.call(`/v1/orphans/${id}/actions/keep`, { method: 'POST' })
  t.like(kept.json(), { state: 'kept', reason: 'Kept' })
  const before = await it.mutations()
  it.later(30 * dayMs)
  await it.sweep(3)
  t.deepEqual(await it.mutations(), before)
  t.is(await it.stateOf(id), 'started')
  // A list that lies for once does not make the decision forgotten.
  await it.api('POST', '/_sim/faults', { kind: 'emptyList', action: 'machineList', count: 1 })
  await it.sweep(2)
  t.like(await it.orphan(id), { state: 'kept' })
})
