// The budget, the doubts about lists and the planner's last word, as pure rules.
import test from 'ava'
import fc from 'fast-check'
import { budgetLevels, budgetSettings, entryOf, exhausted, fleetBudget } from '../../../reconciler/guards/budget.ts'
import { guarded, outlived } from '../../../reconciler/guards/guarded.ts'
import { acknowledged, judged, type KnownMachine, type Suspicion } from '../../../reconciler/guards/suspicion.ts'
import { freeFleet, type DestructiveKind, type FleetView, type LedgerEntry } from '../../../reconciler/guards/view.ts'
import type { Decision, PlanInput } from '../../../reconciler/decision.ts'
import type { Step } from '../../../reconciler/step.ts'
import { modelMachine } from '../../helpers/model.ts'
import { freshStatus, planSettings, tenantWith, uid, wishWith } from '../../helpers/tenants.ts'

const minute = 60_000
const entry = (part: Partial<LedgerEntry>): LedgerEntry => ({
  at: 0,
  kind: 'stray',
  uid: 'u',
  region: 'iad',
  target: 'm',
  ...part,
})
const many = (count: number, part: Partial<LedgerEntry> = {}) =>
  Array.from({ length: count }, (_, index) => entry({ at: index, uid: `u${index}`, target: `old${index}`, ...part }))
const wanted = (part: Partial<LedgerEntry> = {}) => entry({ uid: 'new', target: 'new', ...part })

test('the budget of the fleet is a share with a floor, and comes back when the oldest entry leaves its window', (t) => {
  t.deepEqual([0, 49, 99, 100, 500].map(fleetBudget), [1, 1, 1, 2, 10])
  const ledger = many(2, { region: 'ams' })
  t.is(exhausted({ ledger, tenants: 150 }, wanted(), 5), undefined)
  t.like(exhausted({ ledger, tenants: 100 }, wanted(), 5), { until: 10 * minute })
  t.like(exhausted({ ledger, tenants: 10 }, wanted(), 5), { until: 10 * minute + 1 }, 'both must leave')
  t.is(exhausted({ ledger, tenants: 100 }, wanted(), 10 * minute), undefined)
})

test('five a region, one replacement a tenant and day, ten on people’s word a minute', (t) => {
  const ledger = many(5)
  t.like(exhausted({ ledger, tenants: 1_000 }, wanted(), 9), { until: 10 * minute })
  t.is(exhausted({ ledger, tenants: 1_000 }, wanted({ region: 'ams' }), 9), undefined)
  const replaced = [entry({ kind: 'replace' })]
  t.like(exhausted({ ledger: replaced, tenants: 1_000 }, wanted({ kind: 'replace', uid: 'u' }), 9), {
    until: 86_400_000,
  })
  t.is(exhausted({ ledger: replaced, tenants: 1_000 }, wanted({ kind: 'replace', uid: 'v' }), 9), undefined)
  const asked = many(10, { kind: 'delete' })
  t.like(exhausted({ ledger: asked, tenants: 10 }, wanted({ kind: 'purge' }), 20), { until: minute })
  t.is(exhausted({ ledger: asked, tenants: 10 }, wanted({ kind: 'stray' }), 20), undefined, 'they do not share')
  t.is(exhausted({ ledger: many(50), tenants: 10 }, wanted({ kind: 'delete' }), 60), undefined)
})

test('the same act tried again takes nothing more', (t) => {
  const replaced = [entry({ kind: 'replace', target: 'm7' })]
  const again = wanted({ kind: 'replace', uid: 'u', target: 'm7' })
  t.is(exhausted({ ledger: replaced, tenants: 1 }, again, 9), undefined)
})

