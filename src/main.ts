// The composition root: reads the settings, builds the adapters, starts the roles, and stops them in order.
import { join } from 'node:path'
import type { Logger } from 'pino'
import { Fault } from '../specs/faults.ts'
import type { Cloud, Journal, JournalEntry } from '../reconciler/ports.ts'
import { hasDigest } from '../specs/fields.ts'
import { adoption } from './adoption.ts'
import { announce, stepPrinter } from './announce.ts'
import { startApi } from './api/server.ts'
import { openCallers } from './callers.ts'
import { newTenant } from './api/new-tenant.ts'
import { openBook, seedClasses } from './class-book.ts'
import { readClasses, readExamples } from './classes.ts'
import { realClock } from './clock.ts'
import { ConfigError, readConfig, type Config } from './config.ts'
import { eventOf, type TenantEvent } from './events/event.ts'
import { notedTenants } from './events/noted.ts'
import { Recorder } from './events/recorder.ts'
import { flyClient, type FlyClient, type FlyClientOptions } from './fly/client.ts'
import { flyCloud } from './fly/cloud.ts'
import { liveConfigIn } from './fly/live-config.ts'
import { openFolder, secretFile } from './folder.ts'
import { insightFrom } from './insight.ts'
import { keysFrom, type Keys } from './keys.ts'
import { openLog } from './log.ts'
import { moneyIn } from './money.ts'
import { openPools } from './pools.ts'
import { startOperations } from './start-operations.ts'
import { platformSettings, startReconciler, type RunningReconciler } from './reconciler.ts'
import { isProxyAlone, runProxyAlone, startProxyRole } from './proxy-role.ts'
import { Stack } from './stack.ts'
import { startSimProcess } from './sim-process.ts'
import { activityIn } from './store/activity.ts'
import { fleetIn } from './store/fleet.ts'
import { eventsIn } from './store/events.ts'
import { classesIn } from './store/classes.ts'
import { orphansIn } from './store/orphans.ts'
import { openStore, type OpenStore } from './store/open.ts'
import { rolloutsIn } from './store/rollouts.ts'
import { tenantsIn, type Tenants } from './store/tenants.ts'
import { usageSource } from './usage/source.ts'
import { tracedTenants } from './tracing/tenants.ts'

const flyUrl = 'https://api.machines.dev'
const readTimeoutMs = 10_000

const print = (text: string) => void process.stdout.write(text)

function randomSecret(): string {
  return Buffer.from(realClock.bytes(32)).toString('base64url')
}

function masterKeyOf({ data, masterKey }: Config): Buffer {
  return Buffer.from(masterKey ?? secretFile(data, 'master-key', randomSecret), 'base64url')
}

const openKeys = (config: Config): Promise<Keys> => keysFrom(masterKeyOf(config), realClock)

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

/** The base URL and token of Fly: the real one, or the simulator that is started here. */
async function openFly(config: Config, stack: Stack, log: Logger) {
  const { token, baseUrl } = config.fly
  if (token !== undefined) return { url: baseUrl ?? flyUrl, token, simulated: false }
  const sim = await startSimProcess({
    port: config.flyPort,
    data: config.data,
    scale: config.scale,
    seed: config.simSeed,
    notice: (sentence) => log.warn(sentence),
  })
  stack.add('simulated Fly', () => sim.close())
  return { url: sim.url, token: 'simulated', simulated: true }
}

type FlyAccess = Pick<FlyClientOptions, 'token' | 'log' | 'spans'> & { readonly url: string }

function openClient({ scale }: Config, { url, ...access }: FlyAccess): FlyClient {
  const limits = scale === 0 ? ('off' as const) : { rate: 1 / scale }
  return flyClient({ ...access, baseUrl: url, clock: realClock, timeoutMs: readTimeoutMs, limits })
}

function openCloud({ fly, prefix, environment, retainDays }: Config, client: FlyClient): Cloud {
  const { app, org } = fly
  return flyCloud({ client, app, org, naming: { prefix, environment }, retainDays, clock: realClock })
}

/** A first start on the simulator begins with the examples; on the real Fly nothing is made that was not asked for. */
async function applyExamples(tenants: Tenants, config: Config, cloud: Cloud): Promise<void> {
  if ((await tenants.uids()).length > 0) return
  const machines = (await cloud.appExists()) ? (await cloud.fleet()).machines.length : 0
  if (machines > 0) {
    print(
      `  The database has no tenants, but Fly has ${machines} machines of ours: "npm run moor adopt" takes them back.\n`,
    )
    return
  }
  const policy = { domain: config.domain, certificates: config.certificates }
  for (const document of readExamples()) await tenants.add(newTenant(document, { clock: realClock, policy }))
}

/** The classes as every process sees them; those that are shipped are there from the first start on. */
async function openClasses({ db }: OpenStore, stack: Stack, log: Logger) {
  const stores = { classes: classesIn(db), rollouts: rolloutsIn(db) }
  await seedClasses(stores.classes, readClasses().values(), realClock)
  const opened = await openBook(stores, (error) => log.error({ err: error }, 'the classes could not be read again'))
  stack.add('classes', () => opened.close())
  for (const name of opened.book.names()) {
    const image = opened.book.get(name)?.stable ?? ''
    if (!hasDigest(image))
      log.warn({ class: name, image }, 'a class names its image by a tag, which can move: roll out one with a digest')
  }
  return { ...stores, book: opened.book }
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
  const pools = openPools({ db: store.db, classes: classes.book, clock: realClock, scale: config.scale, note, log })

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
  const startController = async () => {
    reconciler = await startReconciler({
      config,
      settings: platformSettings({ config, proxyPort: proxy?.port }),
      store,
      tenants,
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
        ...{ pools, claim: (tenant) => pools.claim(tenant), arrived: (tenant) => pools.arrived(tenant) },
        events,
        money: moneyIn(store.db, config.webhooks),
        insight: roles.has('reconciler')
          ? insightFrom({ ports: () => reconciler?.ports, liveConfig: liveConfigIn(client, config.fly.app) })
          : undefined,
        adopt: roles.has('reconciler')
          ? async (options) => adoption(started(reconciler).ports, store.db, noted, classes)(options)
          : undefined,
        orphans: orphansIn(store.db),
        ready: () => operations.ready(),
        watch: operations.watch,
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
  if (fly.simulated) await applyExamples(noted, config, cloud)
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
