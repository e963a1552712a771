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

test('ready to sleep: until when, and when the user’s own next job wants it awake', async (t) => {
  const asked: unknown[] = []
  const resumed: unknown[] = []
  const call = await startGateway(t, {
    'cron.list': () => ({ jobs }),
    'gateway.suspend.prepare': ({ requestId }) => (asked.push(requestId), ready),
    'gateway.suspend.resume': ({ suspensionId }) => (resumed.push(suspensionId), {}),
  })
  const answer = { kind: 'ready', suspension: 's1', untilMs: 120_000, wakeAtMs: 5_000 } as const
  t.deepEqual(await prepareSleep(call, 'r1'), answer)
  t.deepEqual(asked, ['r1'])
  await endSleep(call, 's1')
  t.deepEqual(resumed, ['s1'])
})

test('OpenClaw’s own jobs wake nobody', async (t) => {
  const call = await startGateway(t, { 'cron.list': () => ({ jobs: jobs.slice(0, 1) }) })
  t.is(await nextUserJob(call), undefined)
})

test('busy and draining gateways say what they wait for', async (t) => {
  const busy = { status: 'busy', blockers: ['session-admission'], retryAfterMs: 2_000 }
  const call = await startGateway(t, { 'cron.list': () => ({ jobs }), 'gateway.suspend.prepare': () => busy })
  t.deepEqual(await prepareSleep(call, 'r1'), { kind: 'busy', why: 'session-admission', retryAfterMs: 2_000 })
  const draining = await startGateway(t, {
    'cron.list': () => ({ jobs }),
    'gateway.suspend.prepare': () => ({ status: 'draining' }),
  })
  t.deepEqual(await prepareSleep(draining, 'r1'), { kind: 'busy', why: 'draining', retryAfterMs: 5_000 })
  const closed = await startGateway(t, {})
  t.deepEqual(await prepareSleep(closed, 'r1'), { kind: 'busy', why: 'not now', retryAfterMs: 5_000 })
})
