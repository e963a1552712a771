// The stage of a scenario: the simulated Fly behind HTTP, the real client, cloud adapter, store, REST API and controller, on
// one virtual clock. Only the inside of machines is made up (guests.ts).
import { cp, rm } from 'node:fs/promises'
import { Controller } from '../../../reconciler/controller.ts'
import { FleetMemory } from '../../../reconciler/fleet-memory.ts'
import { Keeper } from '../../../reconciler/guards/keeper.ts'
import type { FleetMode } from '../../../reconciler/guards/view.ts'
import type { PlatformSettings, Ports } from '../../../reconciler/ports.ts'
import { resolveSpec } from '../../../specs/class.ts'
import { openPools, poolKeeper } from '../../../src/pools.ts'
import { startApi } from '../../../src/api/server.ts'
import { readClasses } from '../../../src/classes.ts'
import { readConfig } from '../../../src/config.ts'
import { flyClient } from '../../../src/fly/client.ts'
import { flyCloud } from '../../../src/fly/cloud.ts'
import { keysFrom } from '../../../src/keys.ts'
import { platformSettings } from '../../../src/reconciler.ts'
import { startSim } from '../../../src/sim/server.ts'
import { callersInMemory } from '../../helpers/callers.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'
import { moved, scenarioGuests, type SavedGuests, type ScenarioGuests } from './guests.ts'
import { recorder, type Recorder } from './journal.ts'
import { ClassBook } from '../../../reconciler/rollout/book.ts'
import { newClass } from '../../../reconciler/rollout/class-change.ts'
import { newFolder, type Database, type Dump } from './database.ts'
import { Stillness } from './stillness.ts'
import { stageStores, type Stores } from './store.ts'

export const app = 'moorage-test'
const adminToken = 'scenario-admin-token'
const dayMs = 86_400_000

export interface Reply {
  readonly status: number
  readonly body: unknown
}

export interface Stage {
  readonly clock: VirtualClock
  readonly stores: Stores
  readonly guests: ScenarioGuests
  readonly recorder: Recorder
  /** The classes, in which a scenario may change an image, as after a whole rollout. */
  readonly book: ClassBook
  /** One call of the simulated Fly, below its root. */
  fly(method: string, path: string, body?: unknown): Promise<Reply>
  /** One call of the REST API, as its admin. */
  api(method: string, path: string, body?: unknown): Promise<Reply>
  /** Lets time pass until `done` holds where everything is still; false when it does not within `limitMs`. */
  until(done: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean>
  /** Lets what is under way end, where that takes no longer than a second. */
  finish(): Promise<boolean>
  /** Time goes on while nobody looks: what was due on the way happens once, late. */
  leap(ms: number): Promise<void>
  /** A controller that is killed and one that takes over. */
  restart(): Promise<void>
  close(): Promise<void>
  /** Closes the stage and keeps what was on it. */
  save(): Promise<SavedStage>
}

/** A whole world, to begin with again and again. */
export interface SavedStage {
  /** A copy of the simulator's folder. */
  readonly folder: string
  readonly dump: Dump
  readonly guests: SavedGuests
  readonly now: number
}

export interface StageOptions {
  /** The world to begin with; nothing unless set. */
  readonly from?: SavedStage | undefined
  readonly database: Database
  /** Fixes every draw. */
  readonly seed: number
  /** Is the Fly app there from the start? */
  readonly withApp: boolean
  readonly resyncEveryMs: number
  readonly mode: FleetMode
  readonly settings: Partial<PlatformSettings>
  readonly log: (sentence: string) => void
}

async function call(url: string, method: string, token: string, body: unknown): Promise<Reply> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
}

/** The settings of a production process, at Fly's own pace. */
function settingsOf(more: Partial<PlatformSettings>): PlatformSettings {
  const config = readConfig({
    MOORAGE_ENV: 'test',
    MOORAGE_DOMAIN: 'moorage.test',
    MOORAGE_PUBLIC_ORIGIN: 'https://moorage.test',
    MOORAGE_SIM_SCALE: '1',
  })
  // What boots inside a machine is tested elsewhere, and long texts in every answer cost time.
  const short = { bootScript: "#!/bin/sh\napply='\n'\n", bridgeSource: '//\n' }
  return { ...platformSettings({ config, proxyPort: undefined }), ...short, ...more }
}

