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
