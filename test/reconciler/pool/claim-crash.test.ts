// The plug is pulled at every call of a claim, before it and after it: at each of these moments Fly alone tells whose the
// machine is, nothing of a tenant's is in a machine that does not say so, and the claim ends where it should.
import test from 'ava'
import { reconcile } from '../../../reconciler/reconcile.ts'
import { metadataKeys } from '../../../specs/names.ts'
import { Crash, outsideOf, type Outside } from '../../helpers/model-ports.ts'
import { claim, live, member, minute, portsOf } from '../../helpers/pool-life.ts'
import { uid } from '../../helpers/tenants.ts'

/** The same world again, to be lived through another time. */
async function copyOf(outside: Outside): Promise<Outside> {
  const copy = outsideOf(outside.tenant)
  copy.world = structuredClone(outside.world)
  await copy.clock.advance(outside.clock.now() - copy.clock.now())
  return copy
}

type Owner = 'nobody' | 'acme' | 'unclear'

/** Whose the machine is, by what Fly shows of it: its metadata. */
function ownerOf({ world }: Outside): Owner {
  const [machine] = world.machines
  const {
    [metadataKeys.tenant]: name,
    [metadataKeys.claim]: claimed,
    [metadataKeys.uid]: owner,
  } = machine?.metadata ?? {}
  if (owner !== uid || world.machines.length !== 1) return 'unclear'
  if (name === 'acme' && / warm$/.test(claimed ?? '')) return 'acme'
  return name === `_pool-${uid}` && claimed === undefined ? 'nobody' : 'unclear'
}

interface Seen {
  /** Whose it was before the first word of the tenant's was said in the machine. */
  toldTo: Owner | undefined
  readonly owners: Set<Owner>
}

/** Watches each call; the plug is pulled at the one that is counted down to. */
function watch(outside: Outside, crashAt: number): Seen {
  const seen: Seen = { toldTo: undefined, owners: new Set() }
  let moments = 0
  outside.trip = (call, moment) => {
    seen.owners.add(ownerOf(outside))
    // A command in the machine counts as `prepareMachine`; the packages of a member are there.
    if (call === 'prepareMachine' && moment === 'before') seen.toldTo ??= ownerOf(outside)
    moments += 1
    if (moments === crashAt) throw new Crash()
  }
  return seen
}

/** Passes until the plug is pulled; false when it never is. */
async function crashes(outside: Outside): Promise<boolean> {
  const ports = portsOf(outside)
  for (let pass = 0; pass < 12; pass += 1)
    try {
      const back = await reconcile(ports, uid)
      if (outside.tenant.status.route.kind === 'forward') return false
      await outside.clock.advance(Math.max(0, (back?.at ?? 0) - outside.clock.now()))
      outside.pass()
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      return true
    }
  return false
}

for (const tier of ['running', 'suspended'] as const)
  test(`a crash at every call of the claim of a ${tier} member`, async (t) => {
    const ready = await member(tier)
    let runs = 0
    for (let crashAt = 1; ; crashAt += 1) {
      const outside = await copyOf(ready)
      const seen = watch(outside, crashAt)
      t.is(ownerOf(outside), 'nobody')
      claim(outside)
      const crashed = await crashes(outside)
      if (!crashed) break
      runs += 1
      const where = `crash ${crashAt}`
      t.false(seen.owners.has('unclear'), where)
      t.not(ownerOf(outside), 'unclear', where)
      if (seen.toldTo !== undefined) t.is(seen.toldTo, 'acme', where)

      const after = watch(outside, 0)
      await live(outside, 2 * minute)
      t.is(outside.tenant.status.route.kind, 'forward', where)
      t.is(ownerOf(outside), 'acme', where)
      t.false(after.owners.has('unclear'), where)
      t.false(
        outside.mutations.some((step) => step === 'updateMachine' || step === 'createMachine'),
        where,
      )
      t.is(outside.world.volumes.length, 1)
    }
    t.true(runs > 20, `${runs} runs`)
    t.log(`${runs} runs with crashes`)
  })
