// Calls to a gateway over its WebSocket, and the pairings over REST that rest on them.
import test from 'ava'
import { GatewayUnavailable, pairingsOf } from '../../src/gateway/pairings.ts'
import { callGateway, GatewayRefusal, type GatewayCall } from '../../src/gateway/rpc.ts'
import { DialError } from '../../proxy/handshake.ts'
import { startTestApi, stored, tenantDocument } from '../api/fixture.ts'
import { startGateway } from './fixture.ts'

test('a call is answered with its payload, and what the gateway refuses is told by its own word', async (t) => {
  const call = await startGateway(t, { 'cron.status': (params) => ({ enabled: true, params }) })
  t.deepEqual(await callGateway(call, 'cron.status', { a: 1 }), { enabled: true, params: { a: 1 } })
  const refused = await t.throwsAsync(callGateway(call, 'cron.list'), {
    instanceOf: GatewayRefusal,
    message: 'not now',
  })
  t.is(refused.code, 'UNAVAILABLE')
  const stranger = { ...call, token: 'another' }
  await t.throwsAsync(callGateway(stranger, 'cron.status'), { instanceOf: GatewayRefusal, message: /token mismatch/ })
  const other = { ...call, target: { ...call.target, uid: 'anotheruid' } }
  await t.throwsAsync(callGateway(other, 'cron.status'), { instanceOf: DialError })
})

/** A tenant whose route leads to the gateway. */
async function apiOver(t: import('ava').ExecutionContext, call: GatewayCall) {
  const keys = { bridgeKey: () => call.bridgeKey, gatewayToken: () => call.token }
  const pairings = pairingsOf({ keys, clock: call.clock, timeoutMs: call.timeoutMs })
  const { address, port, incarnation, uid } = call.target
  const routed = {
    list: (tenant: Parameters<typeof pairings.list>[0]) => pairings.list(at(tenant)),
    decide: (tenant: Parameters<typeof pairings.list>[0], id: string, word: 'approve' | 'reject') =>
      pairings.decide(at(tenant), id, word),
  }
  const at = (tenant: Parameters<typeof pairings.list>[0]) =>
    tenant.name === 'acme'
      ? {
          ...tenant,
          uid,
          status: {
            ...tenant.status,
            route: { kind: 'forward' as const, machine: 'm1', incarnation, address, port },
          },
        }
      : tenant
  const api = await startTestApi(t, () => ({ pairings: routed }))
  for (const name of ['acme', 'globex'])
    await api.putJson(name, tenantDocument(name, { state: 'running', class: 'standard', region: 'iad' }))
  return { api, pairings }
}

test('pairings are listed and decided over REST', async (t) => {
  const device = { deviceId: 'd1', clientId: 'openclaw-control-ui', platform: 'Linux', remoteIp: '198.51.100.7' }
  const state = { pending: [{ ...device, requestId: 'r1', ts: 1_000 }], paired: [] as object[] }
  const approved: unknown[] = []
  const call = await startGateway(t, {
    'device.pair.list': () => state,
    'device.pair.approve': ({ requestId }) => {
      approved.push(requestId)
      state.pending = []
      state.paired.push({ ...device, approvedAtMs: 2_000 })
      return {}
    },
  })
  const { api, pairings } = await apiOver(t, call)
  const shown = { device: 'd1', client: 'openclaw-control-ui', platform: 'Linux', address: '198.51.100.7' }
  t.deepEqual((await api.call('/v1/tenants/acme/pairings')).json(), {
    pending: [{ id: 'r1', ...shown, requestedAt: '1970-01-01T00:00:01.000Z' }],
    paired: [],
  })
  t.is((await api.call('/v1/tenants/acme/pairings/r2/actions/approve', { method: 'POST' })).status, 404)
  t.deepEqual(approved, [])
  t.is((await api.call('/v1/tenants/acme/pairings/r1/actions/approve', { method: 'POST' })).status, 204)
  t.deepEqual(approved, ['r1'])
  t.deepEqual((await api.call('/v1/tenants/acme/pairings')).json()['pending'], [])
  t.is((await api.call('/v1/tenants/nobody/pairings')).status, 404)
  const asleep = await api.call('/v1/tenants/globex/pairings')
  t.is(asleep.status, 503)
  t.regex(asleep.text, /does not run now/)
  await t.throwsAsync(pairings.list(await stored(api.tenants, 'globex')), { instanceOf: GatewayUnavailable })
})
