// Machines that stop by themselves: what a condition says of their end, when they are started again, and when that stops.
import test from 'ava'
import type { PlanInput } from '../../reconciler/decision.ts'
import type { ObservedMachine } from '../../reconciler/observed.ts'
import { plan } from '../../reconciler/plan.ts'
import { statusSeen } from '../../reconciler/status.ts'
import { findCondition } from '../../specs/conditions.ts'
import type { CrashRecord, Tenant } from '../../specs/tenant.ts'
import { lastExit } from '../../src/fly/observed.ts'
import { emptyWorld, modelMachine, modelVolume } from '../helpers/model.ts'
import { freshStatus, tenantWith } from '../helpers/tenants.ts'
import { inputFor, worldNow } from '../helpers/worlds.ts'

/** The machine, which ran, is found stopped. */
function stopped(crash: CrashRecord | undefined, code: number | undefined, rest: Partial<Tenant> = {}): PlanInput {
  const machine: ObservedMachine = modelMachine({
    state: 'stopped',
    exit: code === undefined ? undefined : { code, at: worldNow },
  })
  const known = {
    volume: { id: 'vol_1', incarnation: 1 },
    machine: { id: machine.id, state: 'started', region: 'iad', incarnation: 1, since: worldNow },
  }
  const tenant = tenantWith({}, { status: { ...freshStatus, ...known, crash }, ...rest })
  const world = { app: 'present', volumes: [modelVolume({})], machines: [machine] } as const
  const certificates = { '*.localhost': 'issued' } as const
  return inputFor(tenant, emptyWorld({ ...world, volumes: [...world.volumes], machines: [machine], certificates }))
}

const before = (count: number, more: Partial<CrashRecord> = {}): CrashRecord => ({ count, at: worldNow - 1, ...more })

test('what refuses its settings is started once, and what fails otherwise five times', (t) => {
  t.like(plan(stopped(undefined, 137)), { kind: 'act', step: { kind: 'startMachine' } })
  t.like(plan(stopped(before(1), 137)), { kind: 'wait', reason: 'CrashLoop' })
  t.like(plan(stopped(before(4), 137)), { kind: 'stalled', reason: 'StartFails' })
  t.like(plan(stopped(before(4), undefined)), { kind: 'stalled', reason: 'StartFails' })
  for (const code of [64, 65, 66, 78])
    t.like(plan(stopped(undefined, code)), { kind: 'stalled', reason: 'StartFails' }, String(code))
})

test('a person who asks to try again, and a changed wish, begin anew', (t) => {
  t.like(plan(stopped(before(9), 1, { retryRequestedAt: worldNow })), { kind: 'act' })
  t.like(plan(stopped(before(9, { generation: 1 }), 1, { generation: 2 })), { kind: 'act' })
})

test('the conditions say how it ended and what that means', (t) => {
  const input = stopped(undefined, 78)
  const { conditions, crash } = statusSeen(input, plan(input))
  t.like(crash, { count: 1, exitCode: 78 })
  const ready = findCondition(conditions, 'Ready')
  t.regex(
    ready?.message ?? '',
    /once, last with exit code 78: OpenClaw refuses its configuration\. It is not started again/,
  )
  const machine = findCondition(conditions, 'MachineReady')
  t.like(machine, { status: 'False', reason: 'Exited' })
  t.regex(machine?.message ?? '', /is stopped: exit code 78/)
  const full = stopped(undefined, 73)
  const { conditions: others } = statusSeen(full, plan(full))
  t.regex(findCondition(others, 'MachineReady')?.message ?? '', /exit code 73: the volume is full/)
})

test('the last exit is that of the present run, and not one that was asked for', (t) => {
  const exit = (more: object) => ({ type: 'exit', timestamp: 5, request: { exit_event: { exit_code: 78, ...more } } })
  const start = { type: 'start', timestamp: 6 }
  t.deepEqual(lastExit([exit({})]), { code: 78, at: 5 })
  t.deepEqual(lastExit([exit({ exit_code: undefined, oom_killed: true })]), { code: 137, at: 5 })
  t.is(lastExit([start, exit({})]), undefined)
  t.is(lastExit([exit({ requested_stop: true }), start]), undefined)
  t.is(lastExit([]), undefined)
})

test('a volume that is almost full says so', (t) => {
  const input = stopped(undefined, 1)
  const volumes = [modelVolume({ usedBytes: 1_000_000_000 })]
  const full = { ...input, observed: { ...input.observed, volumes } }
  const said = findCondition(statusSeen(full, plan(full)).conditions, 'VolumeReady')
  t.like(said, { status: 'True', reason: 'AlmostFull' })
})
