// What belongs to nobody is found, proved twice and put aside; what belongs to somebody, or to somebody else, is not touched.
import test from 'ava'
import { metadataKeys } from '../../specs/names.ts'
import { grownMs, searched, strangeUid } from './fixture.ts'

const quarantined = async (it: Awaited<ReturnType<typeof searched>>, id: string) =>
  (await it.metadataOf(id))[metadataKeys.quarantine] !== undefined

test('a fleet whose tenants are all known has no orphans, and a sweep changes nothing', async (t) => {
  const it = await searched(t, ['acme', 'globex'])
  const before = await it.mutations()
  it.later(grownMs)
  await it.sweep(3)
  t.deepEqual(await it.orphans.all(), [])
  t.deepEqual(await it.mutations(), before)
})

test('a machine of nobody: old enough, seen twice, then labelled and stopped, and never destroyed', async (t) => {
  const it = await searched(t, ['acme'])
  const id = await it.machine(strangeUid)
  await it.sweep(2)
  t.like(await it.orphan(id), { state: 'suspected', reason: 'TooYoung' })
  it.later(grownMs)
  await it.orphans.remove([id])
  const before = await it.mutations()
  await it.sweep()
  t.like(await it.orphan(id), { state: 'suspected', reason: 'Found', cause: 'noTenant', uid: strangeUid })
  t.deepEqual(await it.mutations(), before)

  await it.sweep()
  t.true(await quarantined(it, id))
  t.is(await it.stateOf(id), 'started')
  await it.sweep(3)
  t.is(await it.stateOf(id), 'stopped')
  t.like(await it.orphan(id), { state: 'quarantined', reason: 'Quarantined' })
  const { metadataUpdate = 0, machineStop = 0, machineDelete = 0 } = await it.mutations()
  t.deepEqual([metadataUpdate - (before['metadataUpdate'] ?? 0), machineStop, machineDelete], [1, 1, 0])
  t.is(await it.stateOf((await it.tenants.byName('acme'))?.status.machine?.id ?? ''), 'started')
})

test('one reading is no proof: a suspect that was seen a moment ago is not touched yet', async (t) => {
  const it = await searched(t, ['acme'])
  const id = await it.machine(strangeUid)
  it.later(grownMs)
  await it.sweep()
  const [record] = await it.orphans.all()
  if (record === undefined) throw new Error('it was not found')
  await it.orphans.save(record, { ...record, firstSeen: it.ports.clock.now() + 90_000 })
  await it.sweep()
  t.like(await it.orphan(id), { state: 'suspected', reason: 'AwaitingProof' })
  t.false(await quarantined(it, id))
  await it.sweep()
  t.true(await quarantined(it, id))
})

test('a suspect that turns out to be a tenant’s is forgotten, at the last moment too', async (t) => {
  const it = await searched(t, ['acme'])
  const tenant = await it.tenants.byName('acme')
  if (tenant === undefined) throw new Error('acme is not there')
  await it.add('globex')
  await it.db.collection<{ _id: string }>('tenants').deleteOne({ _id: tenant.uid })
  it.later(grownMs)
  await it.sweep()
  t.is((await it.orphans.all()).length, 2)
  t.is(await it.tenants.add(tenant), 'added')
  const before = await it.mutations()
  await it.sweep()
  t.deepEqual(await it.orphans.all(), [])
  t.deepEqual(await it.mutations(), before)
})

test('a lost database stops nothing, however long it lasts, and says how to get the fleet back', async (t) => {
  const it = await searched(t, ['acme', 'globex', 'initech'])
  await it.db.collection('tenants').deleteMany({})
  it.later(grownMs)
  const before = await it.mutations()
  await it.sweep(4)
  t.deepEqual(await it.mutations(), before)
  const found = await it.orphans.all()
  t.is(found.length, 6)
  t.true(found.every(({ state, reason }) => state === 'suspected' && reason === 'DatabaseLost'))
  t.regex(found[0]?.message ?? '', /moor adopt/)
  // One new tenant does not make the others orphans.
  await it.add('new')
  await it.sweep(3)
  t.deepEqual(await it.mutations(), before)
  t.true((await it.orphans.all()).every(({ reason }) => reason === 'TooManyOrphans'))
})

test('a few orphans are believed, more than a tenth of the fleet are not', async (t) => {
  const it = await searched(t, ['acme'])
  const ids = [await it.machine(strangeUid), await it.machine('yyyyyyyyyyyyyyyy')]
  it.later(grownMs)
  const third = await it.volume(`kc_tes_${strangeUid}_001`)
  await it.sweep(3)
  t.like(await it.orphan(third), { reason: 'TooManyOrphans' })
  for (const id of ids) t.false(await quarantined(it, id))
  await it.api('DELETE', `/apps/app/machines/${ids[0] ?? ''}?force=true`)
  await it.sweep(3)
  t.true(await quarantined(it, ids[1] ?? ''))
})

test('while the fleet is only observed, or its lists are doubted, orphans are only reported', async (t) => {
  const it = await searched(t, ['acme'])
  const id = await it.machine(strangeUid)
  it.later(grownMs)
  it.guard({ mode: 'observe-only' })
  await it.sweep(3)
  t.like(await it.orphan(id), { state: 'suspected', reason: 'ObserveOnly' })
  it.guard({ suspect: { since: 0, message: 'The list is half as long as it was.' } })
  await it.sweep(3)
  t.like(await it.orphan(id), { reason: 'ObservationSuspect', message: 'The list is half as long as it was.' })
  t.false(await quarantined(it, id))
  it.guard({})
  await it.sweep()
  t.true(await quarantined(it, id))
})

test('what others made is not seen, and what has our stamp but another name is not touched', async (t) => {
  const it = await searched(t, ['acme'])
  const foreign = await it.machine(strangeUid, 'somebody-else', { [metadataKeys.environment]: 'prod' })
  const volume = await it.volume('somebody_else')
  const odd = await it.machine(strangeUid, 'our-stamp-only')
  it.later(grownMs)
  const before = await it.mutations()
  await it.sweep(4)
  t.deepEqual(await it.mutations(), before)
  t.deepEqual([await it.orphan(foreign), await it.orphan(volume)], [undefined, undefined])
  t.like(await it.orphan(odd), { state: 'suspected', cause: 'unidentified', reason: 'Unidentified' })
})

test('a second machine of a living tenant is its own passes’ business', async (t) => {
  const it = await searched(t, ['acme'])
  const tenant = await it.tenants.byName('acme')
  const id = await it.machine(tenant?.uid ?? '', `kc-test-${tenant?.uid ?? ''}-9`)
  it.later(grownMs)
  await it.sweep(3)
  t.is(await it.orphan(id), undefined)
  t.is(await it.stateOf(id), 'started')
})

test('a call that fails is told, and tried again at its time', async (t) => {
  const it = await searched(t, ['acme'])
  const id = await it.machine(strangeUid)
  it.later(grownMs)
  await it.sweep()
  await it.api('POST', '/_sim/faults', { kind: 'status', status: 503, action: 'metadataUpdate', count: 1 })
  await it.sweep()
  t.like(await it.orphan(id), { reason: 'FlyUnavailable', attempts: 1 })
  t.false(await quarantined(it, id))
  await it.sweep(3)
  t.true(await quarantined(it, id))
  t.like(await it.orphan(id), { state: 'quarantined', attempts: 0 })
})
