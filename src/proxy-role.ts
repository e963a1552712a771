// The proxy's role: with its routes kept on disk, beside the other roles or alone. Alone it needs neither Fly nor the
// reconciler, and the database only to hear of changes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Activity, RouteSource } from '../proxy/ports.ts'
import { startProxy, type Proxy } from '../proxy/server.ts'
import { realClock } from './clock.ts'
import { ConfigError, type Config } from './config.ts'
import { keptRoutes, routesInFile, type StoreOfRoutes } from './kept-routes.ts'
import type { Keys } from './keys.ts'
import { activityIn } from './store/activity.ts'
import { fleetIn } from './store/fleet.ts'
import { openStore } from './store/open.ts'
import { tenantsIn } from './store/tenants.ts'
import { Uses, type ActivityStore } from './uses.ts'

/** OpenClaw refuses a forwarded loopback address; this one is reserved for documentation (RFC 5737) and nobody's. */
const loopbackAs = '192.0.2.1'

export interface ProxyRoleOptions {
  readonly config: Config
  readonly keys: Keys
  readonly log: Logger
  /** Where the proxy's metrics are registered. */
  readonly metrics?: Registry | undefined
}

const fileOf = ({ data }: Config) => join(data, 'routes.json')

/** Starts the proxy; its uses are written until it has closed. */
async function start(
  options: ProxyRoleOptions,
  routes: RouteSource,
  uses: Uses | undefined,
  shared: boolean,
): Promise<Proxy> {
  const { config, keys, log, metrics } = options
  const { proxyPort: port, host, edge } = config
  const activity: { activity?: Activity } = uses === undefined ? {} : { activity: uses }
  const tuning = metrics === undefined ? config.proxy : { ...config.proxy, metrics }
  const started = startProxy({ port, host, shared, routes, keys, clock: realClock, log, edge, loopbackAs, ...activity, ...tuning }) // prettier-ignore
  const proxy = await started.catch(async (error: unknown) => {
    await uses?.close()
    throw error
  })
  const close = async () => {
    await proxy.close()
    await uses?.close()
  }
  return { ...proxy, close }
}

/** Whether this process runs the proxy and nothing else. */
export function isProxyAlone({ roles }: Config): boolean {
  return roles.size === 1 && roles.has('proxy')
}

/** The proxy beside other roles: `connect` gives it the store that they use, and `activity` takes who is used. */
export function startProxyRole(
  options: ProxyRoleOptions & { readonly activity: ActivityStore },
  connect: () => Promise<StoreOfRoutes>,
): Promise<Proxy> {
  const { config, log, activity } = options
  const uses = new Uses({ clock: realClock, log })
  uses.attach(activity)
  return start(options, keptRoutes({ connect, path: fileOf(config), clock: realClock, log }), uses, false)
}

/** A key made here would open no machine: the tenants' machines have keys derived from the installation's own. */
function checkMasterKey({ masterKey, data }: Config): void {
  if (masterKey !== undefined || existsSync(join(data, 'master-key'))) return
  throw new ConfigError(
    `MOORAGE_MASTER_KEY: the proxy alone needs the key of the installation, which is neither set nor in ${data}`,
  )
}

/** Where the routes come from, and where uses go. */
interface AloneStore {
  readonly routes: RouteSource
  readonly uses: Uses | undefined
}

function aloneStore({ config, log }: Pick<ProxyRoleOptions, 'config' | 'log'>): AloneStore {
  const { mongoUri: uri } = config
  const file = { path: fileOf(config), clock: realClock, log }
  if (uri === undefined) {
    log.warn(
      {},
      'without a database nobody hears who is used here: tenants with an idle policy sleep, and their requests get a 503',
    )
    return { routes: routesInFile(file), uses: undefined }
  }
  const uses = new Uses({ clock: realClock, log })
  const connect = async () => {
    const store = await openStore({ uri, folder: join(config.data, 'db') })
    uses.attach(activityIn(store.db))
    const close = async () => {
      await uses.detach()
      await store.close()
    }
    const acknowledgedAt = async () => (await fleetIn(store.db).wish()).acknowledgedAt
    return { tenants: tenantsIn(store.db), acknowledgedAt, close }
  }
  return { routes: keptRoutes({ ...file, connect }), uses }
}

export interface AloneOptions extends Omit<ProxyRoleOptions, 'keys'> {
  readonly openKeys: () => Promise<Keys>
  readonly print: (text: string) => void
}

/**
 * The proxy alone: it starts and serves although the database does not answer, once there are routes on its disk.
 *
 * @throws {ConfigError} when it has no master key
 * @throws when it has no database and no routes on disk
 */
export async function runProxyAlone({ config, openKeys, log, metrics, print }: AloneOptions): Promise<Proxy> {
  checkMasterKey(config)
  const { routes, uses } = aloneStore({ config, log })
  if (config.mongoUri !== undefined && !existsSync(fileOf(config)))
    print('\n  There are no routes on disk yet: the proxy waits for the database.\n')
  const proxy = await start({ config, keys: await openKeys(), log, metrics }, routes, uses, true)
  const source =
    config.mongoUri === undefined
      ? `${fileOf(config)}, which the process with the embedded database keeps`
      : 'the database, and the file that is kept of it'
  print(
    `\nMoorage’s proxy is up.\n\n  Tenants      http://<name>.${config.domain}:${proxy.port}/\n` +
      `  Proxy        ${proxy.url}\n  Routes       ${proxy.stats().tenants} now, from ${source}\n\n`,
  )
  return proxy
}