test('followed to the letter, no window ever holds more than it may', (t) => {
  const kinds: DestructiveKind[] = ['replace', 'stray', 'orphan', 'delete', 'purge']
  const wish = fc.record({
    kind: fc.constantFrom(...kinds),
    uid: fc.constantFrom('a', 'b', 'c'),
    region: fc.constantFrom('iad', 'ams'),
    gap: fc.nat(5 * minute),
  })
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 60 }), fc.nat(600), (wishes, tenants) => {
      let [now, ledger] = [0, [] as LedgerEntry[]]
      for (const [index, { gap, ...rest }] of wishes.entries()) {
        now += gap
        const one = { ...rest, at: now, target: `m${index}` }
        const full = exhausted({ ledger, tenants }, one, now)
        if (full === undefined) ledger = [...ledger, one]
        else if (full.until <= now || exhausted({ ledger, tenants }, one, full.until) !== undefined) return false
      }
      const within = (ms: number, at: number, of: (e: LedgerEntry) => boolean) =>
        ledger.filter((e) => of(e) && e.at <= at && e.at > at - ms).length
      return ledger.every(({ at, uid: whose, region }) => {
        const own = (e: LedgerEntry) => ['replace', 'stray', 'orphan'].includes(e.kind)
        return (
          within(10 * minute, at, own) <= fleetBudget(tenants) &&
          within(10 * minute, at, (e) => own(e) && e.region === region) <= 5 &&
          within(86_400_000, at, (e) => e.kind === 'replace' && e.uid === whose) <= 1 &&
          within(minute, at, (e) => !own(e)) <= budgetSettings.asked.most
        )
      })
    }),
  )
  t.is(budgetLevels({ ledger: many(2), tenants: 100 }, 9).find(({ name }) => name === 'region')?.left, 3)
})

const known = (count: number): KnownMachine[] =>
  Array.from({ length: count }, (_, index) => ({ id: `m${index}`, uid: `u${index}` }))

const reading = (machines: readonly KnownMachine[]) => ({
  at: 0,
  machines: machines.map((part) => modelMachine({ ...part })),
  volumes: [],
})

function look(before: Suspicion, machines: readonly KnownMachine[], now = 0, destroyed: readonly string[] = []) {
  return judged(before, { reading: reading(machines), destroyed: new Set(destroyed), now, scale: 1 })
}

const trusting = (count: number): Suspicion => ({ known: known(count), doubt: undefined })

test('a list is doubted when it loses more than a tenth, or everything, beyond what was destroyed here', (t) => {
  const doubted = (before: number, after: number, destroyed: readonly string[] = []) =>
    look(trusting(before), known(after), 0, destroyed).doubt !== undefined
  t.true(doubted(100, 0))
  t.true(doubted(100, 89))
  t.false(doubted(100, 95))
  t.true(doubted(100, 94), 'six tenants at once')
  t.false(doubted(3, 2), 'one of three')
  t.true(doubted(2, 0))
  t.false(doubted(1, 0))
  t.false(doubted(10, 8))
  t.true(doubted(10, 7))
  t.false(doubted(0, 0))
  const ours = known(10).map(({ id }) => id)
  t.false(doubted(10, 0, ours), 'destroyed here')
  t.true(doubted(12, 0, ours))
  const strangers = known(100).map((one, index) => (index < 94 ? one : { id: `x${index}`, uid: `x${index}` }))
  t.true(look(trusting(100), strangers).doubt !== undefined, 'as many as before, but others')
  t.is(look({ known: undefined, doubt: undefined }, []).doubt, undefined, 'nothing to compare with')
})

test('a machine that was seen on its way out is not missed', (t) => {
  const first = judged(trusting(0), {
    reading: { at: 0, volumes: [], machines: known(5).map((part) => modelMachine({ ...part, state: 'destroying' })) },
    destroyed: new Set(),
    now: 0,
    scale: 1,
  })
  t.is(look(first, []).doubt, undefined)
})

test('the doubt ends after three good lists over two minutes, or when an operator says so', (t) => {
  let suspicion = look(trusting(10), [])
  t.is(suspicion.doubt?.since, 0)
  suspicion = look(suspicion, known(10), 10_000)
  suspicion = look(suspicion, known(10), 20_000)
  suspicion = look(suspicion, known(10), 30_000)
  t.truthy(suspicion.doubt, 'three, but soon')
  const relapsed = look(suspicion, known(4), 140_000)
  t.like(relapsed.doubt, { since: 0, good: 0 })
  t.truthy(look(relapsed, known(10), 200_000).doubt)
  t.is(look(suspicion, known(10), 130_000).doubt, undefined)
  const acknowledgedNow = acknowledged(relapsed)
  t.is(acknowledgedNow.doubt, undefined)
  t.is(look(look(acknowledgedNow, known(4)), known(4)).doubt, undefined, 'the four are the fleet now')
  t.is(acknowledged(trusting(3)).known?.length, 3)
})

const steps = {
  createVolume: { kind: 'createVolume', name: 'v', incarnation: 1, sizeGb: 1, region: 'iad' },
  createMachine: { kind: 'createMachine', name: 'm', incarnation: 1, volume: 'vol', region: 'iad' },
  destroyVolume: { kind: 'destroyVolume', id: 'vol' },
  destroyMachine: { kind: 'destroyMachine', id: 'm1', region: 'iad', why: 'stray' },
  startMachine: { kind: 'startMachine', id: 'm1' },
  stopMachine: { kind: 'stopMachine', id: 'm1' },
  stampMachine: { kind: 'stampMachine', id: 'm1', version: 'v', metadata: {} },
} as const satisfies Record<string, Step>

