// The composition root: reads the settings, builds the adapters, starts the roles, and stops them in order.
import { join } from 'node:path'
import type { Logger } from 'pino'
import { Fault } from '../specs/faults.ts'
import type { Journal, JournalEntry } from '../reconciler/ports.ts'
import { adoption } from './adoption.ts'
import { announce, stepPrinter } from './announce.ts'
import { startApi } from './api/server.ts'
import { openCallers } from './callers.ts'
import { realClock } from './clock.ts'
import { ConfigError, readConfig, type Config } from './config.ts'
import { eventOf, type TenantEvent } from './events/event.ts'
import { notedTenants } from './events/noted.ts'
import { Recorder } from './events/recorder.ts'
import { liveConfigIn } from './fly/live-config.ts'
import { applyExamples, openClasses } from './first-start.ts'
import { openFolder, secretFile } from './folder.ts'
import { pairingsOf } from './gateway/pairings.ts'
import { insightFrom } from './insight.ts'
import { keysFrom, type Keys } from './keys.ts'
import { openLog } from './log.ts'
import { moneyIn, startTelling } from './money.ts'
import { openClient, openCloud, openFly, readTimeoutMs } from './open-fly.ts'
import { openPools, poolStoresIn } from './pools.ts'
import { startOperations } from './start-operations.ts'
import { platformSettings, startReconciler, type RunningReconciler } from './reconciler.ts'
import { isProxyAlone, runProxyAlone, startProxyRole } from './proxy-role.ts'
import { Stack } from './stack.ts'
import { activityIn } from './store/activity.ts'
import { fleetIn } from './store/fleet.ts'
import { eventsIn } from './store/events.ts'
import { orphansIn } from './store/orphans.ts'
import { openStore } from './store/open.ts'
import { replaysIn } from './store/replays.ts'
import { revokedIn } from './store/revoked.ts'
import { tenantsIn } from './store/tenants.ts'
import { usageSource } from './usage/source.ts'
import { tracedTenants, wishTrace } from './tracing/tenants.ts'

const print = (text: string) => void process.stdout.write(text)

function randomSecret(): string {
  return Buffer.from(realClock.bytes(32)).toString('base64url')
}

function masterKeyOf({ data, masterKey }: Config): Buffer {
  return Buffer.from(masterKey ?? secretFile(data, 'master-key', randomSecret), 'base64url')
}

const openKeys = (config: Config): Promise<Keys> => keysFrom(masterKeyOf(config), realClock, config.llmTokenMs)

/** The journal of the reconciler: events, lines for whoever looks on, and the log. */
function journalTo(
  log: Logger,
  recorder: Recorder,
  ...hearers: readonly (((entry: JournalEntry) => void) | undefined)[]
): Journal {
  return {
    note: (entry) => {
      log.info(entry, entry.message)
      const event = eventOf(entry)
      if (event !== undefined) recorder.note(event)
      for (const hear of hearers) hear?.(entry)
    },
    defect: (uid, error) => log.error({ uid, err: error }, 'a defect in the reconciler'),
  }
}

function started(running: RunningReconciler | undefined): RunningReconciler {
  if (running === undefined) throw new Fault('unavailable', 'The reconciler has not started yet.', { call: 'start' })
  return running
}

