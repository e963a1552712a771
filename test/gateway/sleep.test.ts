// What the gateway is asked before a sleep, against a gateway that answers as OpenClaw 2026.9.6 did.
import test from 'ava'
import { endSleep, nextUserJob, prepareSleep } from '../../src/gateway/sleep.ts'
import { startGateway } from './fixture.ts'

const jobs = [
  { id: '1', declarationKey: 'heartbeat-main', enabled: true, nextRunAtMs: 1_000 },
  { id: '2', enabled: true, state: { nextRunAtMs: 9_000 } },
  { id: '3', enabled: true, nextRunAtMs: 5_000 },
  { id: '4', enabled: false, nextRunAtMs: 2_000 },
]
const ready = { status: 'ready', suspensionId: 's1', expiresAtMs: 120_000, activeCount: 0, blockers: [] }

const idle = { drain: false, channels: true }
const noChannels = { channelAccounts: { telegram: [{ accountId: 'default', enabled: true, configured: false }] } }
const asked = { 'cron.list': () => ({ jobs }), 'channels.status': () => noChannels }

test('ready to sleep: until when, and when the user’s own next job wants it awake', async (t) => {
  const requests: unknown[] = []
  const resumed: unknown[] = []
  const call = await startGateway(t, {
    ...asked,
    'gateway.suspend.prepare': ({ requestId }) => (requests.push(requestId), ready),
    'gateway.suspend.resume': ({ suspensionId }) => (resumed.push(suspensionId), {}),
  })
  t.deepEqual(await prepareSleep(call, idle), { kind: 'ready', suspension: 's1', until: 120_000, wakeAt: 5_000 })
  t.deepEqual(requests, ['moorage-idle'])
  await endSleep(call, 's1')
  t.deepEqual(resumed, ['s1'])
})

test('OpenClaw’s own jobs wake nobody', async (t) => {
  const call = await startGateway(t, { 'cron.list': () => ({ jobs: jobs.slice(0, 1) }) })
  t.is(await nextUserJob(call), undefined)
})

test('a live channel is an answer where it is asked for', async (t) => {
  const call = await startGateway(t, {
    ...asked,
    'channels.status': () => ({
      channelAccounts: { ...noChannels.channelAccounts, discord: [{ enabled: true, configured: true }] },
    }),
    'gateway.suspend.prepare': () => ready,
  })
  t.deepEqual(await prepareSleep(call, idle), { kind: 'channels', names: ['discord'] })
  t.like(await prepareSleep(call, { ...idle, channels: false }), { kind: 'ready' })
})

test('busy and draining gateways say what they wait for', async (t) => {
  const busy = {
    status: 'busy',
    blockers: [{ kind: 'root-request', message: '1 active request' }],
    retryAfterMs: 2_000,
  }
  const call = await startGateway(t, { ...asked, 'gateway.suspend.prepare': () => busy })
  const answer = { kind: 'busy', suspension: undefined } as const
  t.deepEqual(await prepareSleep(call, idle), { ...answer, why: '1 active request', retryAfterMs: 2_000 })
  const draining = await startGateway(t, {
    'gateway.suspend.prepare': ({ drain }) => ({ status: 'draining', suspensionId: `s${String(drain)}` }),
  })
  const drained = { kind: 'busy', suspension: 'strue', why: 'draining', retryAfterMs: 5_000 } as const
  t.deepEqual(await prepareSleep(draining, { ...idle, drain: true }), drained)
  const closed = await startGateway(t, {})
  t.deepEqual(await prepareSleep(closed, idle), { kind: 'busy', why: 'not now', retryAfterMs: 5_000 })
})

test('ready from a try whose answer was lost, it is opened to read its jobs first', async (t) => {
  const resumed: unknown[] = []
  const call = await startGateway(t, {
    'gateway.suspend.prepare': () => ready,
    'gateway.suspend.resume': ({ suspensionId }) => (resumed.push(suspensionId), {}),
  })
  t.like(await prepareSleep(call, idle), { kind: 'busy', retryAfterMs: 1_000 })
  t.deepEqual(resumed, ['s1'])
})

test('ready for a sleep of the other kind, it is made ready for this one', async (t) => {
  let held: { request: unknown; drain: unknown } | undefined = { request: 'moorage-idle', drain: undefined }
  const call = await startGateway(t, {
    'gateway.suspend.prepare': ({ requestId: request, drain }) => {
      if (held !== undefined && (held.request !== request || held.drain !== drain)) return { status: 'conflict' }
      held = { request, drain }
      return { ...ready, suspensionId: `of ${String(request)}` }
    },
    'gateway.suspend.resume': ({ suspensionId }) => {
      if (suspensionId === `of ${String(held?.request)}`) held = undefined
      return {}
    },
  })
  const answer = await prepareSleep(call, { drain: true, channels: false })
  t.like(answer, { kind: 'ready', suspension: 'of moorage-rest' })
  t.deepEqual(held, { request: 'moorage-rest', drain: true })
})