async function openSim(options: StageOptions, folder: string, clock: VirtualClock, guests: ScenarioGuests) {
  const given = { folder, port: 0, scale: 0.1, seed: 1, clock, guests: guests.host, log: options.log }
  return startSim({ ...given, ...(options.withApp ? { bootstrapApp: { name: app, org: 'personal' } } : {}) })
}

interface Parts {
  readonly clock: VirtualClock
  readonly stillness: Stillness
  readonly stores: Stores
  readonly guests: ScenarioGuests
  readonly recorder: Recorder
  readonly flyUrl: string
  readonly settings: PlatformSettings
  readonly mode: FleetMode
  readonly resyncEveryMs: number
  readonly book: ClassBook
}

interface Hands {
  readonly ports: Ports
  readonly guards: Keeper
  readonly memory: FleetMemory
}

/** What src/reconciler.ts puts together for a process, without the lease, which only this one could want. */
async function handsOf(parts: Parts, wake: (uid: string) => void): Promise<Hands> {
  const { clock, stillness, stores, settings, recorder: journal, mode, book } = parts
  const keys = await keysFrom(new Uint8Array(32).fill(7), clock)
  const client = flyClient({ baseUrl: parts.flyUrl, token: 'fm2_scenario', clock, timeoutMs: 10_000, limits: {} })
  const memory = new FleetMemory()
  const guards = new Keeper({
    ...{ clock, store: stores.fleet, mode, scale: settings.scale, wake, leads: () => true },
    guestOf: (tenant) => {
      const defaults = book.classOf(tenant)
      return defaults === undefined ? undefined : resolveSpec(tenant.spec, defaults).guest
    },
    failed: (error) => journal.defect('*', error),
  })
  const ports: Ports = {
    cloud: flyCloud({
      client,
      app,
      org: 'personal',
      naming: settings.naming,
      clock,
      retainDays: settings.retainMs / dayMs,
    }),
    store: stores.tenants,
    activity: stores.activity,
    probe: parts.guests.probe,
    sleeper: parts.guests.sleeper,
    secrets: { ...keys, llmToken: (uid) => stillness.busy(keys.llmToken(uid)) },
    clock,
    journal,
    settings,
    classOf: (tenant) => book.classOf(tenant),
    guards: journal.over(guards),
    seen: (uid) => memory.idsOf(uid),
    term: () => 1,
  }
  return { ports, guards, memory }
}

interface Crew {
  restart(): Promise<void>
  close(): Promise<void>
}

/** A controller and its resync; a second one takes over from it on `restart`. */
async function startCrew(parts: Parts): Promise<Crew> {
  const { clock, stores, recorder: journal, resyncEveryMs } = parts
  let active: Controller | undefined
  const begin = async () => {
    const wake = (uid: string) => active?.wake(uid)
    const { ports, guards, memory } = await handsOf(parts, wake)
    await guards.load()
    stores.listen({ wish: (wish) => guards.follow(wish), woken: wake })
    const pools = poolKeeper(ports, stores.pools, stores.tenants, () => {})
    const sweeps = [guards.judge.bind(guards), memory.take.bind(memory), pools.sweep.bind(pools)]
    active = new Controller(ports, { workers: 32, sweeps })
    await active.start()
    return guards
  }
  let guards = await begin()
  let cancel = (): void => undefined
  const tick = (): void => {
    cancel = clock.after(resyncEveryMs, tick)
    active?.resync().catch((error: unknown) => journal.defect('*', error))
  }
  tick()
  const end = async () => {
    await active?.stop()
    await guards.settled()
  }
  return {
    restart: async () => {
      await end()
      guards = await begin()
    },
    close: async () => {
      cancel()
      await end()
      stores.close()
    },
  }
}

