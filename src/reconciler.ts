// The reconciler's role: the controller with its adapters, acting only while it holds the lease.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import cron from 'node-cron'
import type { Logger } from 'pino'
import { Controller, type Sweep } from '../reconciler/controller.ts'
import { Keeper } from '../reconciler/guards/keeper.ts'
import { OrphanSearch } from '../reconciler/orphans/search.ts'
import { UsageRecorder, type UsageSource } from '../reconciler/usage/recorder.ts'
import { FleetMemory } from '../reconciler/fleet-memory.ts'
import { deafMeter, idleQueue, type Meter, type QueueState } from '../reconciler/meter.ts'
import type { Cloud, Journal, PlatformSettings, Ports } from '../reconciler/ports.ts'
import type { Spans } from '../reconciler/spans.ts'
import type { ClassBook } from '../reconciler/rollout/book.ts'
import { classFollower } from '../reconciler/rollout/follow.ts'
import { RolloutKeeper } from '../reconciler/rollout/keeper.ts'
import { resolveSpec } from '../specs/class.ts'
import type { Clock } from '../specs/clock.ts'
import type { BookStores } from './class-book.ts'
import type { Config } from './config.ts'
import type { Keys } from './keys.ts'
import { sleeperOf } from './gateway/sleep.ts'
import { poolKeeper, poolStoresIn } from './pools.ts'
import { gatewayProbe } from './probe.ts'
import { activityIn } from './store/activity.ts'
import { Lease } from './store/lease.ts'
import type { FleetStore } from './store/fleet.ts'
import { orphansIn } from './store/orphans.ts'
import { ownersIn } from './store/owners.ts'
import type { OpenStore } from './store/open.ts'
import type { Tenants } from './store/tenants.ts'
import { usageIn } from './store/usage.ts'

export const bridgePort = 18_789

const bootFolder = join(import.meta.dirname, '..', 'boot')

/** How late a list of Fly's may show what was created (controllers.md: 15 s until measured). */
const listLagMs = 15_000
const pollMs = 1_000
const resyncMs = 300_000
/** Each is a call under way at most: Fly's limits, not these, are the bottleneck. */
export const workers = 32
const dayMs = 86_400_000
const deferMs = 7 * dayMs
/** Of orphans: what is younger may still be told of (Karpenter takes 30 s), and how long a volume is held. */
const orphan = { ageFloorMs: 600_000, holdMs: 14 * dayMs }
const lease = { ttlMs: 20_000, renewMs: 3_000 }

export interface PlatformOptions {
  readonly config: Config
  /** The proxy's port, where this process runs the proxy. */
  readonly proxyPort: number | undefined
}

/** The origin that tenants' pages are reached by: as set, else the proxy of this process. */
function publicAddress({ config, proxyPort }: PlatformOptions): Pick<PlatformSettings, 'publicScheme' | 'publicPort'> {
  if (config.publicOrigin === undefined) return { publicScheme: 'http', publicPort: proxyPort ?? config.proxyPort }
  const { protocol, port } = new URL(config.publicOrigin)
  return { publicScheme: protocol === 'https:' ? 'https' : 'http', publicPort: port === '' ? undefined : Number(port) }
}

/** The planner's settings. The simulator's times are scaled, and so are the waits that answer to them. */
export function platformSettings(options: PlatformOptions): PlatformSettings {
  const { config } = options
  return {
    naming: { prefix: config.prefix, environment: config.environment },
    pollMs: Math.max(100, pollMs * config.scale),
    resyncMs,
    listLagMs: Math.max(1_000, listLagMs * config.scale),
    bridgePort,
    retainMs: config.retainDays * dayMs,
    deferMs,
    llmTokenMs: config.llmTokenMs,
    scale: Math.max(config.scale, 0.01),
    domain: config.domain,
    certificates: config.certificates,
    llmBaseUrl: config.llmBaseUrl,
    ...publicAddress(options),
    bootScript: readFileSync(join(bootFolder, 'start.sh'), 'utf8'),
    bridgeSource: readFileSync(join(bootFolder, 'bridge.mjs'), 'utf8'),
  }
}

export interface ReconcilerOptions {
  readonly config: Config
  readonly settings: PlatformSettings
  readonly store: OpenStore
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly cloud: Cloud
  readonly usageSource: UsageSource
  readonly keys: Keys
  readonly classes: BookStores & { readonly book: ClassBook }
  readonly clock: Clock
  readonly journal: Journal
  readonly log: Logger
  readonly meter?: Meter | undefined
  readonly spans?: Spans | undefined
}

export interface RunningReconciler {
  readonly ports: Ports
  /** What there is to do; nothing while another process holds the lease. */
  queue(): QueueState
  /** Undefined while another process holds the lease. */
  term(): number | undefined
  wake(uid: string): void
  close(): Promise<void>
}

