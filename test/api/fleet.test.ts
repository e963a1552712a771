// The fleet over REST: what is shown of it, its mode, and the actions on it; also where no controller runs.
import test from 'ava'
import type { FleetState } from '../../reconciler/guards/state.ts'
import { startTestApi, stored, tenantDocument } from './fixture.ts'

const json = { 'content-type': 'application/json' }

const state: FleetState = {
  at: Date.UTC(2026, 0, 1),
  mode: 'normal',
  suspect: { since: Date.UTC(2026, 0, 1), message: 'Fly’s list of machines is empty, though there were 9.' },
  holds: [
    {
      key: 'region iad shared-1-2048 createVolume',
      kind: 'regionFull',
      reason: 'RegionFull',
      message: 'Fly answered 422 to volumeCreate: no capacity',
      attempts: 2,
      since: Date.UTC(2026, 0, 1),
      failedAt: Date.UTC(2026, 0, 1),
      notBefore: Date.UTC(2026, 0, 1, 0, 1),
    },
  ],
}

test('GET /v1/fleet counts, and says what holds the fleet back', async (t) => {
  const api = await startTestApi(t)
  t.deepEqual((await api.call('/v1/fleet')).json(), {
    kind: 'Fleet',
    mode: 'normal',
    tenants: { total: 0, effective: {}, ready: 0, notReady: 0 },
    budget: [
      { name: 'fleet', windowSeconds: 600, most: 1, left: 1 },
      { name: 'asked', windowSeconds: 60, most: 10, left: 10 },
    ],
    holds: [],
    pendingApprovals: { total: 0, items: [] },
  })
  for (const name of ['a', 'b', 'c']) await api.putJson(name, tenantDocument(name))
  await api.putJson('d', tenantDocument('d', { state: 'suspended' }))
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Running',
    message: '',
    observedGeneration: 1,
    lastTransitionTime: 0,
  } as const
  const tenant = await stored(api.tenants, 'a')
  await api.tenants.saveStatus(tenant, { ...tenant.status, conditions: [ready] })
  const one = await stored(api.tenants, 'b')
  await api.tenants.change(one, { ...one, parked: { entitlement: { state: 'ended' }, since: 0 } })
  await api.fleet.saveState(state)
  await api.fleet.charge({ at: Date.now(), kind: 'stray', uid: 'u', region: 'iad', target: 'm1' })
  const shown = (await api.call('/v1/fleet')).json()
  t.like(shown, {
    mode: 'normal',
    tenants: { total: 4, effective: { running: 3, 'admin-suspended': 1 }, ready: 1, notReady: 3 },
    suspicion: { since: '2026-01-01T00:00:00.000Z' },
    holds: [{ scope: 'region iad shared-1-2048 createVolume', attempts: 2, nextTryAt: '2026-01-01T00:01:00.000Z' }],
    pendingApprovals: { total: 1, items: [{ name: 'b', entitlement: { state: 'ended' } }] },
    observedAt: '2026-01-01T00:00:00.000Z',
  })
  t.like(shown['budget'], [
    { name: 'fleet', left: 0 },
    { name: 'region', region: 'iad', most: 5, left: 4 },
    { left: 10 },
  ])
  await api.fleet.saveState({ at: state.at, mode: 'normal', holds: [] })
  t.false('suspicion' in (await api.call('/v1/fleet')).json())
})

test('the mode is kept, and a wrong one changes nothing', async (t) => {
  const api = await startTestApi(t)
  const put = (body: string) => api.call('/v1/fleet', { method: 'PUT', body, headers: json })
  t.like((await put('{"mode":"observe-only"}')).json(), { mode: 'observe-only' })
  t.deepEqual(await api.fleet.wish(), { mode: 'observe-only' })
  t.like((await put('{"mode":"sleep"}')).json(), { status: 400, code: 'invalid', errors: [{ path: 'mode' }] })
  t.like((await put('{"mode":"normal","colour":"red"}')).json(), { status: 400, code: 'invalid' })
  t.like((await put('{}')).json(), { status: 400, errors: [{ path: 'mode' }] })
  t.like((await api.call('/v1/fleet')).json(), { mode: 'observe-only' })
  await api.fleet.saveState({ at: 0, mode: 'observe-only', holds: [] })
  t.like((await put('{"mode":"normal"}')).json(), { mode: 'observe-only', requestedMode: 'normal' })
})

test('acknowledge and retry are kept for the controller, beside the mode', async (t) => {
  const api = await startTestApi(t)
  await api.fleet.want({ mode: 'observe-only' })
  const seen: unknown[] = []
  const watch = await api.fleet.watch(
    (wish) => seen.push(wish),
    (error) => t.fail(String(error)),
  )
  for (const action of ['acknowledge', 'retry'])
    t.is((await api.call(`/v1/fleet/actions/${action}`, { method: 'POST' })).status, 202)
  const wish = await api.fleet.wish()
  t.is(wish.mode, 'observe-only')
  t.true((wish.acknowledgedAt ?? 0) > 0 && (wish.retryRequestedAt ?? 0) > 0)
  while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
  t.deepEqual(seen.at(-1), wish)
  await watch.close()
  t.is((await api.call('/v1/fleet/actions/dance', { method: 'POST' })).status, 404)
  t.is((await api.call('/v1/fleet', { method: 'DELETE' })).status, 405)
})
