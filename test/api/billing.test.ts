// Billing's word on many tenants: in bulk, and by signed webhooks that come twice, late, out of order or from somebody else.
import test, { type ExecutionContext } from 'ava'
import { Webhook } from 'standardwebhooks'
import { realClock } from '../../src/clock.ts'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

const secrets = [1, 2].map((fill) => `whsec_${Buffer.alloc(32, fill).toString('base64')}`)
const iso = (at: number) => new Date(at).toISOString()

async function withHook(
  t: ExecutionContext,
  names: readonly string[],
  secret: readonly string[] | undefined = secrets,
) {
  const api = await startTestApi(t, ({ money }) => ({
    money: { ...money, billing: { ...money.billing, secrets: secret } },
  }))
  for (const name of names) await api.putJson(name, tenantDocument(name))
  let count = 0
  const send = async (
    body: unknown,
    { id = `msg_${(count += 1)}`, at = realClock.now(), by = secrets[0] ?? '', sent = JSON.stringify(body) } = {},
  ) => {
    const signature = new Webhook(by).sign(id, new Date(at), JSON.stringify(body))
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at / 1000)),
      'webhook-signature': signature,
    }
    // No token: the signature says who it is.
    const answer = await fetch(`${api.url}/v1/hooks/billing`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: sent,
    })
    return { status: answer.status, text: await answer.text() }
  }
  return { ...api, send }
}

const word = (tenant: string, entitlement: string, occurredAt: number, reason?: string) => ({
  ...{ tenant, entitlement, occurredAt: iso(occurredAt) },
  ...(reason === undefined ? {} : { reason }),
})

const outcomes = (text: string) =>
  (JSON.parse(text) as { items: { name: string; outcome: string }[] }).items.map(
    ({ name, outcome }) => `${name} ${outcome}`,
  )

test('a signed message takes effect, with either of two secrets; again it is answered and not taken', async (t) => {
  const { send, tenants } = await withHook(t, ['acme', 'globex'])
  const now = realClock.now()
  const first = await send([word('acme', 'suspended', now - 9, 'unpaid'), word('nobody', 'active', now)], { id: 'one' })
  t.is(first.status, 200)
  t.deepEqual(outcomes(first.text), ['acme applied', 'nobody not-found'])
  t.like(await stored(tenants, 'acme'), { entitlement: { state: 'suspended', reason: 'unpaid' } })
  const { generation } = await stored(tenants, 'acme')
  t.deepEqual(
    await send([word('acme', 'suspended', now - 9, 'unpaid'), word('nobody', 'active', now)], { id: 'one' }),
    first,
  )
  t.is((await send([word('globex', 'suspended', now)], { by: secrets[1] ?? '' })).status, 200)
  t.is((await stored(tenants, 'acme')).generation, generation)
  t.is((await stored(tenants, 'globex')).entitlement.state, 'suspended')
})

test('what is forged, altered, too old, from the future or not a word is refused and changes nothing', async (t) => {
  const { send, tenants } = await withHook(t, ['acme'])
  const now = realClock.now()
  const bad = [word('acme', 'ended', now)]
  const before = await stored(tenants, 'acme')
  const other = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
  t.is((await send(bad, { by: other })).status, 401)
  t.is((await send(bad, { sent: JSON.stringify(bad).replace('ended', 'active') })).status, 401)
  t.is((await send(bad, { at: now - 301_000 })).status, 401)
  t.is((await send(bad, { at: now + 310_000 })).status, 401)
  t.is((await send(bad, { id: 'a.1' })).status, 401)
  t.is((await send([word('acme', 'ended', now + 600_000)])).status, 400)
  t.is((await send([word('acme', 'closed', now)])).status, 400)
  t.is((await send({ tenant: 'acme' })).status, 400)
  t.deepEqual(await stored(tenants, 'acme'), before)
})

test('without a secret there is no webhook', async (t) => {
  const api = await startTestApi(t)
  const answer = await fetch(`${api.url}/v1/hooks/billing`, {
    method: 'POST',
    body: '[]',
    headers: { 'content-type': 'application/json' },
  })
  t.is(answer.status, 404)
})