async function run(config: Config, stack: Stack, log: Logger): Promise<void> {
  const { roles } = config
  const operations = await startOperations(config, stack, log, print)
  const { metrics, tracing } = operations
  if (isProxyAlone(config)) {
    const proxy = await runProxyAlone({
      config,
      openKeys: () => openKeys(config),
      log,
      print,
      metrics: metrics.registry,
    })
    operations.withProxy(proxy)
    stack.add('proxy', () => proxy.close())
    return
  }
  const fly = await openFly(config, stack, log)
  const store = await openStore({ uri: config.mongoUri, folder: join(config.data, 'db'), observe: metrics.store })
  stack.add('store', () => store.close())
  const tenants = tenantsIn(store.db)
  const fleet = fleetIn(store.db)
  const events = eventsIn(store.db)
  const recorder = new Recorder({ clock: realClock, log, write: (batch) => events.write(batch) })
  stack.add('recorder of events', () => recorder.close())
  operations.withStore(store, fleet, recorder)
  // What people change through these is noted; the reconciler's own writes are in its journal.
  const noted = notedTenants(tracedTenants(tenants, tracing, realClock), {
    clock: realClock,
    note: (event) => recorder.note(event),
  })
  const keys = await openKeys(config)
  const classes = await openClasses(store, stack, log)
  operations.withClasses(classes.book)
  const policy = { domain: config.domain, certificates: config.certificates }
  const note = (event: TenantEvent) => recorder.note(event)
  const pools = openPools({
    stores: poolStoresIn(store.db),
    classes: classes.book,
    clock: realClock,
    scale: config.scale,
    note,
    log,
  })
  operations.withPools(pools)

  const proxy = roles.has('proxy')
    ? await startProxyRole({ config, keys, log, metrics: metrics.registry, activity: activityIn(store.db) }, () =>
        Promise.resolve({
          tenants,
          acknowledgedAt: async () => (await fleet.wish()).acknowledgedAt,
          close: () => Promise.resolve(),
        }),
      )
    : undefined
  if (proxy !== undefined) {
    operations.withProxy(proxy)
    stack.add('proxy', () => proxy.close())
  }

  let reconciler: RunningReconciler | undefined
  const meter = roles.has('reconciler') ? operations.withReconciler(() => reconciler) : undefined
  const client = openClient(config, { ...fly, log: metrics.fly, spans: tracing.spans })
  const cloud = openCloud(config, client)
  const money = moneyIn(store.db, config.webhooks, keys)
  const startController = async () => {
    const failed = (error: unknown) => log.error({ err: error }, 'webhooks could not be told')
    const telling = startTelling({ money, tenants, clock: realClock, failed })
    stack.add('webhooks', () => telling.close())
    reconciler = await startReconciler({
      config,
      settings: platformSettings({ config, proxyPort: proxy?.port }),
      store,
      tenants: telling.tenants,
      fleet,
      cloud,
      usageSource: usageSource(client, config.fly.app, cloud),
      keys,
      classes,
      clock: realClock,
      journal: journalTo(log, recorder, metrics.step, fly.simulated ? stepPrinter(print) : undefined),
      log,
      meter,
      spans: tracing.spans,
    })
    const running = reconciler
    stack.add('reconciler', () => running.close())
  }

  const adminToken = secretFile(config.data, 'admin-token', randomSecret)
  const api = roles.has('api')
    ? await startApi({
        host: config.host,
        port: config.apiPort,
        tenants: noted,
        fleet,
        ...{ classes: classes.book, classStore: classes.classes, rollouts: classes.rollouts },
        policy,
        adminToken,
        ...(await openCallers({ db: store.db, masterKey: masterKeyOf(config), oidc: config.oidc, log })),
        clock: realClock,
        log,
        jwks: () => keys.jwks(),
        wake: (uid) => reconciler?.wake(uid),
        pools,
        claim: (tenant) => pools.claim({ ...tenant, ...wishTrace(tracing, realClock) }),
        arrived: (tenant) => pools.arrived(tenant),
        events,
        money,
        insight: roles.has('reconciler')
          ? insightFrom({ ports: () => reconciler?.ports, liveConfig: liveConfigIn(client, config.fly.app) })
          : undefined,
        adopt: roles.has('reconciler')
          ? async (options) => adoption(started(reconciler).ports, store.db, noted, classes)(options)
          : undefined,
        orphans: orphansIn(store.db),
        ...{ replays: replaysIn(store.db), rates: config.rates },
        pairings: pairingsOf({ keys, clock: realClock, timeoutMs: readTimeoutMs }),
        ready: () => operations.ready(),
        watch: operations.watch,
        revoked: revokedIn(store.db),
      })
    : undefined
  if (api !== undefined) stack.add('API', () => api.close())

  announce(
    {
      api: api?.url,
      proxy: proxy?.url,
      proxyPort: proxy?.port,
      fly: fly.url,
      simulated: fly.simulated,
      scale: config.scale,
      database: store.address,
      tokenFile: join(config.data, 'admin-token'),
      domain: config.domain,
      logFile: fly.simulated ? join(config.data, 'moorage.log') : undefined,
    },
    print,
  )
  if (fly.simulated) await applyExamples(noted, { config, cloud, print })
  if (roles.has('reconciler')) await startController()
}

async function main(): Promise<void> {
  const config = readConfig(process.env)
  openFolder(config.data)
  const file = config.fly.token === undefined ? join(config.data, 'moorage.log') : undefined
  const log = openLog({ level: config.logLevel, file })
  const stack = new Stack()
  let stopping: Promise<void> | undefined
  const stop = (code: number) => {
    stopping ??= stack.close(log).finally(() => process.exit(code))
  }
  process.on('SIGINT', () => stop(0))
  process.on('SIGTERM', () => stop(0))
  try {
    await run(config, stack, log)
  } catch (error) {
    await stack.close(log)
    throw error
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE')
    return `Moorage stopped: port ${port} is in use. Stop what uses it, or set MOORAGE_API_PORT, MOORAGE_PROXY_PORT or MOORAGE_FLY_PORT.`
  const cause = error.cause instanceof Error ? `\n  because: ${error.cause.message}` : ''
  return error instanceof ConfigError
    ? `Moorage cannot start:\n${error.message}`
    : `Moorage stopped: ${error.message}${cause}`
}

main().catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`)
  process.exit(1)
})
