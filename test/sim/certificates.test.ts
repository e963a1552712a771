// Certificates: from pending to active, pages, wildcards, and Let's Encrypt's weekly limit.
import test from 'ava'
import { registeredDomain } from '../../src/sim/certificates.ts'
import { slowWorld, world } from './fixture.ts'

const path = '/apps/app/certificates'

test('a certificate is pending, then active by itself', async (t) => {
  const { api, clock, settle } = await slowWorld(t)
  const made = await settle(api('POST', `${path}/acme`, { hostname: 'Acme.Example.com' }))
  t.is(made.status, 201)
  t.like(made.body, {
    hostname: 'acme.example.com',
    status: 'pending_validation',
    configured: false,
    acme_requested: true,
    rate_limited_until: null,
    certificates: [{ source: 'fly', status: 'pending_validation' }],
    dns_requirements: { acme_challenge: { name: '_acme-challenge.acme.example.com' } },
  })
  await clock.advance(2_000)
  const now = await settle(api('GET', `${path}/acme.example.com`))
  t.like(now.body, { status: 'active', configured: true, validation: { alpn_configured: true } })
  t.is(now.body.certificates[0]?.issued.length, 2)
})

test('a second one for the same host is 422; after a delete it is not', async (t) => {
  const { api } = await world(t)
  const create = () => api('POST', `${path}/acme`, { hostname: 'a.localhost' })
  t.is((await create()).status, 201)
  t.is((await create()).status, 422)
  t.is((await api('DELETE', `${path}/a.localhost`)).status, 204)
  t.is((await api('GET', `${path}/a.localhost`)).status, 404)
  t.is((await api('DELETE', `${path}/a.localhost`)).status, 404)
  t.is((await create()).status, 201)
  t.is((await api('POST', `${path}/acme`, { hostname: 'no_good' })).status, 422)
})

test('a wildcard is found under its encoded name', async (t) => {
  const { api } = await world(t)
  await api('POST', `${path}/acme`, { hostname: '*.example.com' })
  const { status, body } = await api('GET', `${path}/%2A.example.com`)
  t.is(status, 200)
  t.like(body, { hostname: '*.example.com', validation: { dns_configured: true, alpn_configured: false } })
  t.is((await api('DELETE', `${path}/%2A.example.com`)).status, 204)
})

test('a custom certificate waits for its owner, and its key is not kept', async (t) => {
  const { api, settle, clock } = await slowWorld(t)
  const body = { hostname: 'own.example.com', fullchain: 'chain', private_key: 'very-private-key' }
  const made = await settle(api('POST', `${path}/custom`, body))
  t.is(made.body.status, 'pending_ownership')
  await clock.advance(2_000)
  const checked = await settle(api('POST', `${path}/own.example.com/check`))
  t.is(checked.body.status, 'active')
  t.truthy(checked.body.dns_records)
  t.false(JSON.stringify((await api('GET', '/_sim/state')).body).includes('very-private-key'))
  t.truthy((await settle(api('DELETE', `${path}/own.example.com/custom`))).body.warning)
})

test('lists come in pages and can be filtered', async (t) => {
  const { api } = await world(t)
  for (let at = 0; at < 7; at++) await api('POST', `${path}/acme`, { hostname: `t${at}.localhost` })
  const names: string[] = []
  let cursor = ''
  do {
    const { body } = await api('GET', `${path}?limit=3&cursor=${cursor}`)
    t.is(body.total_count, 7)
    names.push(...body.certificates.map((each: { hostname: string }) => each.hostname))
    cursor = body.next_cursor
  } while (cursor !== '')
  t.is(new Set(names).size, 7)
  t.is(names.length, 7)
  t.is((await api('GET', `${path}?filter=t3`)).body.certificates.length, 1)
})

test('the fifty-first certificate of a domain in a week has to wait; another domain and localhost do not', async (t) => {
  const { api, clock, settle } = await slowWorld(t, { scale: 0 })
  for (let at = 0; at < 50; at++) await api('POST', `${path}/acme`, { hostname: `t${at}.limited.com` })
  await api('GET', `${path}?limit=500`)
  const late = await api('POST', `${path}/acme`, { hostname: 'one-more.limited.com' })
  t.is(late.body.status, 'pending_validation')
  t.regex(late.body.rate_limited_until, /^\d{4}-/)
  t.is((await api('GET', `${path}/one-more.limited.com`)).body.status, 'pending_validation')
  await api('POST', `${path}/acme`, { hostname: 'a.other.com' })
  t.is((await api('GET', `${path}/a.other.com`)).body.status, 'active')
  await clock.advance(7 * 24 * 3_600_000)
  t.is((await settle(api('GET', `${path}/one-more.limited.com`))).body.status, 'active')
})

test('a fault keeps certificates pending', async (t) => {
  const { api } = await world(t)
  await api('POST', '/_sim/faults', { kind: 'certificatePending', nameContains: 'stuck' })
  await api('POST', `${path}/acme`, { hostname: 'stuck.localhost' })
  t.is((await api('POST', `${path}/stuck.localhost/check`)).body.status, 'pending_validation')
  await api('DELETE', '/_sim/faults')
  t.is((await api('GET', `${path}/stuck.localhost`)).body.status, 'active')
})

test('the registered domain is what is sold', (t) => {
  t.is(registeredDomain('*.a.example.com'), 'example.com')
  t.is(registeredDomain('b.example.co.uk'), 'example.co.uk')
  t.is(registeredDomain('acme.localhost'), 'acme.localhost')
})