test('a flap of 1,000 changes, in any order and at once, ends in the last one', async (t) => {
  const { send, tenants } = await withHook(t, ['acme'])
  const base = realClock.now() - 100_000
  const states = ['active', 'suspended', 'ended']
  const words = Array.from({ length: 1_000 }, (_, n) =>
    word('acme', states[(n + 1) % 3] ?? '', base + n, `change ${n}`),
  )
  const last = words.at(-1)
  const mixed = words.toSorted((a, b) => Number(a.occurredAt.at(-2)) - Number(b.occurredAt.at(-2)))
  // A third each by itself and in parallel, the rest in messages of 50.
  const single = mixed.slice(0, 300).map((one) => [one])
  const many = Array.from({ length: 14 }, (_, n) => mixed.slice(300 + n * 50, 350 + n * 50))
  const queue = [...single, ...many]
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) t.is((await send(next)).status, 200)
  }
  await Promise.all(Array.from({ length: 12 }, work))
  const { entitlement, parked } = await stored(tenants, 'acme')
  t.deepEqual([entitlement, parked], [{ state: last?.entitlement, reason: last?.reason }, undefined] as never)
})

test('a mass suspension by one message is parked beyond the brake; a newer active word takes it back', async (t) => {
  const names = Array.from({ length: 9 }, (_, n) => `t${n}`)
  const { send, fleet } = await withHook(t, names)
  const now = realClock.now()
  const { text } = await send(names.map((name) => word(name, 'suspended', now - 5)))
  t.is(outcomes(text).filter((line) => line.endsWith('applied')).length, 3)
  t.is(await fleet.countParked(), 6)
  await send(names.map((name) => word(name, 'active', now)))
  t.is(await fleet.countParked(), 0)
})

test('in bulk with a token: a result for each, in the order given, and the brake over all of them', async (t) => {
  const names = Array.from({ length: 5 }, (_, n) => `t${n}`)
  const { tenants, ...api } = await withHook(t, names)
  const items = ['nobody', ...names].map((name) => ({ name, entitlement: { state: 'suspended' } }))
  const put = (body: unknown) =>
    api.call('/v1/entitlements', {
      method: 'PUT',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    })
  const answer = await put({ items })
  t.is(answer.status, 200)
  const said = outcomes(answer.text)
  t.deepEqual(
    said.map((line) => line.split(' ')[0]),
    items.map(({ name }) => name),
  )
  t.deepEqual(Object.groupBy(said.slice(1), (line) => line.split(' ')[1] ?? '')['applied']?.length, 3)
  t.is(outcomes((await put({ items: items.slice(0, 1) })).text)[0], 'nobody not-found')
  const twice = [...items, items[1]]
  t.is((await put({ items: twice })).status, 400)
  for (const [name = '', outcome] of said.slice(1).map((line) => line.split(' ')))
    t.is((await stored(tenants, name)).entitlement.state, outcome === 'applied' ? 'suspended' : 'active', name)
})

test('a token that is limited to some tenants speaks in bulk of those alone; the others are not there', async (t) => {
  const { tenants, ...api } = await withHook(t, ['acme'])
  await api.putJson('globex', tenantDocument('globex', {}, { plan: 'pro' }))
  const headers = { 'content-type': 'application/json' }
  const wish = { name: 'resale', role: 'billing', labelSelector: 'plan=pro' }
  const made = await api.call('/v1/tokens', { method: 'POST', headers, body: JSON.stringify(wish) })
  const items = ['acme', 'globex', 'nobody'].map((name) => ({ name, entitlement: { state: 'suspended' } }))
  const answer = await fetch(`${api.url}/v1/entitlements`, {
    method: 'PUT',
    headers: { ...headers, authorization: `Bearer ${String(made.json()['secret'])}` },
    body: JSON.stringify({ items }),
  })
  t.is(answer.status, 200)
  t.deepEqual(outcomes(await answer.text()), ['acme not-found', 'globex applied', 'nobody not-found'])
  t.is((await stored(tenants, 'acme')).entitlement.state, 'active')
  t.is((await stored(tenants, 'globex')).entitlement.state, 'suspended')
})
