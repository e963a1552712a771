// The rollout's plan: each reason to wait, each gate, and what holds whatever the members do.
import test from 'ava'
import fc from 'fast-check'
import { lastWave, waves, type Rollout } from '../../../specs/rollout.ts'
import type { Member, Standing } from '../../../reconciler/rollout/members.ts'
import { rolloutPace } from '../../../reconciler/rollout/pace.ts'
import { planRollout, type RolloutDecision } from '../../../reconciler/rollout/plan.ts'
import { membersWith, minuteMs, rolloutWith, troubleSince } from '../../helpers/rollouts.ts'

const pace = rolloutPace(1)
const baked = 10 * minuteMs
const ready: Standing = { kind: 'ready' }

function planned(members: readonly Member[], now = baked, part: Partial<Rollout> = {}): RolloutDecision {
  return planRollout(rolloutWith(part), members, now, pace)
}

const word = (decision: RolloutDecision) =>
  'reason' in decision ? `${decision.kind} ${decision.reason}` : decision.kind

test('a wave bakes for its time, to the millisecond', (t) => {
  const members = membersWith(2, ready)
  t.like(planned(members, baked - 1), { kind: 'wait', reason: 'Baking', until: baked })
  t.is(planned(members).kind, 'advance')
  for (const [wave, minutes] of [10, 10, 10, 15, 30, 30].entries()) {
    const own = membersWith(2, ready, { wave })
    t.is(word(planned(own, minutes * minuteMs - 1, { wave })), 'wait Baking', waves[wave]?.name)
    t.is(word(planned(own, minutes * minuteMs, { wave })), wave === lastWave ? 'finish' : 'advance')
  }
})

test('a wave without members is passed at once, and the last one ends the rollout', (t) => {
  for (const [wave] of waves.entries()) t.is(word(planned([], 0, { wave })), wave === lastWave ? 'finish' : 'advance')
  t.is(word(planned(membersWith(3, ready, { wave: 1 }), 0)), 'advance')
  const later = membersWith(3, { kind: 'unreached' }, { wave: 5 })
  t.is(word(planned(later, 0)), 'advance', 'members of later waves do not count')
})

test('a wave of customers opens for somebody: one who can prove the image soon, else one who can at all', (t) => {
  const later = (proves: Member['proves']) => membersWith(3, { kind: 'unreached' }, { wave: 5, proves })
  const canary = (members: readonly Member[], wave: number) => {
    const decision = planned(members, 0, { wave, id: 'r1' })
    return decision.kind === 'advance' ? decision.canary?.name : decision.kind
  }
  const named = (proves: Member['proves']) => later(proves).map((member) => ({ ...member, name: proves }))
  t.is(canary([...named('never'), ...named('later'), ...named('now')], 1), 'now')
  t.is(canary([...named('never'), ...named('later')], 2), 'later')
  t.is(canary(named('never'), 3), 'never')
  t.is(canary(later('now'), 0), undefined, 'our own tenants are who they are')
  t.is(canary(later('now'), 4), undefined, 'the last wave is everybody')
  t.is(canary([...later('now'), ...membersWith(1, { kind: 'unreached' }, { wave: 2 })], 1), undefined)
  t.is(canary([], 1), undefined)
})

test('a person may skip the bake, and nothing else', (t) => {
  t.is(word(planned(membersWith(2, ready), 0, { hurried: true })), 'advance')
  t.is(word(planned(membersWith(2, { kind: 'pending' }), 0, { hurried: true })), 'wait Updating')
  t.is(word(planned(membersWith(1, troubleSince(0)), 0, { hurried: true })), 'wait Settling')
  t.is(word(planned(membersWith(1, troubleSince(0)), 5 * minuteMs, { hurried: true })), 'halt ReadyGateFailed')
  t.is(word(planned(membersWith(1, { kind: 'deferred' }), 0, { hurried: true })), 'wait Unproven')
})

test('who can be updated is waited for; who is in use, paused or kept by something else is not', (t) => {
  const proof = membersWith(1, ready)
  const kinds: readonly Standing[] = [
    ...([{ kind: 'deferred' }, { kind: 'paused' }, { kind: 'absent' }, { kind: 'resting' }] as const),
    { kind: 'blocked', updated: false },
  ]
  for (const standing of kinds) t.is(word(planned([...proof, ...membersWith(9, standing)])), 'advance', standing.kind)
  const pending = [...proof, ...membersWith(1, { kind: 'pending' })]
  t.is(word(planned(pending)), 'wait Updating')
  t.is(word(planned(pending, baked + 60 * minuteMs)), 'advance', 'but not for ever')
})

test('an image that nobody runs opens no further wave, unless nobody is wanted running', (t) => {
  const unproven = planned(membersWith(3, { kind: 'deferred' }), 1_000 * minuteMs)
  t.is(word(unproven), 'wait Unproven')
  t.regex('message' in unproven ? unproven.message : '', /3 are in use.*spec\.update.*deferred2-0-0/)
  const proof = membersWith(1, ready, { wave: 1 })
  t.is(word(planned([...proof, ...membersWith(3, { kind: 'deferred' })])), 'advance', 'an earlier wave has proved it')
  t.is(word(planned(membersWith(3, { kind: 'resting' }))), 'advance')
  t.is(word(planned(membersWith(3, { kind: 'paused' }))), 'advance')
})

