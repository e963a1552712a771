// The routes of the store, kept in a file as well: while the store cannot be reached the proxy serves those, and it catches
// up when the store is back.
import type { ProxyLog, RouteSink, RouteSource } from '../proxy/ports.ts'
import type { Clock, Instant } from '../specs/clock.ts'
import type { TenantRoute } from '../specs/route.ts'
import { readRoutes, RouteFileError, RouteWriter, writtenAt } from './route-file.ts'
import { countsAsLoss, goodForMs, isMassLoss } from './route-loss.ts'
import { routesOf } from './routes.ts'
import type { Tenants } from './store/tenants.ts'

/** How long a start waits for the store when it could begin with the file. */
const patienceMs = 2_000
const firstRetryMs = 1_000
const lastRetryMs = 15_000
const lookMs = 1_000

export interface StoreOfRoutes {
  readonly tenants: Pick<Tenants, 'page' | 'watch'>
  /** When an operator last said that the lists are right, though much is missing from them. */
  readonly acknowledgedAt?: () => Promise<Instant | undefined>
  close(): Promise<void>
}

interface FileOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: ProxyLog
}

export interface KeptRoutesOptions extends FileOptions {
  /** Opens the store; asked again until it succeeds. */
  readonly connect: () => Promise<StoreOfRoutes>
}

const sentence = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** What the file has; a file that cannot be used is told of, and is as good as none. */
function savedRoutes({ path, log }: FileOptions): readonly TenantRoute[] | undefined {
  try {
    return readRoutes(path)
  } catch (error) {
    if (!(error instanceof RouteFileError)) throw error
    log.warn({ reason: error.message }, 'the kept routes are not used')
    return undefined
  }
}

/** Passes everything on to the proxy's table, and keeps it in the file. */
class KeepingSink implements RouteSink {
  readonly #sink: RouteSink
  /** What the file had at the start. */
  readonly #saved: readonly TenantRoute[]
  readonly #routes = new Map<string, TenantRoute>()
  readonly #writer: RouteWriter

