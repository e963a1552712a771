// Endpoints and deliveries over HTTP: the secret is shown once, and what a tenant's status tells goes into the outbox.
import test from 'ava'
import { realClock } from '../../src/clock.ts'
import { webhooksIn } from '../../src/store/webhooks.ts'
import { catchUp, toldTenants } from '../../src/webhooks/told.ts'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

const path = '/v1/webhook-endpoints'
const json = (method: string, body: unknown) => ({
  method,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
})

test('an endpoint from its addition to its end; its secret is shown once', async (t) => {
  const api = await startTestApi(t)
  const added = await api.call(path, json('POST', { url: 'https://billing.example/hook', events: ['tenant.running'] }))
  t.is(added.status, 201)
  const { id, secret } = added.json() as { id: string; secret: string }
  t.regex(secret, /^whsec_/)
  for (const at of [path, `${path}/${id}`]) t.false((await api.call(at)).text.includes(secret))
  t.is((await api.call(`${path}/${id}/actions/test`, { method: 'POST' })).status, 202)
  const listed = await api.call('/v1/webhook-deliveries?state=pending')
  t.regex(listed.text, /webhook\.test/)
  const rotated = await api.call(`${path}/${id}/actions/rotate-secret`, { method: 'POST' })
  t.not(rotated.json()['secret'], secret)
  t.like((await api.call(`${path}/${id}`, json('PUT', { url: 'https://b.example/', state: 'disabled' }))).json(), {
    state: 'disabled',
    events: [],
  })
  t.is((await api.call(`${path}/${id}`, { method: 'DELETE' })).status, 204)
  t.is((await api.call(`${path}/${id}`)).status, 404)
  t.is((await api.call('/v1/webhook-deliveries/none/actions/redeliver', { method: 'POST' })).status, 404)
  t.false(api.logged.join('').includes(secret))
})

test('an endpoint is changed field by field; deliveries come in pages', async (t) => {
  const api = await startTestApi(t)
  const added = await api.call(path, json('POST', { url: 'https://a.example/', events: ['tenant.running'] }))
  const { id } = added.json() as { id: string }
  const patch = (body: object) =>
    api.call(`${path}/${id}`, {
      ...{ method: 'PATCH', body: JSON.stringify(body) },
      headers: { 'content-type': 'application/merge-patch+json' },
    })
  t.like((await patch({ state: 'disabled' })).json(), {
    url: 'https://a.example/',
    events: ['tenant.running'],
    state: 'disabled',
  })
  t.like((await patch({ events: null, url: 'https://b.example/' })).json(), { url: 'https://b.example/', events: [] })
  for (const wrong of [{ url: 'nonsense' }, { url: null }, { state: 'off' }, { secret: 'x' }])
    t.is((await patch(wrong)).status, 400, JSON.stringify(wrong))
  t.like((await api.call(`${path}/${id}`)).json(), { url: 'https://b.example/', state: 'disabled' })
  const store = webhooksIn(api.db)
  const endpoint = await store.endpoint(id)
  if (endpoint === undefined) return t.fail()
  for (let at = 0; at < 7; at += 1) {
    const telling = {
      type: 'tenant.running',
      uid: `u${at}`,
      tenant: 'acme',
      revision: 1,
      at: at >> 1,
      why: 'A test.',
    } as const
    await store.tell(telling, [endpoint])
  }
  const seen: string[] = []
  let next: string | undefined = '/v1/webhook-deliveries?limit=2'
  for (let page = 0; page < 9 && next !== undefined; page += 1) {
    const answer = await api.call(next)
    const { items } = answer.json() as { items: { id: string }[] }
    t.true(items.length <= 2)
    seen.push(...items.map((item) => item.id.split('.')[1] ?? ''))
    next = /^<(.*)>; rel="next"$/.exec(String(answer.headers['link'] ?? ''))?.[1]
  }
  t.deepEqual(seen, ['u6', 'u4', 'u5', 'u2', 'u3', 'u0', 'u1'])
  t.is((await api.call('/v1/webhook-deliveries?cursor=x')).status, 400)
})

