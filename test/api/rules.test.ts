// Rules that only a look at the present state shows to be broken: all of them are named at once, by path.
import test from 'ava'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

interface Refusal {
  readonly code: string
  readonly status: number
  readonly errors: readonly { readonly path: string; readonly pointer: string; readonly detail: string }[]
}

test('every broken rule is named, not only the first', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('other', tenantDocument('other', { domains: ['taken.test'] }))
  await api.putJson('acme', tenantDocument('acme', { class: 'browser' }))
  const tenant = await stored(api.tenants, 'acme')
  await api.tenants.saveStatus(tenant, { ...tenant.status, volume: { id: 'vol_1', incarnation: 1 } })
  const before = await stored(api.tenants, 'acme')
  const put = async (spec: object) =>
    (await api.putJson('acme', tenantDocument('acme', spec))).json() as unknown as Refusal
  const all = await put({ class: 'standard', region: 'ams', domains: ['x.example.com', 'taken.test'] })
  t.like(all, { status: 400, code: 'invalid' })
  t.deepEqual(
    all.errors.map(({ pointer }) => pointer),
    ['/spec/domains/0', '/spec/region', '/spec/volume/sizeGb', '/spec/domains/1'],
  )
  const fixed = await put({ class: 'standard', region: 'ams' })
  t.like(fixed, { status: 400, code: 'immutable' })
  t.deepEqual(
    fixed.errors.map(({ path }) => path),
    ['spec.region', 'spec.volume.sizeGb'],
  )
  t.regex(fixed.errors[0]?.detail ?? '', /iad/)
  t.regex(fixed.errors[1]?.detail ?? '', /at least 3/)
  const unknown = await put({ class: 'nope' })
  t.like(unknown, { code: 'invalid', errors: [{ path: 'spec.class' }] })
  t.regex(unknown.errors[0]?.detail ?? '', /browser, byok, standard/)
  t.deepEqual(await stored(api.tenants, 'acme'), before)
})

test('an intent counts as a resource: what it makes has its region already', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const tenant = await stored(api.tenants, 'acme')
  const intent = { kind: 'createVolume', name: 'kc_tes_x_001', incarnation: 1, since: 0 } as const
  await api.tenants.saveStatus(tenant, { ...tenant.status, intent })
  t.like((await api.putJson('acme', tenantDocument('acme', { region: 'ams' }))).json(), { code: 'immutable' })
})

test('DELETE is 202 while there is something to take down, and 200 after', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  t.is((await api.call('/v1/tenants/acme', { method: 'DELETE' })).status, 202)
  const tenant = await stored(api.tenants, 'acme')
  await api.tenants.saveStatus(tenant, { ...tenant.status, retainedSince: 1 })
  const again = await api.call('/v1/tenants/acme', { method: 'DELETE' })
  t.is(again.status, 200)
  t.is(again.json()['generation'], 2)
})

test('nothing of the status shows but what is promised', async (t) => {
  const api = await startTestApi(t)
  await api.putJson('acme', tenantDocument('acme'))
  const tenant = await stored(api.tenants, 'acme')
  await api.tenants.saveStatus(tenant, {
    ...tenant.status,
    machine: { id: 'm1', state: 'started', region: 'iad', incarnation: 2 },
    volume: { id: 'vol_1', incarnation: 1 },
    route: { kind: 'forward', machine: 'm1', incarnation: 2, address: 'fdaa::canary', port: 1 },
    intent: { kind: 'createMachine', name: 'canary', incarnation: 3, since: 0 },
    preparedBoot: 'canary',
    conditions: [
      {
        ...{ type: 'Ready', status: 'False', reason: 'Starting', message: 'It starts.' },
        ...{ observedGeneration: 1, lastTransitionTime: 0, nextTryAt: 1_000 },
      },
    ],
  })
  const answer = await api.call('/v1/tenants/acme')
  t.notRegex(answer.text, /canary/)
  t.deepEqual(answer.json()['status'], {
    conditions: [
      {
        ...{ type: 'Ready', status: 'False', reason: 'Starting', message: 'It starts.', observedGeneration: 1 },
        ...{ lastTransitionTime: '1970-01-01T00:00:00.000Z', nextTryAt: '1970-01-01T00:00:01.000Z' },
      },
    ],
    observedGeneration: 0,
    effective: 'running',
    machine: { id: 'm1', state: 'started', region: 'iad', incarnation: 2 },
    volume: { id: 'vol_1' },
    hosts: ['acme.example.com'],
  })
})

test('cursors that nobody was given are refused by name', async (t) => {
  const api = await startTestApi(t)
  for (const cursor of ['abc', '%00', 'A'.repeat(500), Buffer.from('Not a name').toString('base64url')]) {
    const answer = await api.call(`/v1/tenants?cursor=${cursor}`)
    t.is(answer.status, 400, cursor)
    t.like(answer.json(), { errors: [{ path: 'cursor' }] })
  }
  for (const limit of ['', '-1', '0x10', '1e2', ' 5', '1000'])
    t.like((await api.call(`/v1/tenants?limit=${encodeURIComponent(limit)}`)).json(), { errors: [{ path: 'limit' }] })
})

test('If-None-Match of the present tag stops a writer too', async (t) => {
  const api = await startTestApi(t)
  const { headers } = await api.putJson('acme', tenantDocument('acme'))
  const put = (tag: string) => api.putJson('acme', tenantDocument('acme'), { 'if-none-match': tag })
  t.is((await put(headers.etag ?? '')).status, 412)
  t.is((await put(`W/${headers.etag ?? ''}`)).status, 412)
  t.is((await put('"old"')).status, 200)
})
