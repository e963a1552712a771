// Who gets which image, in every state of a rollout, and what a changed class makes of the one that is under way.
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { ClassBook } from '../../../reconciler/rollout/book.ts'
import { changedClass, settledClass } from '../../../reconciler/rollout/class-change.ts'
import {
  classSpecOf,
  imageOf,
  sameEffect,
  shareOf,
  waveOf,
  type ClassEntry,
} from '../../../reconciler/rollout/image.ts'
import { acted, begun, decided, rolloutActions, superseded } from '../../../reconciler/rollout/transitions.ts'
import { internalLabel, lastWave, waves, type Rollout } from '../../../specs/rollout.ts'
import type { Tenant } from '../../../specs/tenant.ts'
import { classWith, imageWith, newImage, oldImage, rolloutWith } from '../../helpers/rollouts.ts'
import { freshStatus, tenantWith } from '../../helpers/tenants.ts'

const tenant: fc.Arbitrary<Tenant> = fc
  .record({ uid: fc.stringMatching(/^[a-z2-7]{16}$/), internal: fc.boolean(), pool: fc.boolean() })
  .map(({ uid, internal, pool }) =>
    tenantWith(
      {},
      {
        uid,
        labels: internal ? { [internalLabel]: 'true' } : {},
        status: pool ? { ...freshStatus, effective: 'pool-warm' } : freshStatus,
      },
    ),
  )

const wave = fc.integer({ min: 0, max: lastWave })
const entryOf = (rollout: Rollout | undefined): ClassEntry => ({ class: classWith(), rollout })

test('shares are even: of 20,000 tenants each wave gets its part, and each rollout its own', (t) => {
  const uids = Array.from({ length: 20_000 }, (_, index) => `tenant${index}`)
  const counts = waves.map(() => 0)
  for (const uid of uids) {
    const at = waveOf(tenantWith({}, { uid }), { id: 'r1', canaries: [] })
    counts[at] = (counts[at] ?? 0) + 1
  }
  for (const [index, expected] of [0, 0, 200, 800, 4_000, 15_000].entries())
    t.true(Math.abs((counts[index] ?? 0) - expected) < 200, `${waves[index]?.name ?? ''}: ${counts[index] ?? 0}`)
  const first = (rollout: string) => uids.filter((uid) => shareOf(uid, rollout) < 0.01)
  t.notDeepEqual(first('r1'), first('r2'), 'not always the same go first')
})

test('the pool goes first, our own next', (t) => {
  const pool = tenantWith({}, { status: { ...freshStatus, effective: 'pool-warm' } })
  t.is(waveOf(tenantWith({}, { uid: 'a' }), { id: 'r1', canaries: [{ uid: 'a', wave: 3 }] }), 3)
  t.is(waveOf(pool, { id: 'r1', canaries: [] }), 0)
  t.is(waveOf(tenantWith({}, { labels: { [internalLabel]: 'true' } }), { id: 'r1', canaries: [] }), 1)
  t.true(waveOf(tenantWith({}, { labels: { [internalLabel]: 'false' } }), { id: 'r1', canaries: [] }) > 1)
})

test('who has the new image keeps it as waves open, and in the end all have it', (t) => {
  fc.assert(
    fc.property(tenant, wave, wave, (each, a, b) => {
      const image = (at: number) => imageOf(entryOf(rolloutWith({ wave: at })), each)
      if (image(Math.min(a, b)) === newImage) t.is(image(Math.max(a, b)), newImage)
      t.is(image(lastWave), newImage)
    }),
  )
})

test('without the rollout’s record nobody has the new image: one write of the class starts no landslide', (t) => {
  fc.assert(
    fc.property(tenant, (each) => {
      t.is(imageOf(entryOf(undefined), each), oldImage)
    }),
  )
})

const deed = fc.constantFrom(...rolloutActions, 'go on' as const)

