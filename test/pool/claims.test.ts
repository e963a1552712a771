// A thousand tenants are created at once against fifty machines that stand ready, by three API processes that crash now and
// then: the real store, the real driver. Each machine goes to one tenant at most, and each tenant has one document.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { newMember } from '../../reconciler/pool/member.ts'
import { ClassBook } from '../../reconciler/rollout/book.ts'
import { newClass } from '../../reconciler/rollout/class-change.ts'
import { newUid } from '../../specs/names.ts'
import { poolDocument } from '../../specs/pool.ts'
import { tenantSpec, type Tenant } from '../../specs/tenant.ts'
import { applyTenant, type WriteContext } from '../../src/api/writes.ts'
import { claiming } from '../../src/claims.ts'
import { readClasses } from '../../src/classes.ts'
import { realClock } from '../../src/clock.ts'
import { fleetIn } from '../../src/store/fleet.ts'
import { membersIn, type Members } from '../../src/store/members.ts'
import { openStore } from '../../src/store/open.ts'
import { tenantsIn } from '../../src/store/tenants.ts'

const region = 'iad'
const [creations, ready, replicas] = [1_000, 50, 3]

class Crash extends Error {}

/** A process that dies around one claim in forty: before it is asked, or after it is written and before anybody knows. */
function crashing(members: Members): Members {
  const dies = () => realClock.random() < 0.0125
  return {
    ...members,
    claim: async (member, tenant) => {
      if (dies()) throw new Crash()
      const claimed = await members.claim(member, tenant)
      if (dies()) throw new Crash()
      return claimed
    },
  }
}

const never = { ifMatch: '', ifNoneMatch: '' }

test('of many that are created at once no two get one machine, and nobody gets two', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-claims-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const [tenants, members] = [tenantsIn(store.db), membersIn(store.db)]
  const classes = new ClassBook()
  for (const document of readClasses().values()) classes.takeClass(newClass(document, document.name, realClock.now()))
  const image = classes.get('standard')?.stable ?? ''
  const document = poolDocument.parse({
    ...{ kind: 'Pool', name: 'warm' },
    spec: { region, class: 'standard', min: ready, max: ready },
  })
  const pool = { ...document, uid: 'p', generation: 1, revision: 1, createdAt: 0 }
  for (let index = 0; index < ready; index += 1) {
    const member = newMember(
      pool,
      newUid((length) => realClock.bytes(length)),
      realClock.now(),
    )
    const machine = { id: `m${index}`, state: 'started', region, incarnation: 1 }
    await tenants.add({ ...member, status: { ...member.status, machine, warm: { since: index, image } } })
  }
  const policy = { domain: 'example.com', certificates: 'wildcard' } as const
  const contexts = Array.from({ length: replicas }, (): WriteContext => {
    const claim = claiming({ members: crashing(members), classes, clock: realClock })
    return { tenants, classes, policy, fleet: fleetIn(store.db), clock: realClock, claim }
  })
  // A client whose server died asks another; two in ten ask twice at the same time.
  const create = async (name: string, turn: number): Promise<void> => {
    const wanted = { kind: 'Tenant' as const, name, labels: {}, spec: tenantSpec.parse({ region }) }
    for (let attempt = turn; ; attempt += 1) {
      const context = contexts[attempt % replicas]
      if (context === undefined) throw new Error('there is no such replica')
      try {
        await applyTenant(context, wanted, never)
        return
      } catch (error) {
        if (!(error instanceof Crash)) throw error
      }
    }
  }
  const names = Array.from({ length: creations }, (_each, index) => `t-${index}`)
  const twice = names.filter((_name, index) => index % 5 === 0)
  await Promise.all([...names, ...twice].map((name, index) => create(name, index)))

  const found: Tenant[] = []
  for (const uid of await tenants.uids()) {
    const tenant = await tenants.get(uid)
    if (tenant !== undefined) found.push(tenant)
  }
  const owned = found.filter(({ pool: left }) => left === undefined)
  t.deepEqual(owned.map(({ name }) => name).sort(), [...names].sort(), 'each tenant once')
  const claimed = owned.filter(({ claim }) => claim !== undefined)
  const machines = claimed.map(({ status }) => status.machine?.id)
  t.is(new Set(machines).size, machines.length)
  t.is(claimed.length + (await members.all()).length, ready, 'a machine was lost')
  t.true(claimed.length >= ready * 0.9, `${claimed.length} of ${ready} were claimed`)
  t.log(`${creations} creations, ${claimed.length} of ${ready} machines claimed`)
  for (const { claim, status, generation } of claimed) {
    t.is(claim?.pool, 'warm')
    t.is(status.warm, undefined)
    t.true(generation > status.observedGeneration, 'its claim would not be acted on')
  }
})
