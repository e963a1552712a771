// A thousand tenants are created at once against fifty machines that stand ready: three processes, each with an API and a
// controller, of which one acts and all crash now and then; the real store and the simulated Fly. In the end each machine has
// one tenant at most and each tenant one machine, by what Fly itself says.
import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Controller } from '../../reconciler/controller.ts'
import type { Ports, TenantSink } from '../../reconciler/ports.ts'
import { newMember } from '../../reconciler/pool/member.ts'
import { metadataKeys, newUid } from '../../specs/names.ts'
import { poolDocument, type StoredPool } from '../../specs/pool.ts'
import { tenantSpec } from '../../specs/tenant.ts'
import { applyTenant, type WriteContext } from '../../src/api/writes.ts'
import { claiming } from '../../src/claims.ts'
import { realClock } from '../../src/clock.ts'
import { fleetIn } from '../../src/store/fleet.ts'
import { membersIn } from '../../src/store/members.ts'
import type { Tenants } from '../../src/store/tenants.ts'
import { fleet, type Fleet } from '../helpers/living-fleet.ts'
import { until } from '../helpers/processes.ts'

const region = 'iad'
const [creations, ready, replicas] = [1_000, 50, 3]
/** How often around a write an API dies. */
const apiDies = 1 / 80
/** After so many calls, about, each controller dies, most of them while members are being claimed; the last one lives. */
const lifetimes = [60, 200, 500, 1_000, 3_000, 8_000]

/** Nothing boots here: there is only the place of the program that a command takes out of it. */
const bootScript = "#!/bin/sh\napply='\n'\n"

class Crash extends Error {}

/** Every call of a process may be its last: before it is made, or after it is and before anybody knows. */
function mortal<T extends object>(calls: T, dies: (call: string) => void): T {
  const wrapped = Object.entries(calls).map(([name, call]: [string, unknown]) => {
    if (typeof call !== 'function') return [name, call] as const
    const around = async (...args: readonly unknown[]) => {
      dies(name)
      const answer: unknown = await Reflect.apply(call, calls, args)
      dies(name)
      return answer
    }
    return [name, around] as const
  })
  return Object.fromEntries(wrapped) as T
}

async function fillPool({ tenants, ports, db }: Fleet): Promise<void> {
  const spec = { region, class: 'standard', min: ready, max: ready }
  const document = poolDocument.parse({ kind: 'Pool', name: 'warm', spec })
  const pool: StoredPool = { ...document, uid: 'p', generation: 1, revision: 1, createdAt: 0 }
  for (let index = 0; index < ready; index += 1) {
    const uid = newUid((length) => realClock.bytes(length))
    await tenants.add(newMember(pool, uid, realClock.now()))
  }
  const controller = new Controller(ports, { workers: 16 })
  await controller.start()
  await until('all stand ready', 120_000, async () => {
    const members = await membersIn(db).all()
    return members.every(({ status }) => status.warm !== undefined) || undefined
  })
  await controller.stop()
}

interface Acting {
  /** How many controllers have died so far. */
  deaths(): number
  stop(): Promise<void>
}

/** One controller acts; when it dies, the next one takes over with a higher term, as the lease has it. */
function actInTurn(t: ExecutionContext, ports: Ports): Acting {
  let [died, over] = [0, false]
  let active: Promise<Controller>
  const begin = async (): Promise<Controller> => {
    const term = died + 1
    let dead = false
    let left = (lifetimes[died] ?? Infinity) * (0.5 + realClock.random())
    const dies = () => {
      left -= 1
      if (!dead && !over && left < 0) {
        dead = true
        died += 1
        active = active.then((controller) => controller.stop()).then(begin)
      }
      if (dead) throw new Crash()
    }
    const journal = {
      note: () => {},
      defect: (_uid: string, error: unknown) => {
        if (!(error instanceof Crash)) t.fail(error instanceof Error ? error.stack : String(error))
      },
    }
    const store = { ...mortal(ports.store, dies), watch: (sink: TenantSink) => ports.store.watch(sink) }
    const controller = new Controller(
      { ...ports, cloud: mortal(ports.cloud, dies), store, journal, term: () => term },
      { workers: 16 },
    )
    await controller.start().catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error
    })
    return controller
  }
  active = begin()
  return {
    deaths: () => died,
    stop: async () => {
      over = true
      await (await active).stop()
    },
  }
}