test('addresses in private networks are refused, unless they are allowed', async (t) => {
  const closed = await startTestApi(t, ({ money }) => ({
    money: { ...money, webhooks: { ...money.webhooks, allowPrivate: false } },
  }))
  for (const url of ['http://a.example/', 'https://127.0.0.1/', 'https://[fdaa::3]/', 'nonsense']) {
    const answer = await closed.call(path, json('POST', { url }))
    t.is(answer.status, 400, url)
    t.regex(answer.text, /"path":"url"/)
  }
})

test('a status that came into a state is told; what was lost is found by comparing', async (t) => {
  const api = await startTestApi(t)
  await api.call(path, json('POST', { url: 'https://billing.example/hook' }))
  await api.putJson('acme', tenantDocument('acme'))
  const webhooks = webhooksIn(api.store.db)
  const options = { webhooks, clock: realClock, wake: () => {}, failed: (error: unknown) => t.fail(String(error)) }
  const told = toldTenants(api.tenants, options)
  const ready = (message: string) =>
    ({ type: 'Ready', status: 'True', reason: 'Ready', message, observedGeneration: 1, lastTransitionTime: 0 }) as const
  const running = await stored(api.tenants, 'acme')
  await told.saveStatus(running, { ...running.status, effective: 'running', conditions: [ready('It answers.')] })
  const again = await stored(api.tenants, 'acme')
  await told.saveStatus(again, { ...again.status, conditions: [ready('It still answers.')] })
  const kinds = async () => (await webhooks.deliveries({ limit: 9 })).map(({ type }) => type).sort()
  t.deepEqual(await kinds(), ['tenant.running'])
  // The process died between the status and the outbox.
  const later = await stored(api.tenants, 'acme')
  await api.tenants.saveStatus(later, { ...later.status, effective: 'billing-suspended', conditions: [] })
  await catchUp(api.tenants, options)
  await catchUp(api.tenants, options)
  t.deepEqual(await kinds(), ['tenant.running', 'tenant.suspended'])
  t.true(await told.purge(await stored(api.tenants, 'acme')))
  await catchUp(api.tenants, options)
  t.deepEqual(await kinds(), ['tenant.purged', 'tenant.running', 'tenant.suspended'])
})

test('what changes of an endpoint is in the audit, and its address only as far as its host', async (t) => {
  const api = await startTestApi(t)
  const url = 'https://billing.example/services/canary-in-the-path?key=canary'
  const { id, secret } = (await api.call(path, json('POST', { url }))).json() as { id: string; secret: string }
  await api.call(`${path}/${id}`, json('PUT', { url, events: ['tenant.running'], state: 'disabled' }))
  await api.call(`${path}/${id}/actions/rotate-secret`, { method: 'POST' })
  await api.call(`${path}/${id}`, { method: 'DELETE', headers: { 'x-reason': 'moved' } })
  const audit = await api.call('/v1/audit?outcome=done&order=oldest')
  for (const word of ['canary', secret]) t.false(audit.text.includes(word), word)
  const items = audit.json()['items'] as { reason?: string; changes: { object: string; fields: { path: string; from?: unknown; to?: unknown }[] }[] }[] // prettier-ignore
  const [added, put, rotated, removed] = items
  for (const { changes } of items) t.is(changes[0]?.object, `webhook-endpoints/${id}`)
  const shown = added?.changes[0]?.fields.find((field) => field.path === 'url')?.to
  t.regex(String(shown), /^https:\/\/billing\.example \(sha256:[0-9a-f]{16}\)$/)
  t.deepEqual(put?.changes[0]?.fields, [
    { path: 'events', from: [], to: ['tenant.running'] },
    { path: 'state', from: 'enabled', to: 'disabled' },
  ])
  t.deepEqual(rotated?.changes[0]?.fields, [{ path: 'secretVersion', from: 1, to: 2 }])
  t.is(removed?.reason, 'moved')
  t.deepEqual(removed?.changes[0]?.fields.map((field) => [field.path, field.to]).sort(), [['events', undefined], ['secretVersion', undefined], ['state', undefined], ['url', undefined]]) // prettier-ignore
})