function inputWith(fleet: Partial<FleetView>, paused = false, now = 1_000): PlanInput {
  const tenant = tenantWith({ paused })
  return {
    tenant,
    wish: wishWith(tenant),
    observed: { app: 'present', volumes: [], machines: [], certificates: {}, guest: { kind: 'unknown' } },
    fleet: { ...freeFleet, ...fleet },
    settings: planSettings,
    now,
  }
}

const act = (step: Step): Decision => ({ kind: 'act', step })
const doubt = { since: 0, message: 'Fly’s list is empty.' }

test('the first thing in the way is said, in the order of who may change it', (t) => {
  const hold = {
    ...({ kind: 'unavailable', reason: 'FlyUnavailable', message: 'Away', attempts: 1, since: 0 } as const),
    ...{ failedAt: 500, notBefore: 2_000, probe: undefined },
  }
  const all: Partial<FleetView> = {
    mode: 'observe-only',
    suspect: doubt,
    ledger: many(5),
    tenants: 10,
    holds: new Map([['api destroyMachine', hold]]),
  }
  const say = (fleet: Partial<FleetView>, paused = false) =>
    guarded(act(steps.destroyMachine), inputWith(fleet, paused))
  t.like(say(all, true), { kind: 'stalled', reason: 'ObserveOnly', waitsFor: 'mode' })
  t.regex((say(all) as { message: string }).message, /destroying the machine/)
  t.like(say({ ...all, mode: 'normal' }, true), { kind: 'stalled', reason: 'Paused' })
  t.like(say({ ...all, mode: 'normal' }), { kind: 'wait', reason: 'ObservationSuspect', waitsFor: 'lists' })
  t.like(say({ ...all, mode: 'normal', suspect: undefined }), {
    kind: 'wait',
    reason: 'BudgetExhausted',
    until: 600_004,
  })
  const held = say({ holds: all.holds ?? new Map() })
  t.like(held, { kind: 'wait', reason: 'FlyUnavailable', waitsFor: 'api destroyMachine' })
  t.true(held.kind === 'wait' && held.until >= 2_000 && held.until <= 3_000)
  t.is(say({}).kind, 'act')
  const settled: Decision = { kind: 'settled', until: 5 }
  t.is(guarded(settled, inputWith(all, true)), settled)
})

test('a doubt freezes what rests on absence and what destroys; known machines go on', (t) => {
  const kinds = Object.values(steps).filter(
    (step) => guarded(act(step), inputWith({ suspect: doubt, tenants: 1 })).kind === 'act',
  )
  t.deepEqual(
    kinds.map(({ kind }) => kind),
    ['startMachine', 'stopMachine', 'stampMachine'],
  )
})

test('a tenant’s own wait for a shared failure ends when another has shown that it is over', (t) => {
  const retry = {
    ...{ step: 'createVolume', attempts: 5, notBefore: 900_000, generation: 1 },
    ...{ reason: 'RegionFull', message: 'full' },
  }
  const tenant = tenantWith({}, { status: { ...freshStatus, retry } })
  const input = (fleet: Partial<FleetView>) => ({ ...inputWith(fleet), tenant })
  const key = 'region iad shared-1-2048 createVolume'
  t.false(outlived(retry, steps.createVolume, input({})))
  t.true(outlived(retry, steps.createVolume, input({ lifted: new Map([[key, 5]]) })))
  t.false(outlived(retry, steps.createVolume, input({ lifted: new Map([['region ams x', 5]]) })))
  t.false(outlived({ ...retry, reason: 'VolumeBound' }, steps.createVolume, input({ lifted: new Map([[key, 5]]) })))
})

test('only steps that destroy have an entry', (t) => {
  const tenant = tenantWith({ region: 'ams' })
  t.deepEqual(entryOf(tenant, steps.destroyMachine, 7), { at: 7, kind: 'stray', uid, region: 'iad', target: 'm1' })
  t.deepEqual(entryOf(tenant, steps.destroyVolume, 7), { at: 7, kind: 'purge', uid, region: 'ams', target: 'vol' })
  t.is(entryOf(tenant, steps.stopMachine, 7), undefined)
})