/** The API of a process that may die around any write. */
function contextOf({ tenants, ports, classes, db }: Fleet): WriteContext {
  const dies = (call: string) => {
    const writes = call === 'add' || call === 'claim'
    if (writes && realClock.random() < apiDies) throw new Crash()
  }
  const claim = claiming({ members: mortal(membersIn(db), dies), classes: classes.book, clock: realClock })
  const own: Tenants = mortal(tenants, dies)
  return { tenants: own, classes: classes.book, policy: ports.settings, fleet: fleetIn(db), clock: realClock, claim }
}

const served = { 'pool.name': { $exists: false }, 'status.route.kind': 'forward' } as const

const never = { ifMatch: '', ifNoneMatch: '' }

/** A client whose server died asks another one. */
async function create(contexts: readonly WriteContext[], name: string, turn: number): Promise<void> {
  const wanted = { kind: 'Tenant' as const, name, labels: {}, spec: tenantSpec.parse({ region }) }
  for (let attempt = turn; ; attempt += 1) {
    const context = contexts[attempt % replicas]
    if (context === undefined) throw new Error('there is no such process')
    try {
      await applyTenant(context, wanted, never)
      return
    } catch (error) {
      if (!(error instanceof Crash)) throw error
    }
  }
}

interface FlyObject {
  readonly state: string
  readonly id: string
  readonly name: string
  readonly config: { readonly metadata: Readonly<Record<string, string>> }
}

async function onFly({ api }: Fleet): Promise<{ machines: readonly FlyObject[]; volumes: readonly FlyObject[] }> {
  const { body } = await api('GET', '/_sim/state')
  return body as unknown as { machines: readonly FlyObject[]; volumes: readonly FlyObject[] }
}

test('of a thousand at once no two get one machine, and nobody gets two or none', async (t) => {
  t.timeout(1_200_000)
  const it = await fleet(t, { bootScript, pollMs: 100 })
  await fillPool(it)
  const members = new Set((await onFly(it)).machines.map(({ id }) => id))
  t.is(members.size, ready)
  const before = await it.mutations()

  const began = performance.now()
  const acting = actInTurn(t, it.ports)
  const contexts = Array.from({ length: replicas }, () => contextOf(it))
  const names = Array.from({ length: creations }, (_each, index) => `t-${index}`)
  // Two in ten ask twice at the same time.
  const twice = names.filter((_name, index) => index % 5 === 0)
  await Promise.all([...names, ...twice].map((name, index) => create(contexts, name, index)))
  const made = `${((performance.now() - began) / 1000).toFixed(0)} s`
  await until('each is served', 900_000, async () => {
    // A look at everybody is work too: it must not keep the controllers from theirs.
    await delay(2_000)
    const count = await it.db.collection('tenants').countDocuments({ ...served, purged: false })
    return count === creations || undefined
  })
  await acting.stop()
  const whole = `${((performance.now() - began) / 1000).toFixed(0)} s`

  const owned = await it.tenants.page({ limit: 5_000 })
  const all = [...owned, ...(await membersIn(it.db).all())]
  t.deepEqual(owned.map(({ name }) => name).sort(), [...names].sort(), 'each tenant once')
  const { machines, volumes } = await onFly(it)
  t.deepEqual([...new Set([...machines, ...volumes].map(({ state }) => state))].sort(), ['created', 'started'])

  const ownerOf = ({ config }: FlyObject) => config.metadata[metadataKeys.tenant] ?? ''
  t.deepEqual(machines.map(ownerOf).sort(), all.map(({ name }) => name).sort(), 'each has one machine, says Fly')
  t.is(volumes.length, machines.length)
  const machineOf = new Map(machines.map((machine) => [machine.id, machine]))
  const taken: string[] = []
  for (const { name, uid, status, claim } of owned) {
    const machine = machineOf.get(status.machine?.id ?? '')
    if (machine === undefined) return t.fail(`${name} has no machine`)
    t.is(ownerOf(machine), name)
    t.is(machine.config.metadata[metadataKeys.uid], uid)
    t.is(members.has(machine.id), claim !== undefined, `${name}: claimed, or made for it`)
    t.is(machine.config.metadata[metadataKeys.claim] !== undefined, claim !== undefined)
    if (claim !== undefined) taken.push(machine.id)
  }
  t.is(new Set(taken).size, taken.length, 'a machine was claimed twice')
  t.true(taken.length >= ready * 0.8, `${taken.length} of ${ready} were claimed`)
  const { machineUpdate = 0, machineDelete = 0 } = await it.mutations()
  t.deepEqual([machineUpdate, machineDelete], [before['machineUpdate'] ?? 0, 0], 'made anew, or destroyed')
  t.is(acting.deaths(), lifetimes.length)
  t.log(
    `${creations} creations, ${taken.length} of ${ready} machines claimed, ${acting.deaths()} controllers died; made after ${made}, served after ${whole}`,
  )
})
