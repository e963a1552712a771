// Shared waits as pure rules: which key, one probe, what a success or a failure says, and who may pass.
import test from 'ava'
import fc from 'fast-check'
import { faultRules, Fault, type FaultKind } from '../../../specs/faults.ts'
import {
  admitted,
  afterFault,
  afterSuccess,
  blockedBy,
  lift,
  noHolds,
  released,
  shareOf,
  type Attempt,
  type Holds,
} from '../../../reconciler/guards/holds.ts'
import { holdKey, readKeys, stepKeys, type Place } from '../../../reconciler/guards/scope.ts'
import type { Step } from '../../../reconciler/step.ts'

const kinds = Object.keys(faultRules) as FaultKind[]
const place: Place = {
  region: 'iad',
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 2048 },
  volume: 'vol_1',
  machine: 'm1',
}
const volume: Step = { kind: 'createVolume', name: 'v', incarnation: 1, sizeGb: 1, region: 'iad' }
const machine: Step = { kind: 'createMachine', name: 'm', incarnation: 1, volume: 'vol_1', region: 'iad' }
const update: Step = { kind: 'updateMachine', id: 'm1', version: 'v', incarnation: 1, volume: 'vol_1', launch: true }
const start: Step = { kind: 'startMachine', id: 'm1' }
const stop: Step = { kind: 'stopMachine', id: 'm1' }
const destroy: Step = { kind: 'destroyMachine', id: 'm1', region: 'iad', why: 'deleted' }
const certificate: Step = { kind: 'requestCertificate', host: 'a.test' }
const steps: readonly Step[] = [volume, machine, update, start, stop, destroy, certificate, { kind: 'createApp' }]

const fault = (kind: FaultKind, retryAfterMs?: number) => new Fault(kind, 'no.', { call: 'c', retryAfterMs })

test('a failure that others share holds exactly a step that it was met by, and its own scope alone', (t) => {
  for (const kind of kinds)
    for (const step of steps) {
      const key = holdKey(kind, step, place)
      t.is(key === undefined, faultRules[kind].scope === 'tenant', `${kind} ${step.kind}`)
      if (key !== undefined) t.true(stepKeys(step, place).includes(key), `${key} does not hold ${step.kind}`)
    }
  for (const kind of kinds) {
    const key = holdKey(kind, undefined, place)
    if (key !== undefined) t.true(readKeys.includes(key))
  }
  const other = { ...place, region: 'ams' }
  const larger: Place = { ...place, guest: { cpuKind: 'shared', cpus: 2, memoryMb: 4096 } }
  const full = holdKey('regionFull', volume, place) ?? ''
  t.false(stepKeys({ ...volume, region: 'ams' }, other).includes(full))
  t.false(stepKeys(volume, larger).includes(full))
  t.true(stepKeys(volume, { ...place, volume: undefined, machine: undefined }).includes(full))
  // A full host holds what needs room there, of this volume's tenant; what makes room goes on.
  const host = holdKey('hostFull', start, place) ?? ''
  t.true(stepKeys(update, place).includes(host))
  t.false(stepKeys(stop, place).includes(host) || stepKeys(destroy, place).includes(host))
  t.false(stepKeys({ kind: 'startMachine', id: 'm2' }, { ...place, volume: 'vol_2' }).includes(host))
  // A quota holds what adds; a broken action holds itself.
  const quota = holdKey('quota', machine, place) ?? ''
  t.deepEqual(
    steps.filter((step) => stepKeys(step, place).includes(quota)).map(({ kind }) => kind),
    ['createVolume', 'createMachine', 'createApp'],
  )
  t.false(stepKeys(start, place).includes(holdKey('unavailable', machine, place) ?? ''))
  // Fly counts starts by machine, creates by app.
  t.not(holdKey('throttled', start, place), holdKey('throttled', { kind: 'startMachine', id: 'm2' }, place))
  t.is(holdKey('throttled', volume, place), holdKey('throttled', volume, other))
})

const key = 'k'
const attempt = (uid: string, startedAt: number): Attempt => ({ uid, keys: [key], startedAt })
const failing = (holds: Holds, uid: string, startedAt: number, now: number, retryAfterMs?: number) =>
  afterFault(holds, attempt(uid, startedAt), { key, fault: fault('regionFull', retryAfterMs) }, { now, random: 1 })

