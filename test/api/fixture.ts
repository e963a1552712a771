// The API over a real store in a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Operation } from '../../src/api/operation.ts'
import { allOperations } from '../../src/api/operations.ts'
import { startApi, type ApiOptions, type RunningApi } from '../../src/api/server.ts'
import { fillBook, seedClasses, type BookStores } from '../../src/class-book.ts'
import { ClassBook } from '../../reconciler/rollout/book.ts'
import { readClasses } from '../../src/classes.ts'
import { openCallers } from '../../src/callers.ts'
import { realClock } from '../../src/clock.ts'
import type { Tenant } from '../../specs/tenant.ts'
import { webhookKeys } from '../helpers/webhook-keys.ts'
import { moneyIn } from '../../src/money.ts'
import { fleetIn, type FleetStore } from '../../src/store/fleet.ts'
import { eventsIn } from '../../src/store/events.ts'
import { classesIn } from '../../src/store/classes.ts'
import { openPools, poolStoresIn } from '../../src/pools.ts'
import { orphansIn } from '../../src/store/orphans.ts'
import { openStore, type OpenStore } from '../../src/store/open.ts'
import { replaysIn } from '../../src/store/replays.ts'
import { rolloutsIn } from '../../src/store/rollouts.ts'
import { tenantsIn, type Tenants } from '../../src/store/tenants.ts'
import { checkDescribed } from '../helpers/described.ts'
import { ask, type Answer, type Asked } from '../helpers/client.ts'

export interface ApiUnderTest {
  readonly url: string
  readonly operations: readonly Operation[]
  readonly running: RunningApi
  readonly store: Pick<OpenStore, 'close' | 'db'>
  readonly db: OpenStore['db']
  readonly tenants: Tenants
  readonly fleet: FleetStore
  readonly stores: BookStores
  /** What was logged, as text. */
  readonly logged: string[]
  /** With the admin's token. */
  call(path: string, asked?: Asked): Promise<Answer>
  putJson(name: string, document: unknown, headers?: Record<string, string>): Promise<Answer>
  putYaml(name: string, text: string): Promise<Answer>
}

export const token = 'canary-token-0123456789'

/** `alter` changes what the API is given, such as a store that fails. */
export async function startTestApi(
  t: ExecutionContext,
  alter: (options: ApiOptions) => Partial<ApiOptions> = () => ({}),
): Promise<ApiUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'moorage-api-'))
  const store = await openStore({ uri: undefined, folder })
  const tenants = tenantsIn(store.db)
  const fleet = fleetIn(store.db)
  const stores = { classes: classesIn(store.db), rollouts: rolloutsIn(store.db) }
  await seedClasses(stores.classes, readClasses().values(), realClock)
  const logged: string[] = []
  const log = (fields: object, message: string) => void logged.push(`${message} ${JSON.stringify(fields)}`)
  const logging = { info: log, warn: log, error: log }
  const book = new ClassBook()
  await fillBook(book, stores)
  const quiet = { note: () => {}, log: { warn: log } }
  const pools = openPools({ stores: poolStoresIn(store.db), classes: book, clock: realClock, scale: 1, ...quiet })
  const options: ApiOptions = {
    host: '127.0.0.1',
    port: 0,
    tenants,
    fleet,
    classes: book,
    classStore: stores.classes,
    rollouts: stores.rollouts,
    policy: { domain: 'example.com', certificates: 'wildcard' },
    adminToken: token,
    clock: realClock,
    log: logging,
    jwks: () => ({ keys: [] }),
    ready: () => Promise.resolve({ ok: true, checks: { store: 'ok' } }),
    wake: () => {},
    adopt: undefined,
    orphans: orphansIn(store.db),
    replays: replaysIn(store.db),
    events: eventsIn(store.db),
    pools,
    claim: (tenant) => pools.claim(tenant),
    arrived: (tenant) => pools.arrived(tenant),
    ...(await openCallers({ db: store.db, masterKey: Buffer.alloc(32, 7), oidc: undefined, log: logging })),
    money: moneyIn(store.db, { billingSecrets: undefined, allowPrivate: true }, webhookKeys),
    insight: undefined,
  }
  const altered = { ...options, ...alter(options) }
  const api = await startApi(altered)
  t.teardown(async () => {
    await api.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const call = async (path: string, asked: Asked = {}) => {
    const headers = { authorization: `Bearer ${token}`, ...asked.headers }
    return checkDescribed(asked.method ?? 'GET', path, await ask(`${api.url}${path}`, { ...asked, headers }))
  }
  const put = (name: string, type: string, body: string, headers: Record<string, string> = {}) =>
    call(`/v1/tenants/${name}`, { method: 'PUT', body, headers: { 'content-type': type, ...headers } })
  return {
    url: api.url,
    operations: allOperations(altered),
    running: api,
    store,
    db: store.db,
    tenants,
    fleet,
    stores,
    logged,
    call,
    putJson: (name, document, headers) => put(name, 'application/json', JSON.stringify(document), headers),
    putYaml: (name, text) => put(name, 'application/yaml', text),
  }
}

/** The tenant as it is stored; it must be there. */
export async function stored(tenants: Tenants, name: string): Promise<Tenant> {
  const tenant = await tenants.byName(name)
  if (tenant === undefined) throw new Error(`${name} is not stored`)
  return tenant
}

export function tenantDocument(name: string, spec: object = {}, labels: object = {}): object {
  return { kind: 'Tenant', name, labels, spec }
}
