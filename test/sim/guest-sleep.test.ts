// The stand-in gateway before and after its machine's sleep, asked by the reconciler's own port over the real bridge.
import test from 'ava'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { realClock } from '../../src/clock.ts'
import { sleeperOf } from '../../src/gateway/sleep.ts'
import { localGuestHost } from '../../src/sim/guest/local.ts'
import { ask, ending, guestStart, key, token } from './guest-fixture.ts'

/** A gateway, who asks it, and a way to say what its user made of it. */
async function sleepy(t: Parameters<typeof ending>[0]) {
  const host = ending(t, localGuestHost())
  const start = await guestStart('m1')
  await host.start(start)
  const { port, address, volumeFolder = '' } = start
  const keys = { bridgeKey: () => key, gatewayToken: () => token }
  const sleeper = sleeperOf({ keys, clock: realClock, port, timeoutMs: 5_000 })
  const machine = { id: 'm1', address, incarnation: 2 }
  return {
    startup: async () => (await ask(start, '/startupz')).status,
    prepare: (drain = false) =>
      sleeper.prepare('tenantuidone', { kind: 'prepareSleep', ...machine, drain, channels: !drain }),
    end: (suspension: string) => sleeper.end('tenantuidone', { kind: 'endSleep', ...machine, suspension }),
    stop: () => host.stop('m1'),
    lives: (life: object) => {
      mkdirSync(path.join(volumeFolder, 'state'), { recursive: true })
      writeFileSync(path.join(volumeFolder, 'state', 'stand-in.json'), JSON.stringify(life))
    },
  }
}

test('ready for sleep it takes nothing new until it is opened; an owner’s word takes the place of the idle policy’s', async (t) => {
  const gateway = await sleepy(t)
  gateway.lives({ jobs: [{ id: '1', enabled: true, nextRunAtMs: 5_000 }] })
  t.is(await gateway.startup(), 200)
  const answer = await gateway.prepare()
  t.like(answer, { kind: 'ready', wakeAt: 5_000 })
  t.is(await gateway.startup(), 503)
  const second = await gateway.prepare(true)
  t.like(second, { kind: 'ready', wakeAt: undefined })
  const suspension = second.kind === 'ready' ? second.suspension : ''
  t.not(suspension, answer.kind === 'ready' ? answer.suspension : '')
  t.is(await gateway.end(suspension), 'open')
  t.is(await gateway.startup(), 200)
})

test('an answer that was lost is asked for again, and the jobs are read all the same', async (t) => {
  const gateway = await sleepy(t)
  t.like(await gateway.prepare(), { kind: 'ready' })
  t.like(await gateway.prepare(), { kind: 'busy', retryAfterMs: 1_000 })
  t.like(await gateway.prepare(), { kind: 'ready' })
})

test('busy it goes on, unless it is told to drain; channels keep it awake; what is gone is silent', async (t) => {
  const gateway = await sleepy(t)
  gateway.lives({ blockers: ['1 active run'] })
  t.like(await gateway.prepare(), { kind: 'busy', why: '1 active run', suspension: undefined })
  t.is(await gateway.startup(), 200)
  t.like(await gateway.prepare(true), { kind: 'busy', why: '1 active run' })
  t.is(await gateway.startup(), 503)
  gateway.lives({})
  t.like(await gateway.prepare(true), { kind: 'ready' })
  const other = await sleepy(t)
  other.lives({ channelAccounts: { telegram: [{ enabled: true, configured: true }] } })
  t.deepEqual(await other.prepare(), { kind: 'channels', names: ['telegram'] })
  await other.stop()
  t.like(await other.prepare(), { kind: 'silent' })
  t.is(await other.end('s1'), 'silent')
})