test('the last wave stays open until those in use have been updated too', (t) => {
  const members = [...membersWith(1, ready, { wave: 5 }), ...membersWith(2, { kind: 'deferred' }, { wave: 5 })]
  t.is(word(planned(members, 600 * minuteMs, { wave: lastWave })), 'wait Deferred')
  const bad = [...members, ...membersWith(1, troubleSince(0), { wave: 5 })]
  t.is(word(planned(bad, 600 * minuteMs, { wave: lastWave })), 'halt ReadyGateFailed')
})

test('Ready: 2 % may fail, one more halts; in a small wave one is enough, after its grace', (t) => {
  const grace = 5 * minuteMs
  const mixed = (good: number, bad: number) => [...membersWith(good, ready), ...membersWith(bad, troubleSince(0))]
  t.is(word(planned(mixed(98, 2), baked)), 'advance')
  t.is(word(planned(mixed(97, 3), grace)), 'halt ReadyGateFailed')
  t.is(word(planned(mixed(48, 1), grace)), 'halt ReadyGateFailed')
  t.is(word(planned(mixed(49, 1), baked)), 'advance')
  t.is(word(planned(mixed(1, 1), grace - 1)), 'wait Baking')
  t.is(word(planned(mixed(1, 1), grace)), 'halt ReadyGateFailed')
  const late = [...membersWith(9, ready), ...membersWith(1, troubleSince(baked))]
  t.is(word(planned(late, baked)), 'wait Settling', 'not failing yet, and no reason to go on either')
  const halt = planned(mixed(6, 2), baked)
  const sentence =
    '2 of 8 updated members were not Ready for 5 min; at most 2 % may be. For example trouble2-0-0: The gateway'
  t.true('message' in halt && halt.message.startsWith(sentence), JSON.stringify(halt))
})

test('many good members of earlier waves do not hide a bad wave, nor a good wave bad ones before it', (t) => {
  const hidden = [...membersWith(500, ready, { wave: 1 }), ...membersWith(2, troubleSince(0))]
  t.is(word(planned(hidden, baked)), 'halt ReadyGateFailed')
  const before = [...membersWith(10, ready), ...membersWith(1, troubleSince(0), { wave: 1 })]
  t.is(word(planned(before, baked)), 'halt ReadyGateFailed')
})

test('crashes: 2 % may have one; in a small wave one crash is let pass and two in a row are not', (t) => {
  const crashed = (good: number, bad: number, crashes: number) => [
    ...membersWith(good, ready),
    ...membersWith(bad, ready, { crashes }),
  ]
  t.is(word(planned(crashed(9, 1, 1))), 'advance')
  t.is(word(planned(crashed(9, 1, 2))), 'halt CrashGateFailed')
  t.is(word(planned(crashed(98, 2, 1))), 'advance')
  t.is(word(planned(crashed(97, 3, 1), 0)), 'halt CrashGateFailed')
})

const mostly: readonly Standing[] = [
  ...([{ kind: 'ready' }, { kind: 'ready' }, { kind: 'ready' }, { kind: 'resting' }] as const),
  ...([{ kind: 'paused' }, { kind: 'absent' }, { kind: 'deferred' }] as const),
  { kind: 'blocked', updated: true },
]

const troubled = fc.integer({ min: 0, max: 90 * minuteMs }).map(troubleSince)
const pending = fc.constant<Standing>({ kind: 'pending' })

/** Most members do well, so that a few bad ones are what decides. */
const member: fc.Arbitrary<Member> = fc.record({
  ...{ uid: fc.string(), name: fc.constant('acme') },
  proves: fc.constantFrom('now', 'later', 'never'),
  standing: fc.oneof(
    { weight: 97, arbitrary: fc.constantFrom(...mostly) },
    { weight: 2, arbitrary: troubled },
    { weight: 1, arbitrary: pending },
  ),
  wave: fc.integer({ min: 0, max: lastWave }),
  crashes: fc.oneof(
    { weight: 98, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }) },
  ),
})

const scene = fc.record({
  members: fc.array(member, { maxLength: 120, size: 'max' }),
  wave: fc.integer({ min: 0, max: lastWave }),
  hurried: fc.boolean(),
  now: fc.integer({ min: 0, max: 200 * minuteMs }),
})

test('whatever the members do: no wave opens past a failing gate, before its bake, or on an unproven image', (t) => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(scene, ({ members, wave, hurried, now }) => {
      const decision = planRollout(rolloutWith({ wave, hurried }), members, now, pace)
      seen.set(decision.kind, (seen.get(decision.kind) ?? 0) + 1)
      const reached = members.filter((each) => each.wave <= wave)
      const own = reached.filter((each) => each.wave === wave)
      if (decision.kind !== 'advance' && decision.kind !== 'finish') return
      for (const group of [own, reached]) {
        const are = (kind: Standing['kind']) => group.filter((each) => each.standing.kind === kind)
        const [good, judged] = [are('ready').length, are('ready').length + are('trouble').length]
        t.true(good >= 0.98 * judged, 'at least 98 % are Ready')
        const crashed = are('ready').filter(({ crashes }) => crashes > (judged < 50 ? 1 : 0))
        t.true(crashed.length <= 0.02 * judged, 'at most 2 % crashed')
      }
      t.true(hurried || own.length === 0 || now >= (pace.bakeMs[wave] ?? 0), 'after the bake')
      const wanted = reached.some(({ standing: { kind } }) => kind === 'deferred')
      t.true(!wanted || reached.some((each) => each.standing.kind === 'ready'), 'somebody runs it')
    }),
    { numRuns: 3_000, seed: 11 },
  )
  t.log([...seen].join(' · '))
  t.true(['advance', 'finish', 'halt', 'wait'].every((kind) => (seen.get(kind) ?? 0) > 20))
})
