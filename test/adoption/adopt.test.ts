// The database is lost and the fleet lives: every tenant comes back as it was, and nothing on Fly is touched.
import test from 'ava'
import { adoption } from '../../src/adoption.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { metadataKeys } from '../../specs/names.ts'
import { fleet, type Fleet } from '../helpers/living-fleet.ts'

/** Of a tenant, what a person said of it. */
async function words({ tenants }: Fleet, name: string) {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) return undefined
  const { uid, labels, spec, status } = tenant
  const { id, incarnation } = status.machine ?? {}
  return { uid, name, labels, spec, machine: { id, incarnation }, volume: status.volume?.id, hosts: status.hosts }
}

/** A part of a body, to be laid over and sent again. */
const parts = (body: unknown) => body as Readonly<Record<string, object>>

const wipe = ({ db }: Fleet) => db.collection('tenants').deleteMany({})
const adoptInto = ({ ports, db, tenants, classes }: Fleet, dryRun = false, asleep = false) =>
  adoption(ports, db, tenants, classes)({ dryRun, asleep })

test('what was provisioned, lost and adopted is word for word what it was, without one change on Fly', async (t) => {
  const it = await fleet(t)
  const config = { channels: { telegram: { enabled: true } }, browser: { headless: null }, list: [1, null] }
  await it.add('acme', { config, domains: ['www.acme.org'] }, { plan: 'pro' })
  await it.api('POST', '/apps/app/certificates/acme', { hostname: 'www.acme.org' })
  await it.add('globex', { class: 'byok', guest: { cpuKind: 'shared', cpus: 2, memoryMb: 4096 }, update: 'immediate' })
  await it.add('initech', { volume: { sizeGb: 3 }, idle: { afterMinutes: 0 } })
  await it.converge()
  const asleep = await it.tenants.byName('initech')
  if (asleep === undefined) throw new Error('initech is not there')
  await it.tenants.change(asleep, { ...asleep, spec: { ...asleep.spec, state: 'suspended' } })
  await it.converge()
  const names = ['acme', 'globex', 'initech']
  const before = await Promise.all(names.map((name) => words(it, name)))
  const mutations = await it.mutations()
  await wipe(it)

  const dry = await adoptInto(it, true)
  t.is(dry.adopted.length, 3)
  t.deepEqual(await it.tenants.uids(), [])
  const report = await adoptInto(it)
  t.deepEqual(report.adopted.map(({ name, drift, state }) => [name, drift, state]).sort(), [
    ['acme', 'none', 'running'],
    ['globex', 'none', 'running'],
    ['initech', 'none', 'suspended'],
  ])
  t.deepEqual([report.skipped, report.unclaimed], [[], []])
  t.deepEqual(await Promise.all(names.map((name) => words(it, name))), before)
  t.like(await it.tenants.byName('acme'), { generation: 1, status: { observedGeneration: 0 } })

  await it.converge()
  t.is((await it.tenants.byName('acme'))?.status.route.kind, 'forward')
  t.deepEqual(await it.mutations(), mutations)

  const again = await adoptInto(it)
  t.deepEqual([again.adopted, again.skipped.length, again.unclaimed], [[], 3, []])
})

test('what is not beyond doubt is named with its reason, and the rest is adopted', async (t) => {
  const it = await fleet(t)
  const named = ['fine', 'blank', 'twin', 'other', 'forged', 'config', 'tomb', 'name']
  const uids = new Map<string, string>()
  for (const name of named) uids.set(name, (await it.add(name)).uid)
  await it.converge()
  const idOf = async (name: string) => (await it.tenants.byName(name))?.status.machine?.id ?? ''
  const set = async (name: string, key: string, value: string) =>
    it.api('POST', `/apps/app/machines/${await idOf(name)}/metadata/${key}`, { value })
  await set('blank', metadataKeys.record, 'bm9uc2Vuc2U')
  await set('other', metadataKeys.tenant, 'twin')
  await set('forged', metadataKeys.incarnation, '2')
  const ids = new Map(await Promise.all(named.map(async (name) => [name, await idOf(name)] as const)))
  const shown = parts((await it.api('GET', `/apps/app/machines/${ids.get('config') ?? ''}`)).body.config)
  const env = { ...shown['env'], OPENCLAW_CONFIG_B64: 'e30=' }
  await it.api('POST', `/apps/app/machines/${ids.get('config') ?? ''}`, { config: { ...shown, env } })
  await it.api('GET', `/apps/app/machines/${ids.get('config') ?? ''}/wait?timeout=5`)
  const extra = { name: `kc_tes_${uids.get('fine') ?? ''}_001`, region: 'iad', size_gb: 1 }
  const duplicate = (await it.api('POST', '/apps/app/volumes', extra)).body.id
  const lone = (await it.api('POST', '/apps/app/volumes', { ...extra, name: 'kc_tes_zzzzzzzzzzzzzzzz_001' })).body.id
  const purged = await it.tenants.byName('tomb')
  await wipe(it)
  if (purged === undefined) throw new Error('tomb is not there')
  t.is(await it.tenants.add(purged), 'added')
  await it.tenants.purge(purged)
  await it.add('name')

  const report = await adoptInto(it)
  t.deepEqual(
    report.adopted.map(({ name }) => name),
    ['fine'],
  )
  t.deepEqual(
    report.skipped.map(({ name }) => name),
    ['name'],
  )
  const reasons = new Map(report.unclaimed.map(({ id, reason }) => [id, reason]))
  const reasonOf = (name: string) => reasons.get(ids.get(name) ?? '') ?? ''
  t.regex(reasonOf('blank'), /no readable record/)
  t.regex(reasonOf('twin'), /claims twin too/)
  t.regex(reasonOf('other'), /other platform settings/)
  t.regex(reasonOf('forged'), /different things/)
  t.regex(reasonOf('config'), /other platform settings/)
  t.regex(reasonOf('tomb'), /left over from tomb/)
  t.regex(reasons.get(duplicate) ?? '', /kept/)
  t.regex(reasons.get(lone) ?? '', /No machine/)
  t.is((await it.tenants.uids()).length, 2)
})