function openApi({ clock, stores, settings, book }: Parts, log: (sentence: string) => void) {
  const { tenants, fleet } = stores
  const warn = (_fields: object, message: string) => log(message)
  const pools = openPools({
    ...{ stores: stores.pools, classes: book, clock, scale: settings.scale },
    ...{ note: () => {}, log: { warn } },
  })
  return startApi({
    ...{ host: '127.0.0.1', port: 0, tenants, fleet, classes: book, policy: settings, adminToken, clock },
    log: { info: () => {}, warn, error: (_fields, message) => log(message) },
    jwks: () => ({ keys: [] }),
    ready: () => Promise.resolve({ ok: true, checks: {} }),
    // The change stream wakes the controller.
    wake: () => {},
    events: {
      ...{ write: () => Promise.resolve(), page: () => Promise.resolve([]) },
      watch: () => Promise.resolve({ close: () => Promise.resolve() }),
    },
    insight: undefined,
    adopt: undefined,
    ...callersInMemory(clock),
    ...stores.rest,
    ...{ pools, claim: (tenant) => pools.claim(tenant), arrived: (tenant) => pools.arrived(tenant) },
  })
}

function shippedClasses(clock: VirtualClock): ClassBook {
  const book = new ClassBook()
  for (const document of readClasses().values()) book.takeClass(newClass(document, document.name, clock.now()))
  return book
}

/** Goes from timer to timer, and lets everything come to rest in between. */
async function passTime(
  { clock, stillness }: Pick<Parts, 'clock' | 'stillness'>,
  done: () => boolean | Promise<boolean>,
  limitMs: number,
): Promise<boolean> {
  const end = clock.now() + limitMs
  for (;;) {
    await stillness.still()
    if (await done()) return true
    if (!clock.step(end)) return done()
  }
}

/** Brings everything up; `close` takes it down again. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const { database, mode, resyncEveryMs, from } = options
  const clock = new VirtualClock(options.seed, from?.now)
  const stillness = new Stillness()
  const folder = await newFolder()
  if (from !== undefined) {
    await cp(from.folder, folder, { recursive: true })
    await database.load(from.dump)
  }
  const uninstall = stillness.install()
  const guests = scenarioGuests(clock, from && moved(from.guests, '', folder))
  const sim = await openSim(options, folder, clock, guests)
  stillness.hold(sim.url)
  const stores = stageStores(database, stillness)
  const settings = settingsOf(options.settings)
  const own = { clock, stillness, stores, guests, recorder: recorder(), settings, book: shippedClasses(clock) }
  const parts: Parts = { ...own, flyUrl: sim.url, mode, resyncEveryMs }
  const api = await openApi(parts, options.log)
  const until: Stage['until'] = (done, limitMs) => passTime(parts, done, limitMs)
  /** For what may itself wait for time to pass. */
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    let over = false
    const end = (): unknown => (over = true)
    work.then(end, end)
    if (!(await until(() => over, 3_600_000))) throw new Error('not over within an hour of virtual time')
    return work
  }
  const crew = await settle(startCrew(parts))
  const end = async () => {
    await settle(crew.close())
    await api.close()
    await sim.close()
    uninstall()
  }
  return {
    ...own,
    fly: (method, path, body) => settle(call(`${sim.url}${path}`, method, 'fm2_by-hand', body)),
    api: (method, path, body) => settle(call(`${api.url}${path}`, method, adminToken, body)),
    until,
    finish: () => until(() => stillness.waiting === 0, 1_000),
    leap: async (ms) => {
      await stillness.still()
      clock.leap(ms)
      await until(() => true, 0)
    },
    restart: () => settle(crew.restart()),
    close: async () => {
      await end()
      await database.empty()
      await rm(folder, { recursive: true, force: true })
    },
    save: async () => {
      await end()
      const saved = { folder, dump: await database.dump(), guests: guests.save(folder), now: clock.now() }
      await database.empty()
      return saved
    },
  }
}
