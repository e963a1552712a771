// Watching tenants by server-sent events: first who is there, then what changes. A place in the stream is the process's own;
// who comes with a place that is not known any more is told to begin again, and is given everything.
import { PassThrough } from 'node:stream'
import type { Context } from 'koa'
import type { Clock } from '../../specs/clock.ts'
import { selects, type Selection } from '../store/selection.ts'
import type { Tenants } from '../store/tenants.ts'
import { noticeOf, TenantFeed, type Change } from './feed.ts'
import type { ApiLog } from './server.ts'
import { tenantView } from './view.ts'

export interface WatchOptions {
  readonly tenants: Tenants
  readonly clock: Clock
  readonly log: ApiLog
}

export type Watching = (context: Context, selection: Selection) => Promise<void>

const keepAliveMs = 15_000
/** Changes that may wait for a reader; one that is slower is dropped, and resumes. */
const mostWaiting = 1_000

interface Feeding {
  readonly feed: TenantFeed
  /** Tells this process's places from another's. */
  readonly epoch: string
}

function eventText(type: string, id: string, data: object): string {
  return `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Writes as fast as the reader reads. */
class Outlet {
  readonly stream = new PassThrough()
  #waiting: (() => string | undefined)[] = []
  #most = mostWaiting

  constructor() {
    this.stream.on('drain', () => this.#pump())
  }

  /** What is there at the beginning may wait besides. */
  begin(texts: readonly (() => string | undefined)[]): void {
    this.#most += texts.length
    this.#waiting.push(...texts)
    this.#pump()
  }

  push(text: () => string | undefined): void {
    if (this.stream.destroyed) return
    this.#waiting.push(text)
    if (this.#waiting.length > this.#most) this.stream.destroy()
    else this.#pump()
  }

  #pump(): void {
    while (!this.stream.destroyed && !this.stream.writableNeedDrain) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const text = next()
      if (text !== undefined) this.stream.write(text)
    }
  }
}

function follow({ feed, epoch }: Feeding, clock: Clock, selection: Selection, lastId: string): PassThrough {
  const outlet = new Outlet()
  const idOf = (position: number) => `${epoch}.${position}`
  const told = (change: Change) => () => {
    const notice = noticeOf(change, selection)
    return notice && eventText(notice.type, idOf(change.position), tenantView(notice.tenant))
  }
  const [, from] = lastId.startsWith(`${epoch}.`) ? lastId.split('.') : []
  const missed = from === undefined ? undefined : feed.since(Number(from))
  const here = idOf(feed.position)
  const bookmark = () => eventText('BOOKMARK', idOf(feed.position), {})
  if (missed !== undefined) outlet.begin(missed.map(told))
  else {
    const present = feed.all().filter((tenant) => selects(selection, tenant))
    const again = lastId === '' ? [] : [() => eventText('RELIST', here, { reason: 'the place is not known any more' })]
    const added = present.map((tenant) => () => eventText('ADDED', here, tenantView(tenant)))
    outlet.begin([...again, ...added, () => eventText('BOOKMARK', here, {})])
  }
  const leave = feed.listen((change) => outlet.push(told(change)))
  let beats = 0
  const beat = (): (() => void) =>
    clock.after(keepAliveMs, () => {
      beats += 1
      outlet.push(() => (beats % 4 === 0 ? bookmark() : ': keep-alive\n\n'))
      cancel = beat()
    })
  let cancel = beat()
  outlet.stream.once('close', () => {
    leave()
    cancel()
  })
  return outlet.stream
}

/** Answers with a stream of changes; the store is watched from the first watcher on. */
export function tenantWatch(options: WatchOptions): Watching {
  let opened: Promise<Feeding> | undefined
  const open = async (context: Context): Promise<Feeding> => {
    const { tenants, clock, log } = options
    const failed = (error: unknown) => log.error({ err: error }, 'the watched tenants could not be read again')
    const { feed, close } = await TenantFeed.open(tenants, failed)
    context.app.once('closing', () => void close().catch(failed))
    return { feed, epoch: Buffer.from(clock.bytes(6)).toString('hex') }
  }
  return async (context, selection) => {
    opened ??= open(context).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    const stream = follow(await opened, options.clock, selection, context.get('last-event-id'))
    context.app.once('closing', () => stream.destroy())
    context.status = 200
    context.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' })
    context.body = stream
    context.set('Content-Type', 'text/event-stream')
  }
}

/** Whether the caller wants to watch. */
export function wantsWatch(context: Context, watch: string | undefined): boolean {
  return watch !== undefined || context.accepts('json', 'text/plain', 'text/event-stream') === 'text/event-stream'
}
