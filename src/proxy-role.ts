// The proxy's role: with its routes kept on disk, beside the other roles or alone. Alone it needs neither Fly nor the
// reconciler, and the database only to hear of changes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { RouteSource } from '../proxy/ports.ts'
import { startProxy, type Proxy } from '../proxy/server.ts'
import { realClock } from './clock.ts'
import { ConfigError, type Config } from './config.ts'
import { keptRoutes, routesInFile, type StoreOfRoutes } from './kept-routes.ts'
import type { Keys } from './keys.ts'
import { openStore } from './store/open.ts'
import { tenantsIn } from './store/tenants.ts'

/** OpenClaw refuses a forwarded loopback address; this one is reserved for documentation (RFC 5737) and nobody's. */
const loopbackAs = '192.0.2.1'

export interface ProxyRoleOptions {
  readonly config: Config
  readonly keys: Keys
  readonly log: Logger
}

const fileOf = ({ data }: Config) => join(data, 'routes.json')

function start({ config, keys, log }: ProxyRoleOptions, routes: RouteSource): Promise<Proxy> {
  const { proxyPort: port, host, edge } = config
  return startProxy({ port, host, routes, keys, clock: realClock, log, edge, loopbackAs })
}

/** Whether this process runs the proxy and nothing else. */
export function isProxyAlone({ roles }: Config): boolean {
  return roles.size === 1 && roles.has('proxy')
}

/** The proxy beside other roles: `connect` gives it the store that they use. */
export function startProxyRole(options: ProxyRoleOptions, connect: () => Promise<StoreOfRoutes>): Promise<Proxy> {
  const { config, log } = options
  return start(options, keptRoutes({ connect, path: fileOf(config), clock: realClock, log }))
}

/** A key made here would open no machine: the tenants' machines have keys derived from the installation's own. */
function checkMasterKey({ masterKey, data }: Config): void {
  if (masterKey !== undefined || existsSync(join(data, 'master-key'))) return
  throw new ConfigError(
    `MOORAGE_MASTER_KEY: the proxy alone needs the key of the installation, which is neither set nor in ${data}`,
  )
}

function aloneRoutes({ config, log }: Pick<ProxyRoleOptions, 'config' | 'log'>): RouteSource {
  const { mongoUri: uri } = config
  const file = { path: fileOf(config), clock: realClock, log }
  if (uri === undefined) return routesInFile(file)
  const connect = async () => {
    const store = await openStore({ uri, folder: join(config.data, 'db') })
    return { tenants: tenantsIn(store.db), close: () => store.close() }
  }
  return keptRoutes({ ...file, connect })
}

export interface AloneOptions {
  readonly config: Config
  readonly openKeys: () => Promise<Keys>
  readonly log: Logger
  readonly print: (text: string) => void
}

/**
 * The proxy alone: it starts and serves although the database does not answer, once there are routes on its disk.
 *
 * @throws {ConfigError} when it has no master key
 * @throws when it has no database and no routes on disk
 */
export async function runProxyAlone({ config, openKeys, log, print }: AloneOptions): Promise<Proxy> {
  checkMasterKey(config)
  const routes = aloneRoutes({ config, log })
  if (config.mongoUri !== undefined && !existsSync(fileOf(config)))
    print('\n  There are no routes on disk yet: the proxy waits for the database.\n')
  const proxy = await start({ config, keys: await openKeys(), log }, routes)
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