  constructor(sink: RouteSink, { path, clock, log }: FileOptions, saved: readonly TenantRoute[]) {
    this.#sink = sink
    this.#saved = saved
    this.#writer = new RouteWriter({
      path,
      clock,
      routes: () => [...this.#routes.values()],
      failed: (error) => log.error({ reason: sentence(error) }, 'the routes could not be kept on disk'),
    })
  }

  /** Everything that the sink has, or had at the last run. */
  get known(): readonly TenantRoute[] {
    return [...this.#saved, ...this.#routes.values()]
  }

  /** Takes what the file had, or only these of it; it counts as older than anything the store says. */
  begin(only?: ReadonlySet<string>): void {
    for (const route of this.#saved) {
      if (this.#routes.has(route.uid) || only?.has(route.uid) === false) continue
      this.#routes.set(route.uid, { ...route, revision: 0 })
      this.#sink.put({ ...route, revision: 0 })
    }
  }

  reset(routes: readonly TenantRoute[]): void {
    this.#routes.clear()
    for (const route of routes) this.#routes.set(route.uid, route)
    this.#sink.reset(routes)
    this.#writer.changed()
  }

  put(route: TenantRoute): void {
    const before = this.#routes.get(route.uid)
    if (before === undefined || before.revision < route.revision) {
      this.#routes.set(route.uid, route)
      this.#writer.changed()
    }
    this.#sink.put(route)
  }

  drop(uid: string): void {
    this.#routes.delete(uid)
    this.#sink.drop(uid)
    this.#writer.changed()
  }

  revive(uid: string): void {
    const route = this.#routes.get(uid)
    if (route !== undefined) this.#routes.set(uid, { ...route, revision: -1 })
    this.#sink.revive(uid)
  }

  doubt(uids: readonly string[]): void {
    this.begin(new Set(uids))
    this.#sink.doubt(uids)
  }

  close(): Promise<void> {
    return this.#writer.close()
  }
}

function tellDoubt(log: ProxyLog, missing: { readonly gone: number; readonly known: number } | undefined): void {
  if (missing === undefined) log.info({}, 'the routes are as the store lists them again')
  else
    log.error(
      missing,
      'too many tenants are missing from the store at once: their roads stay open until it lists them again, or an operator acknowledges that they are gone',
    )
}

/** Connects to the store and follows it, trying for as long as it takes. */
class Connection {
  readonly #options: KeptRoutesOptions
  readonly #sink: KeepingSink
  readonly #established = Promise.withResolvers<undefined>()
  #cancel: (() => void) | undefined
  #end: (() => Promise<void>) | undefined
  #closed = false

  constructor(options: KeptRoutesOptions, sink: KeepingSink) {
    this.#options = options
    this.#sink = sink
    void this.#try(firstRetryMs)
  }

  /** Resolves once the sink knows every route of the store. */
  get established(): Promise<undefined> {
    return this.#established.promise
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#end?.()
  }

  async #try(waitMs: number): Promise<void> {
    const { clock, log } = this.#options
    try {
      await this.#follow()
      this.#established.resolve(undefined)
    } catch (error) {
      if (this.#closed) return
      log.warn({ reason: sentence(error), retryMs: waitMs }, 'the routes cannot be read from the store yet')
      const next = Math.min(lastRetryMs, waitMs * 2)
      this.#cancel = clock.after(waitMs * (0.5 + clock.random() / 2), () => void this.#try(next))
    }
  }

  async #follow(): Promise<void> {
    const { connect, clock, log } = this.#options
    const store = await connect()
    const { acknowledgedAt } = store
    const following = await routesOf(store.tenants, {
      clock,
      known: this.#sink.known,
      failed: (error) => log.error({ reason: sentence(error) }, 'the routes could not be read again'),
      doubted: (missing) => tellDoubt(log, missing),
      ...(acknowledgedAt === undefined ? {} : { acknowledgedAt }),
    })
      .follow(this.#sink)
      .catch(async (error: unknown) => {
        await store.close()
        throw error
      })
    const end = async () => {
      await following.close()
      await store.close()
    }
    // Closed while it connected: nobody waits for it any more.
    if (this.#closed) await end()
    else this.#end = end
  }
}

/**
 * The store's routes, kept in a file. A start waits for the store for two seconds, then begins with the file; where there is
 * none it waits until the store answers, because no tenant may be unknown for a moment.
 */
export function keptRoutes(options: KeptRoutesOptions): RouteSource {
  const { clock, log, path } = options
  return {
    follow: async (sink) => {
      const saved = savedRoutes(options)
      const keeping = new KeepingSink(sink, options, saved ?? [])
      const connection = new Connection(options, keeping)
      if (saved === undefined) await connection.established
      else {
        const patience = Promise.withResolvers<'late'>()
        const cancel = clock.after(patienceMs, () => patience.resolve('late'))
        const first = await Promise.race([connection.established, patience.promise])
        cancel()
        if (first === 'late') {
          log.warn(
            { tenants: saved.length, path },
            'the store does not answer: the kept routes are served until it does',
          )
          keeping.begin()
          void connection.established.then(() => log.info({}, 'the store is back, the routes are up to date'))
        }
      }
      return {
        close: async () => {
          await connection.close()
          await keeping.close()
        },
      }
    },
  }
}

/**
 * What a file that was written anew is taken for: too much that is missing from it stays for two minutes, as it may be the
 * work of a process that has only just begun to read. That process has doubts of its own, so after that it is believed.
 */
class FileReader {
  readonly #options: FileOptions
  readonly #sink: RouteSink
  #routes: readonly TenantRoute[]
  #doubtedSince: Instant | undefined

  constructor(options: FileOptions, sink: RouteSink, first: readonly TenantRoute[]) {
    this.#options = options
    this.#sink = sink
    this.#routes = first
    sink.reset(first)
  }

  get inDoubt(): boolean {
    return this.#doubtedSince !== undefined
  }

  take(next: readonly TenantRoute[]): void {
    const { clock, log } = this.#options
    const listed = new Set(next.map(({ uid }) => uid))
    const missing = this.#routes.filter(({ uid }) => !listed.has(uid))
    const gone = missing.filter(countsAsLoss).length
    const known = this.#routes.filter(countsAsLoss).length
    const since = isMassLoss(gone, known) ? (this.#doubtedSince ?? clock.now()) : undefined
    const doubted = since !== undefined && clock.now() - since < goodForMs
    if (doubted !== this.inDoubt) tellDoubt(log, doubted ? { gone, known } : undefined)
    this.#doubtedSince = doubted ? since : undefined
    this.#routes = doubted ? [...next, ...missing] : next
    this.#sink.reset(this.#routes)
    this.#sink.doubt(doubted ? missing.map(({ uid }) => uid) : [])
  }
}

/**
 * The routes of the file alone, for a proxy beside a process whose store only that process can open. It looks at the file
 * every second.
 *
 * @throws when there is no file to begin with, with a sentence for the operator
 */
export function routesInFile(options: FileOptions): RouteSource {
  const { path, clock } = options
  return {
    follow: async (sink) => {
      const first = readRoutes(path)
      if (first === undefined)
        throw new Error(
          `The proxy alone needs MONGODB_URI, or routes that a former run kept in ${path}, and there are none. ` +
            'Set MONGODB_URI, or start the whole of Moorage once (npm start).',
        )
      let seen = writtenAt(path)
      const reader = new FileReader(options, sink, first)
      const look = (): (() => void) =>
        clock.after(lookMs, () => {
          const now = writtenAt(path)
          const routes = now === seen && !reader.inDoubt ? undefined : savedRoutes(options)
          if (routes !== undefined) reader.take(routes)
          seen = now
          cancel = look()
        })
      let cancel = look()
      return { close: async () => cancel() }
    },
  }
}