test('after a failed gate, a rollback or a newer image every tenant gets the old image, whatever happened before', (t) => {
  const end = fc.constantFrom('halt' as const, 'rollback' as const, 'superseded' as const)
  fc.assert(
    fc.property(tenant, fc.array(deed, { maxLength: 20 }), end, (each, deeds, last) => {
      let rollout = begun(classWith()) ?? rolloutWith()
      for (const [at, name] of deeds.filter((one) => one !== 'rollback').entries())
        if (name !== 'go on') rollout = acted(rollout, name, at) ?? rollout
        else if (rollout.state === 'rolling' && rollout.wave < lastWave)
          rollout = decided(rollout, { kind: 'advance' }, at)
      const halt = { kind: 'halt', reason: 'ReadyGateFailed', message: 'One of one.' } as const
      if (last === 'halt') rollout = decided(rollout, halt, 99)
      if (last === 'rollback') rollout = acted(rollout, 'rollback', 99) ?? rollout
      if (last === 'superseded') rollout = superseded(rollout, undefined, 99)
      t.is(imageOf(entryOf(rollout), each), oldImage)
    }),
  )
})

test('what is called the same effect is the same for every tenant', (t) => {
  const rollout = fc
    .record({
      state: fc.constantFrom('rolling', 'halted', 'rolled-back', 'done', 'superseded'),
      wave,
      reason: fc.string(),
    })
    .map((part) => rolloutWith(part as Partial<Rollout>))
  const entry = fc.option(rollout, { nil: undefined }).map(entryOf)
  fc.assert(
    fc.property(entry, entry, tenant, (a, b, each) => {
      const overlooked = sameEffect(a, b) && !isDeepStrictEqual(classSpecOf(a, each), classSpecOf(b, each))
      t.false(overlooked)
    }),
    { numRuns: 2_000 },
  )
})

test('a new image leaves the stable one; another one starts from what most tenants run', (t) => {
  const settled = classWith({ stable: oldImage, rollout: undefined, spec: { ...classWith().spec, image: oldImage } })
  const want = (before: typeof settled, image: string, rollout?: Rollout) =>
    changedClass(before, { spec: { ...before.spec, image }, rollout, id: 'r2', now: 5 })
  const first = want(settled, newImage)
  t.like(first, { stable: oldImage, rollout: { id: 'r2', startedAt: 5 }, generation: 3 })
  t.is(want(first, newImage), first, 'the same again is no change')
  const third = imageWith('c')
  for (const [at, expected] of [0, 1, 2, 3, 4, 5].map(
    (each) => [each, each === lastWave ? newImage : oldImage] as const,
  ))
    t.is(want(first, third, rolloutWith({ id: 'r2', wave: at })).stable, expected, waves[at]?.name)
  const failed = rolloutWith({ id: 'r2', wave: lastWave, state: 'rolled-back' })
  t.is(want(first, third, failed).stable, oldImage, 'an image that failed is nobody’s stable one')
  t.is(want(first, oldImage, rolloutWith({ id: 'r2' })).rollout, undefined)
  const wider = changedClass(first, {
    spec: { ...first.spec, idle: { afterMinutes: 1 } },
    rollout: undefined,
    id: 'x',
    now: 6,
  })
  t.is(wider.rollout?.id, 'r2', 'another change leaves the rollout alone')
  t.like(settledClass(first, rolloutWith()), { stable: newImage, rollout: undefined })
})

test('the book takes no older version than it has, and tells what changed', (t) => {
  const book = new ClassBook()
  const told: string[] = []
  const unfollow = book.follow((name, before, after) =>
    told.push(`${name} ${String(before?.class.revision)} ${String(after?.class.revision)}`),
  )
  book.takeClass(classWith({ revision: 3 }))
  book.takeClass(classWith({ revision: 2 }))
  book.takeRollout(rolloutWith({ revision: 2, wave: 4 }))
  book.takeRollout(rolloutWith({ revision: 1, wave: 1 }))
  t.is(book.entry('standard')?.rollout?.wave, 4)
  t.is(book.classOf(tenantWith({ class: 'nothing' })), undefined)
  book.takeClass(classWith({ uid: 'another', revision: 1 }))
  book.dropClass('standard')
  book.dropClass('standard')
  t.deepEqual(told, ['standard undefined 3', 'standard 3 3', 'standard 3 1', 'standard 1 undefined'])
  unfollow()
  book.takeClass(classWith({ uid: 'a third' }))
  t.is(told.length, 4)
})
