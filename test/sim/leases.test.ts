// Leases: the envelope, whom they keep out, what they do not guard.
import test from 'ava'
import { image, machine, slowWorld, until, world } from './fixture.ts'

const path = '/apps/app/machines'
const header = 'fly-machine-lease-nonce'

test('a lease comes in an envelope, keeps others out of what it guards, and can be refreshed and released', async (t) => {
  const { api } = await world(t)
  const { id, instance_id: version } = await machine(api, 'leased')
  const at = `${path}/${id}`
  t.is((await api('GET', `${at}/lease`)).status, 404)
  const taken = await api('POST', `${at}/lease`, { ttl: 120, description: 'mine' })
  t.is(taken.status, 201)
  t.like(taken.body, { status: 'success', data: { description: 'mine', version } })
  const { nonce } = taken.body.data
  t.true(Math.abs(taken.body.data.expires_at - Date.now() / 1000 - 120) < 5)
  for (const [method, call, body] of [
    ['POST', '/lease', { ttl: 10 }],
    ['POST', '', { config: { image } }],
    ['POST', '/start', undefined],
    ['POST', '/stop', undefined],
    ['POST', '/suspend', undefined],
    ['POST', '/restart', undefined],
    ['POST', '/cordon', undefined],
    ['POST', '/uncordon', undefined],
    ['DELETE', '?force=true', undefined],
  ] as const) {
    const refused = await api(method, at + call, body)
    t.is(refused.status, 409, call)
    t.is(refused.body.status, 'error')
    t.regex(refused.body.message, /^machine ID \w+ lease currently held by \S+@tokens\.fly\.io, expires at \d{4}-/)
  }
  t.is((await api('POST', `${at}/metadata/free`, { value: 'yes' })).status, 204)
  t.is((await api('POST', `${at}/exec`, { command: ['true'] })).status, 200)
  const refreshed = await api('POST', `${at}/lease`, { ttl: 300 }, { [header]: nonce })
  t.is(refreshed.status, 201)
  t.is(refreshed.body.data.nonce, nonce)
  t.is((await api('POST', `${at}/cordon`, undefined, { [header]: nonce })).status, 200)
  t.true((await api('GET', at)).body.cordoned)
  t.is((await api('GET', `${at}/lease`)).body.data.nonce, nonce)
  t.like((await api('GET', `${path}?include_leases=true`)).body[0]?.lease, { description: 'mine' })
  t.is((await api('DELETE', `${at}/lease`)).status, 400)
  t.is((await api('DELETE', `${at}/lease`, undefined, { [header]: 'other' })).status, 409)
  const released = await api('DELETE', `${at}/lease`, undefined, { [header]: nonce })
  t.deepEqual(released.body, { status: 'success', data: { ok: true } })
  t.is((await api('POST', `${at}/stop`)).status, 200)
})

test('a create with lease_ttl answers the nonce, and only that answer does', async (t) => {
  const { api } = await world(t)
  const made = await api('POST', path, { name: 'own', config: { image }, lease_ttl: 60 })
  const { id, nonce } = made.body
  t.regex(nonce, /^[0-9a-f]{12}$/)
  t.false('nonce' in (await until(api, id, 'started')))
  t.is((await api('POST', `${path}/${id}/stop`)).status, 409)
  t.is((await api('POST', `${path}/${id}/stop`, undefined, { [header]: nonce })).status, 200)
})

test('a lease ends by itself', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const { id } = (await settle(api('POST', path, { name: 'brief', config: { image } }))).body
  await settle(api('GET', `${path}/${id}/wait`))
  t.is((await settle(api('POST', `${path}/${id}/lease?ttl=30`))).status, 201)
  t.is((await settle(api('POST', `${path}/${id}/stop`))).status, 409)
  await clock.advance(30_000)
  t.is((await settle(api('POST', `${path}/${id}/stop`))).status, 200)
})