function rolloutKeeper({ classes, tenants, log }: ReconcilerOptions, ports: Ports): RolloutKeeper {
  const { book, classes: store, rollouts } = classes
  return new RolloutKeeper({
    ports,
    book,
    store: {
      classes: () => store.all(),
      saveClass: (next) => store.save(next),
      open: () => rollouts.open(),
      begin: (rollout) => rollouts.begin(rollout),
      save: (next) => rollouts.save(next),
      members: (name) => tenants.ofClass(name),
    },
    told: ({ id, state, reason, message }) => log.info({ rollout: id, state, reason }, message),
  })
}

/** Starts the reconciler; it acts from the moment it holds the lease until it loses it. */
export async function startReconciler(options: ReconcilerOptions): Promise<RunningReconciler> {
  const { config, settings, store, tenants, cloud, keys, classes, clock, journal, log } = options
  const defect = (error: unknown) => journal.defect('*', error)
  const activity = activityIn(store.db)
  const memory = new FleetMemory()
  const guards = new Keeper({
    clock,
    store: options.fleet,
    mode: config.mode,
    scale: settings.scale,
    guestOf: (tenant) => {
      const defaults = classes.book.classOf(tenant)
      return defaults === undefined ? undefined : resolveSpec(tenant.spec, defaults).guest
    },
    wake: (uid) => active?.wake(uid),
    leads: () => held.term !== undefined,
    failed: defect,
  })
  const ports: Ports = {
    cloud,
    store: tenants,
    activity,
    probe: gatewayProbe({ secrets: keys, clock, port: settings.bridgePort, timeoutMs: 3_000 }),
    sleeper: sleeperOf({ keys, clock, port: settings.bridgePort, timeoutMs: 5_000 }),
    secrets: keys,
    clock,
    journal,
    spans: options.spans,
    settings,
    classOf: (tenant) => classes.book.classOf(tenant),
    guards,
    seen: (uid) => memory.idsOf(uid),
    term: (spareMs = 0) => held.termFor(spareMs),
  }
  const orphanSearch = new OrphanSearch({
    ...ports,
    orphans: orphansIn(store.db),
    owners: ownersIn(store.db),
    orphanSettings: { ...orphan, ageFloorMs: Math.max(1_000, orphan.ageFloorMs * config.scale) },
    charge: (entry) => guards.chargeEntry(entry),
  })
  let active: Controller | undefined
  let turn: Promise<void> = Promise.resolve()
  let cancel = () => {}
  const follow = async () => {
    if (held.term === undefined) {
      await active?.stop()
      active = undefined
    } else if (active === undefined) {
      // Another controller may have destroyed, failed or doubted since this process last knew.
      await guards.load()
      const keeper = rolloutKeeper(options, ports)
      const pools = poolKeeper(ports, poolStoresIn(store.db), tenants, (event) => log.info(event, 'a pool'))
      const usage = new UsageRecorder({
        store: usageIn(store.db),
        source: options.usageSource,
        naming: settings.naming,
      })
      const sweeps: Sweep[] = [
        (reading) => guards.judge(reading),
        (reading) => memory.take(reading),
        (reading) => keeper.sweep(reading),
        (reading) => pools.sweep(reading),
        (reading) => orphanSearch.sweep(reading),
        (reading) => usage.sweep(reading),
      ]
      active = new Controller(ports, { workers, sweeps, meter: options.meter ?? deafMeter })
      await active.start()
    }
  }
  const followSoon = () => {
    turn = turn.then(follow).catch(async (error: unknown) => {
      defect(error)
      await active?.stop()
      active = undefined
      // Else a lease would be held by a process that does nothing.
      cancel = clock.after(lease.renewMs, followSoon)
    })
  }
  const held = new Lease({
    ...lease,
    db: store.db,
    name: 'reconciler',
    holder: `${hostname()}-${process.pid}-${randomUUID()}`,
    clock,
    uncontested: store.embedded,
    changed: (state, term) => {
      log.info({ state, term }, 'the reconciler lease')
      followSoon()
    },
    failed: defect,
  })
  const wakes = await activity.watch((uid) => active?.wake(uid))
  const wishes = await options.fleet.watch((wish) => guards.follow(wish), defect)
  const classChanged = classFollower({
    members: (name) => tenants.ofClass(name),
    look: (uid) => active?.wake(uid, 'resync'),
  })
  const unfollow = classes.book.follow((...told) => {
    if (active !== undefined) void classChanged(...told).catch(defect)
  })
  await held.start()
  await turn
  const resync = cron.schedule(config.resyncCron, () => active?.resync().catch(defect))
  return {
    ports,
    queue: () => active?.queue() ?? idleQueue,
    term: () => held.term,
    wake: (uid) => active?.wake(uid),
    close: async () => {
      unfollow()
      await resync.destroy()
      await wakes.close()
      await wishes.close()
      cancel()
      await turn
      await active?.stop()
      await guards.settled()
      await held.close()
    },
  }
}
