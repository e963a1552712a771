// Apps, what hangs on them, the platform, and the lists over an organisation.
import test from 'ava'
import { image, machine, mounted, until, world } from './fixture.ts'

test('an app is created by either name, once, and read back', async (t) => {
  const { api } = await world(t)
  const made = await api('POST', '/apps', { app_name: 'shop-1', org_slug: 'acme', network: 'net' })
  t.is(made.status, 201)
  t.deepEqual(Object.keys(made.body).sort(), ['created_at', 'id'])
  const taken = await api('POST', '/apps', { name: 'shop-1', org_slug: 'acme' })
  t.is(taken.status, 422)
  t.deepEqual(taken.body, { error: 'Validation failed: Name has already been taken', status: 'name_taken' })
  const organization = { slug: 'acme' }
  t.like((await api('GET', '/apps/shop-1')).body, { name: 'shop-1', network: 'net', machine_count: 0, organization })
  t.is((await api('GET', '/apps?org_slug=acme')).body.total_apps, 1)
  t.is((await api('GET', '/apps')).status, 400)
  t.is((await api('GET', '/apps/none')).status, 404)
  t.is((await api('POST', '/apps', { name: 'No Good', org_slug: 'acme' })).status, 422)
})

test('an idempotency key gives the same app again', async (t) => {
  const { api } = await world(t)
  const body = { name: 'once', org_slug: 'acme', idempotency_key: 'k' }
  const first = await api('POST', '/apps', body)
  t.deepEqual((await api('POST', '/apps', body)).body, first.body)
  t.is((await api('POST', '/apps', { ...body, name: 'twice' })).status, 422)
})

test('deleting an app takes everything in it', async (t) => {
  const { api, guests } = await world(t)
  await mounted(api, 'inside')
  await api('POST', '/apps/app/certificates/acme', { hostname: 'a.localhost' })
  t.is((await api('DELETE', '/apps/app')).status, 202)
  t.is((await api('GET', '/apps/app')).status, 404)
  const seen = async () => (await api('GET', '/_sim/state')).body
  for (let tries = 0; tries < 50 && (await seen()).machines[0]?.state !== 'destroyed'; tries++);
  const { machines, volumes, certificates } = await seen()
  t.is(machines[0]?.state, 'destroyed')
  t.is(volumes[0]?.state, 'pending_destroy')
  t.is(certificates[0]?.status, 'destroyed')
  t.is(guests.up.size, 0)
})

test('secrets show digests and never values', async (t) => {
  const { api } = await world(t)
  const set = await api('POST', '/apps/app/secrets', { values: { KEY: 'top-secret', OTHER: 'x' } })
  t.like(set.body, { version: 1 })
  t.is((await api('POST', '/apps/app/secrets/THIRD', { value: 'top-secret' })).status, 201)
  t.like((await api('POST', '/apps/app/secrets', { values: { OTHER: null } })).body, { version: 3 })
  const { body } = await api('GET', '/apps/app/secrets?show_secrets=true')
  t.deepEqual(
    body.secrets.map((each: { name: string }) => each.name),
    ['KEY', 'THIRD'],
  )
  t.is(body.secrets[0]?.digest, body.secrets[1]?.digest)
  t.false(JSON.stringify(body).includes('top-secret'))
  t.is((await api('DELETE', '/apps/app/secrets/KEY')).status, 200)
  t.is((await api('GET', '/apps/app/secrets/KEY')).status, 404)
})

test('addresses are assigned and released', async (t) => {
  const { api } = await world(t)
  const { status, body } = await api('POST', '/apps/app/ip_assignments', { type: 'shared_v4' })
  t.is(status, 200)
  t.true(body.shared)
  t.is((await api('GET', '/apps/app/ip_assignments')).body.ips.length, 1)
  t.is((await api('DELETE', `/apps/app/ip_assignments/${body.ip}`)).status, 204)
  t.deepEqual((await api('GET', '/apps/app/ip_assignments')).body.ips, [])
  t.is((await api('POST', '/apps/app/ip_assignments', { type: 'v5' })).status, 400)
})

test('the platform answers in PascalCase', async (t) => {
  const { api } = await world(t)
  const { body } = await api('GET', '/platform/regions')
  t.true(body.Regions.length >= 18)
  t.true(body.Regions.some((each: { code: string }) => each.code === 'iad'))
  const any = await api('POST', '/platform/placements', { org_slug: 'personal', region: 'fra,any' })
  t.is(any.body.Regions[0]?.Region, 'fra')
  t.is(any.body.Regions.length, body.Regions.length)
  t.is((await api('POST', '/platform/placements', {})).status, 400)
  t.is((await api('GET', '/tokens/current')).body.tokens[0]?.org_slug, 'personal')
  t.regex((await api('POST', '/apps/app/deploy_token', { expiry: '1h' })).body.token, /^FlyV1 /)
})

test('the organisation lists span apps and come in pages', async (t) => {
  const { api } = await world(t)
  await api('POST', '/apps', { name: 'second', org_slug: 'personal' })
  await api('POST', '/apps', { name: 'foreign', org_slug: 'other' })
  for (const app of ['second', 'foreign']) await api('POST', `/apps/${app}/machines`, { config: { image } })
  const gone = await machine(api, 'gone')
  await api('DELETE', `/apps/app/machines/${gone.id}?force=true`)
  await until(api, gone.id, 'destroyed')
  await mounted(api, 'here')
  const apps: string[] = []
  let cursor = ''
  do {
    const { body } = await api('GET', `/orgs/personal/machines?limit=1&cursor=${cursor}`)
    apps.push(...body.machines.map((each: { app_name: string }) => each.app_name))
    cursor = body.next_cursor
  } while (cursor !== '')
  t.deepEqual(apps.sort(), ['app', 'second'])
  t.is((await api('GET', '/orgs/personal/machines?include_deleted=true')).body.machines.length, 3)
  t.is((await api('GET', '/orgs/personal/volumes')).body.volumes.length, 1)
})

test('private addresses are all different and come from one network of the folder', async (t) => {
  const { api } = await world(t)
  const made = await Promise.all(Array.from({ length: 30 }, (_none, at) => machine(api, `m${at}`)))
  const addresses = made.map((each) => each.private_ip)
  t.is(new Set(addresses).size, 30)
  t.is(new Set(addresses.map((address) => address.split('.').slice(0, 2).join('.'))).size, 1)
})
