// How a member is judged: by its machine's making, its conditions and its crashes, and by nothing that is not the image's.
import test from 'ava'
import type { Condition } from '../../../specs/conditions.ts'
import type { TenantSpec, TenantStatus } from '../../../specs/tenant.ts'
import { countMembers, memberOf, unreached, type MemberInput } from '../../../reconciler/rollout/members.ts'
import { modelMachine } from '../../helpers/model.ts'
import { minuteMs, rolloutWith } from '../../helpers/rollouts.ts'
import { freshStatus, tenantWith, wishWith } from '../../helpers/tenants.ts'

const now = 60 * minuteMs
const forward = { kind: 'forward', machine: 'm1', incarnation: 1, address: '127.1.1.1', port: 1 } as const

function said(type: Condition['type'], status: Condition['status'], reason: string, at = now): Condition {
  return { type, status, reason, message: `It is ${reason}.`, observedGeneration: 1, lastTransitionTime: at }
}

interface Scene {
  readonly spec?: Partial<TenantSpec>
  readonly status?: Partial<TenantStatus>
  readonly machine?: MemberInput['machine'] | 'none'
  readonly troubleSince?: number
}

function judged({ spec = {}, status = {}, machine = modelMachine({}), troubleSince }: Scene) {
  const tenant = tenantWith(spec, { status: { ...freshStatus, ...status } })
  const rollout = rolloutWith({ startedAt: 10 * minuteMs, waveSince: 20 * minuteMs })
  return memberOf({
    ...{ tenant, rollout, wave: 2, now, deferMs: 600 * minuteMs, troubleSince },
    wish: wishWith(tenant),
    machine: machine === 'none' ? undefined : machine,
  })
}

const kindOf = (scene: Scene) => judged(scene).standing.kind

const old = modelMachine({ specHash: 'old' })
const isReady = [said('Ready', 'True', 'Running')]

test('a machine of the old image: to be updated, in use, or out of reach', (t) => {
  t.is(kindOf({ machine: old }), 'pending')
  t.is(kindOf({ machine: old, status: { conditions: isReady, route: forward } }), 'deferred')
  t.is(kindOf({ machine: old, status: { route: forward }, spec: { update: 'immediate' } }), 'pending')
  const drift = { specHash: 'wanted', since: now - 600 * minuteMs, updates: 0 }
  t.is(kindOf({ machine: old, status: { route: forward, drift } }), 'pending', 'it was deferred long enough')
  t.is(kindOf({ machine: modelMachine({ specHash: 'old', state: 'stopped' }), status: { route: forward } }), 'pending')
  t.is(kindOf({ machine: { ...old, hostOk: false } }), 'blocked')
  t.is(kindOf({ machine: old, status: { conditions: [said('Stalled', 'True', 'VolumeMissing')] } }), 'blocked')
  t.is(kindOf({ machine: old, spec: { paused: true } }), 'paused')
  t.is(kindOf({ machine: 'none' }), 'absent')
})

test('a machine of the new image: at rest, Ready, or in trouble since when it began', (t) => {
  for (const effective of ['admin-suspended', 'billing-suspended', 'idle-suspended'])
    t.is(kindOf({ status: { effective }, machine: modelMachine({ state: 'stopped' }) }), 'resting', effective)
  t.is(kindOf({ status: { conditions: isReady } }), 'ready')
  const starting = [said('Ready', 'False', 'GuestStarting')]
  t.like(judged({ status: { conditions: starting } }), { standing: { kind: 'trouble', since: now, updated: true } })
  t.like(judged({ status: { conditions: starting }, troubleSince: 7 }), { standing: { since: 7 } })
  t.is(kindOf({ status: { conditions: [] } }), 'trouble')
})

test('what the image has no part in is not held against it', (t) => {
  for (const reason of ['HostUnreachable', 'RegionFull', 'FlyUnavailable', 'CertificatePending', 'VolumeMissing'])
    t.is(kindOf({ status: { conditions: [said('Ready', 'False', reason)] } }), 'blocked', reason)
  for (const reason of ['CrashLoop', 'CommandFailed', 'GuestUnreachable'])
    t.is(kindOf({ status: { conditions: [said('Ready', 'False', reason)] } }), 'trouble', reason)
})

test('a refused update is the rollout’s doing where it began after the rollout', (t) => {
  const retry = {
    step: 'updateMachine',
    attempts: 1,
    notBefore: undefined,
    generation: 1,
    reason: 'InvalidRequest',
    message: 'No such image.',
  }
  const refused = (at: number, part: object = {}): Scene => ({
    machine: old,
    status: {
      retry: { ...retry, ...part },
      conditions: [said('Synced', 'False', 'InvalidRequest', at), said('Stalled', 'True', 'x')],
    },
  })
  t.like(judged(refused(now)), { standing: { kind: 'trouble', updated: false, said: 'No such image.' } })
  t.is(kindOf({ ...refused(now, { step: 'createMachine' }), machine: 'none' }), 'trouble')
  t.is(kindOf(refused(5 * minuteMs)), 'blocked')
  t.is(kindOf(refused(now, { reason: 'RegionFull' })), 'blocked')
  t.is(kindOf(refused(now, { step: 'stopMachine' })), 'blocked')
})

test('crashes count from the wave’s opening on, of the new image only', (t) => {
  const crash = { count: 2, at: 30 * minuteMs }
  t.is(judged({ status: { conditions: isReady, crash } }).crashes, 2)
  t.is(judged({ status: { conditions: isReady, crash: { ...crash, at: 19 * minuteMs } } }).crashes, 0)
  t.is(judged({ machine: old, status: { crash } }).crashes, 0)
})

test('the counts of each wave', (t) => {
  const members = [
    judged({ status: { conditions: isReady } }),
    judged({ machine: old, status: { route: forward } }),
    judged({ troubleSince: now - 5 * minuteMs }),
    judged({ troubleSince: now - 1 }),
    unreached(tenantWith(), 4),
  ]
  const none = { members: 0, updated: 0, ready: 0, deferred: 0, failing: 0 }
  const counts = countMembers(members, now, 5 * minuteMs)
  t.deepEqual(counts[2], { members: 4, updated: 3, ready: 1, deferred: 1, failing: 1 })
  t.deepEqual(counts[4], { ...none, members: 1 })
  t.deepEqual(counts[5], none)
})