test('of two incarnations the higher one is the tenant, and the other is fenced', async (t) => {
  const it = await fleet(t)
  const { uid } = await it.add('acme')
  await it.converge()
  const first = (await it.tenants.byName('acme'))?.status.machine?.id ?? ''
  const old = parts((await it.api('GET', `/apps/app/machines/${first}`)).body.config)
  const volume = (await it.api('POST', '/apps/app/volumes', { name: `kc_tes_${uid}_002`, region: 'iad', size_gb: 1 }))
    .body
  const metadata = { ...old['metadata'], [metadataKeys.incarnation]: '2' }
  const config = { ...old, metadata, mounts: [{ volume: volume.id, path: '/data' }] }
  const name = `kc-test-${uid}-2`
  const second = (await it.api('POST', '/apps/app/machines', { name, region: 'iad', config })).body
  await it.api('GET', `/apps/app/machines/${second.id}/wait?timeout=5`)
  await wipe(it)
  const report = await adoptInto(it)
  t.like(report.adopted[0], { machine: second.id, volume: volume.id, fenced: [first] })
  t.like(await it.tenants.byName('acme'), {
    status: { machine: { id: second.id, incarnation: 2 }, volume: { id: volume.id, incarnation: 2 }, fenced: [first] },
  })
})

test('two readings that differ adopt nobody, and neither does a host that hides its machine', async (t) => {
  const it = await fleet(t)
  await it.add('acme')
  await it.converge()
  const machine = (await it.tenants.byName('acme'))?.status.machine?.id ?? ''
  await wipe(it)
  await it.api('POST', '/_sim/faults', { kind: 'emptyList', action: 'machineList', count: 1 })
  await t.throwsAsync(adoptInto(it), { message: /Two readings of the fleet differ/ })
  t.deepEqual(await it.tenants.uids(), [])
  await it.api('POST', '/_sim/faults', { kind: 'hostDown', machine })
  const report = await adoptInto(it)
  t.deepEqual(report.adopted, [])
  await it.api('DELETE', '/_sim/faults')
  t.is((await adoptInto(it)).adopted.length, 1)
})

test('tenants that slept are adopted as suspended, or as sleeping where an operator says so', async (t) => {
  const it = await fleet(t)
  await it.add('sleeper', { idle: { afterMinutes: 1 } })
  await it.add('steady', { idle: { afterMinutes: 0 } })
  await it.add('waking', { idle: { afterMinutes: 30 } })
  await it.converge()
  it.later(20 * 60_000)
  const rests = (tenants: readonly Tenant[]) => tenants.some(({ status }) => status.machine?.state === 'suspended')
  await it.converge([], rests)
  t.like(await it.tenants.byName('sleeper'), { status: { effective: 'idle-suspended' } })
  const mutations = await it.mutations()
  const effective = async (name: string) => (await it.tenants.byName(name))?.status.effective
  await wipe(it)
  await adoptInto(it)
  await it.converge()
  t.is(await effective('sleeper'), 'admin-suspended')
  await wipe(it)
  await adoptInto(it, false, true)
  // Nobody knows when the others were last used: they are not put to sleep for having been made long ago.
  it.later(20 * 60_000)
  await it.converge()
  t.deepEqual(
    [await effective('sleeper'), await effective('steady'), await effective('waking')],
    ['idle-suspended', 'running', 'running'],
  )
  t.deepEqual(await it.mutations(), mutations)
})

test('the shipped classes are back with another image: the fleet’s own is kept, and nobody drifts', async (t) => {
  const it = await fleet(t)
  for (const name of ['acme', 'globex', 'hooli']) await it.add(name)
  await it.add('own', { image: 'ghcr.io/openclaw/openclaw:own' })
  await it.converge()
  const mutations = await it.mutations()
  await wipe(it)
  const { book, classes } = it.classes
  const shipped = await classes.read('standard')
  if (shipped === undefined) throw new Error('the class is missing')
  const image = 'ghcr.io/openclaw/openclaw:shipped'
  const other = await classes.save({ ...shipped, spec: { ...shipped.spec, image }, stable: image })
  if (other === undefined) throw new Error('the class was written by somebody else')
  book.takeClass(other)

  const drifts = async (dryRun: boolean) => (await adoptInto(it, dryRun)).adopted.map(({ drift }) => drift)
  t.deepEqual(await drifts(true), ['none', 'none', 'none', 'none'])
  t.is((await classes.read('standard'))?.stable, image)
  t.deepEqual(await drifts(false), ['none', 'none', 'none', 'none'])
  t.like(await classes.read('standard'), { stable: shipped.stable, spec: { image: shipped.stable } })
  await it.converge()
  t.deepEqual(await it.mutations(), mutations)
})