test('one probe at a time; its failure doubles the wait, its success frees all', (t) => {
  let holds = failing(noHolds, 'a', 0, 10)
  t.like(holds.holds.get(key), { attempts: 1, notBefore: 30_010, since: 10, reason: 'RegionFull' })
  // Those on the way before it add nothing.
  holds = failing(holds, 'b', 5, 12)
  t.like(holds.holds.get(key), { attempts: 1, notBefore: 30_010 })
  t.truthy(blockedBy(holds, [key], { uid: 'b' }, 30_009))
  t.is(blockedBy(holds, [key], { uid: 'b' }, 30_010), undefined)
  t.is(blockedBy(holds, ['other'], { uid: 'b' }, 12), undefined)
  holds = admitted(holds, attempt('b', 30_010), 30_010)
  t.truthy(blockedBy(holds, [key], { uid: 'c' }, 30_010))
  holds = failing(holds, 'b', 30_010, 30_020)
  t.like(holds.holds.get(key), { attempts: 2, notBefore: 90_020, since: 10, probe: undefined })
  holds = admitted(holds, attempt('c', 90_020), 90_020)
  holds = afterSuccess(holds, attempt('c', 90_020), 90_030)
  t.is(holds.holds.size, 0)
  t.is(holds.lifted.get(key), 90_030)
  t.is(failing(holds, 'd', 90_040, 90_050).lifted.size, 0)
})

test('a probe that never ends is given up; one that ends otherwise makes way at once', (t) => {
  const due = admitted(failing(noHolds, 'a', 0, 0), attempt('a', 30_000), 30_000)
  t.truthy(blockedBy(due, [key], { uid: 'b' }, 149_999))
  t.is(blockedBy(due, [key], { uid: 'b' }, 150_000), undefined)
  t.is(blockedBy(released(due, 'a'), [key], { uid: 'b' }, 30_001), undefined)
  t.is(released(due, 'b'), due)
})

test('a success is news only if it began after the failure', (t) => {
  const holds = failing(noHolds, 'a', 0, 100)
  t.is(afterSuccess(holds, attempt('b', 50), 200), holds)
  t.is(afterSuccess(holds, attempt('b', 101), 200).holds.size, 0)
})

test('a person’s word passes once: it must be newer than the last failure', (t) => {
  const holds = failing(noHolds, 'a', 0, 100)
  t.is(blockedBy(holds, [key], { uid: 'b', retryRequestedAt: 101 }, 102), undefined)
  t.truthy(blockedBy(holds, [key], { uid: 'b', retryRequestedAt: 100 }, 102))
  const again = failing(admitted(holds, attempt('b', 102), 102), 'b', 102, 103)
  t.like(again.holds.get(key), { attempts: 1, failedAt: 103 })
  t.truthy(blockedBy(again, [key], { uid: 'b', retryRequestedAt: 101 }, 104))
})

test('Fly’s own Retry-After is kept, whoever hears it', (t) => {
  const holds = failing(noHolds, 'a', 0, 0, 100_000)
  t.is(holds.holds.get(key)?.notBefore, 100_000)
  t.is(failing(holds, 'b', 0, 10, 200_000).holds.get(key)?.notBefore, 200_010)
})

test('what has ended is forgotten in time', (t) => {
  const first = lift(failing(noHolds, 'a', 0, 0), [key], 0)
  t.true(first.lifted.has(key))
  t.false(lift(first, ['other'], 1_000_000).lifted.has(key))
})

test('whatever happens: never two probes, waits never shrink below now, and who waits is told a later time', (t) => {
  const event = fc.record({
    uid: fc.constantFrom('a', 'b', 'c', 'd'),
    wait: fc.nat(60_000),
    ends: fc.constantFrom('fault', 'success', 'otherwise', 'never' as const),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let [holds, now] = [failing(noHolds, 'z', 0, 0), 1]
      const going = new Map<string, number>()
      for (const { uid, wait, ends } of events) {
        now += wait
        const before = holds.holds.get(key)
        const blocked = blockedBy(holds, [key], { uid }, now)
        if (blocked !== undefined) {
          if (blocked.until <= now) return false
          continue
        }
        const others = [...going].filter(([other, until]) => other !== uid && until > now)
        if (before !== undefined && others.length > 0) return false
        holds = admitted(holds, attempt(uid, now), now)
        if (ends === 'never') going.set(uid, now + 120_000)
        else going.delete(uid)
        now += 1
        if (ends === 'fault') holds = failing(holds, uid, now - 1, now)
        if (ends === 'success') holds = afterSuccess(holds, attempt(uid, now - 1), now)
        if (ends === 'otherwise') holds = released(holds, uid)
        const after = holds.holds.get(key)
        if (ends === 'fault' && (after === undefined || after.notBefore <= now)) return false
        if (ends === 'success' && after !== undefined) return false
        if (after === undefined) going.clear()
      }
      return true
    }),
  )
  fc.assert(fc.property(fc.string(), (uid) => shareOf(uid) >= 0 && shareOf(uid) < 1))
  t.pass()
})
