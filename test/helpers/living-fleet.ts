// A whole controller in this process: the simulated Fly over HTTP without waits, a real store, and guests that are ready
// at once. The clock is the real one, moved on by hand where a test needs days.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { Db } from 'mongodb'
import { tenantSpec, type Tenant, type TenantSpec } from '../../specs/tenant.ts'
import { Controller, type Sweep } from '../../reconciler/controller.ts'
import { openGuards } from '../../reconciler/guards/keeper.ts'
import type { FleetView } from '../../reconciler/guards/view.ts'
import { ClassBook } from '../../reconciler/rollout/book.ts'
import type { PlatformSettings, Ports } from '../../reconciler/ports.ts'
import { newTenant } from '../../src/api/new-tenant.ts'
import type { AdoptionClasses } from '../../src/adoption.ts'
import { fillBook, seedClasses } from '../../src/class-book.ts'
import { readClasses } from '../../src/classes.ts'
import { realClock } from '../../src/clock.ts'
import { flyClient } from '../../src/fly/client.ts'
import { flyCloud } from '../../src/fly/cloud.ts'
import { keysFrom } from '../../src/keys.ts'
import { activityIn } from '../../src/store/activity.ts'
import { classesIn } from '../../src/store/classes.ts'
import { openStore } from '../../src/store/open.ts'
import { rolloutsIn } from '../../src/store/rollouts.ts'
import { tenantsIn, type Tenants } from '../../src/store/tenants.ts'
import { world, type World } from '../sim/fixture.ts'
import { until } from './processes.ts'
import { platform } from './tenants.ts'
import { wordlessSleeper } from './sleepers.ts'

/** Everything that a call may have changed; the rest of the simulator's actions only look. */
const looks = /^(?!leaseGet)(.*(Get|List|Wait|Events|Versions|Processes)|placements|tokenCurrent)$/

export interface Fleet extends World {
  readonly db: Db
  readonly tenants: Tenants
  readonly classes: AdoptionClasses
  readonly ports: Ports
  /** Moves the clock on. */
  later(ms: number): void
  /** What the guards show from now on. */
  guard(view: Partial<FleetView>): void
  add(name: string, spec?: Partial<TenantSpec>, labels?: Record<string, string>): Promise<Tenant>
  /** Runs a controller until every tenant is as wanted (and `also` holds), then stops it. */
  converge(sweeps?: readonly Sweep[], also?: (tenants: readonly Tenant[]) => boolean): Promise<void>
  /** Calls so far that may have changed something on Fly. */
  mutations(): Promise<Readonly<Record<string, number>>>
}

const quick: PlatformSettings = { ...platform, pollMs: 20, listLagMs: 50 }

function converged({ generation, status }: Tenant): boolean {
  const said = (type: string) => status.conditions.find((condition) => condition.type === type)
  return (
    status.observedGeneration === generation && said('Reconciling') === undefined && said('Synced')?.status === 'True'
  )
}

async function everyConverged(
  tenants: Tenants,
  also: (tenants: readonly Tenant[]) => boolean,
): Promise<true | undefined> {
  const all = await tenants.page({ limit: 5_000 })
  if (all.every(converged) && also(all)) return true
  // A look at everything is work too: it must not keep the controller from its own.
  await delay(20 + all.length)
  return undefined
}

/** The fleet's app is named `app`, and its certificate is there already. */
export async function fleet(t: ExecutionContext, more: Partial<PlatformSettings> = {}): Promise<Fleet> {
  let [ahead, shown] = [0, {} as Partial<FleetView>]
  const clock = { ...realClock, now: () => realClock.now() + ahead }
  const made = await world(t, { clock })
  const folder = await mkdtemp(join(tmpdir(), 'moorage-fleet-'))
  const store = await openStore({ uri: undefined, folder })
  t.teardown(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  await made.api('POST', '/apps/app/certificates/acme', { hostname: '*.localhost' })
  const tenants = tenantsIn(store.db)
  const settings = { ...quick, ...more }
  const client = flyClient({ baseUrl: made.sim.url, token: 'test', clock, limits: 'off' })
  const guards = openGuards()
  const stores = { classes: classesIn(store.db), rollouts: rolloutsIn(store.db) }
  await seedClasses(stores.classes, readClasses().values(), clock)
  const book = new ClassBook()
  await fillBook(book, stores)
  const ports: Ports = {
    cloud: flyCloud({ client, app: 'app', org: 'personal', naming: settings.naming, retainDays: 14, clock }),
    store: tenants,
    activity: activityIn(store.db),
    probe: { ask: ({ id, version }) => Promise.resolve({ kind: 'ready', boot: `${id} ${version}` }) },
    sleeper: wordlessSleeper,
    secrets: await keysFrom(new Uint8Array(32), clock),
    clock,
    journal: { note: () => {}, defect: (_uid, error) => t.fail(error instanceof Error ? error.stack : String(error)) },
    settings,
    classOf: (tenant) => book.classOf(tenant),
    guards: { ...guards, view: () => ({ ...guards.view(), ...shown }) },
    seen: () => [],
    term: () => 1,
  }
  return {
    ...made,
    db: store.db,
    tenants,
    classes: { book, classes: stores.classes },
    ports,
    later: (ms) => (ahead += ms),
    guard: (view) => (shown = view),
    add: async (name, spec = {}, labels = {}) => {
      const document = { kind: 'Tenant' as const, name, labels, spec: { ...tenantSpec.parse({}), ...spec } }
      const tenant = newTenant(document, { clock, policy: settings })
      t.is(await tenants.add(tenant), 'added')
      return tenant
    },
    converge: async (sweeps = [], also = () => true) => {
      const controller = new Controller(ports, { workers: 16, sweeps })
      await controller.start()
      await controller.resync()
      await until('every tenant is as wanted', 120_000, () => everyConverged(tenants, also))
      await controller.stop()
    },
    mutations: async () => {
      const { body } = await made.api('GET', '/_sim/state')
      const calls = Object.entries(body.calls as unknown as Record<string, number>)
      return Object.fromEntries(calls.filter(([action, count]) => count > 0 && !looks.test(action)))
    },
  }
}
