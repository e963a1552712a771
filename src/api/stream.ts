// Server-sent events: written as fast as the reader reads, kept alive, and ended after a while, so that a token that was
// revoked watches no longer than that; who resumes with the last id misses nothing.
import { PassThrough } from 'node:stream'
import type { Context } from 'koa'
import { z } from 'zod'
import type { Clock } from '../../specs/clock.ts'
import type { Backlog, Placed } from './backlog.ts'

const keepAliveMs = 15_000
/** A comment each time, and every so many times a bookmark, so that a quiet stream's place does not grow old. */
const beatsPerBookmark = 4
const longestMs = 600_000
/** Changes that may wait for a reader; one that is slower is dropped, and resumes. */
const mostWaiting = 1_000

/** An event for one reader. */
export interface Told {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'RELIST' | 'ERROR'
  readonly data: object
}

export const relist: Told = { type: 'RELIST', data: { reason: 'the place is not known any more' } }
export const bookmark: Told = { type: 'BOOKMARK', data: {} }

type Text = () => string | undefined

export function eventText({ type, data }: Told, id: string): string {
  return `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Texts are made when they are written: what nobody reads costs nothing. */
export class Outlet {
  readonly stream = new PassThrough()
  #waiting: Text[] = []
  #most = mostWaiting
  #ended = false

  constructor() {
    this.stream.on('drain', () => this.#pump())
    // The answer's head goes out with the first bytes: who has missed nothing is to know at once that all is well.
    this.stream.write(': watching\n\n')
  }

  /** What is there at the beginning may wait besides. */
  begin(texts: readonly Text[]): void {
    if (this.#ended) return
    this.#most += texts.length
    this.#waiting.push(...texts)
    this.#pump()
  }

  push(text: Text): void {
    if (this.stream.destroyed || this.#ended) return
    this.#waiting.push(text)
    if (this.#waiting.length > this.#most) this.stream.destroy()
    else this.#pump()
  }

  /** Ends once what waits has been written. */
  end(): void {
    this.#ended = true
    this.#pump()
  }

  #pump(): void {
    while (!this.stream.destroyed && !this.stream.writableNeedDrain) {
      const next = this.#waiting.shift()
      if (next === undefined) break
      const text = next()
      if (text !== undefined) this.stream.write(text)
    }
    if (this.#ended && this.#waiting.length === 0 && !this.stream.writableEnded) this.stream.end()
  }
}

/** Keeps the stream alive, and ends it in time. */
export function keepAlive(outlet: Outlet, clock: Clock, bookmark: () => string): void {
  let beats = 0
  const beat = (): (() => void) =>
    clock.after(keepAliveMs, () => {
      beats += 1
      // Made now: once it is written, later changes may wait behind it.
      const text = beats % beatsPerBookmark === 0 ? bookmark() : ': keep-alive\n\n'
      outlet.push(() => text)
      if (beats * keepAliveMs < longestMs) cancel = beat()
      else {
        outlet.end()
        // Who does not read has no end to come to.
        cancel = clock.after(keepAliveMs, () => outlet.stream.destroy())
      }
    })
  let cancel = beat()
  outlet.stream.once('close', () => cancel())
}

/** Answers with the stream. */
export function answerStream(context: Context, { stream }: Outlet): void {
  const leave = () => void stream.destroy()
  context.app.once('closing', leave)
  stream.once('close', () => context.app.off('closing', leave))
  context.status = 200
  context.set({ 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' })
  context.body = stream
  context.set('Content-Type', 'text/event-stream')
}

export interface Followed<T> {
  readonly backlog: Backlog<T>
  /** What is there now; asked where the reader's place is not known. */
  readonly present: () => Promise<readonly (() => Told)[]> | readonly (() => Told)[]
  /** What a change is to this reader. */
  readonly notice: (change: T) => Told | undefined
}

/** Answers with what is there and then what changes, or with what changed since `Last-Event-ID`. Throws what `present` does. */
export async function follow<T>(
  context: Context,
  clock: Clock,
  { backlog, present, notice }: Followed<T>,
): Promise<void> {
  const outlet = new Outlet()
  const textOf = ({ position, change }: Placed<T>) => {
    const id = backlog.place(position)
    return () => {
      const told = notice(change)
      return told && eventText(told, id)
    }
  }
  // What comes while the beginning is still being read waits for it.
  const early: Placed<T>[] = []
  let take = (placed: Placed<T>): void => void early.push(placed)
  const leave = backlog.listen((placed) => {
    if (placed === undefined) outlet.stream.destroy()
    else take(placed)
  })
  outlet.stream.once('close', leave)
  const lastId = context.get('last-event-id')
  const here = backlog.place(backlog.position)
  const missed = lastId === '' ? undefined : backlog.since(lastId)
  try {
    if (missed !== undefined) outlet.begin(missed.map(textOf))
    else {
      const beginning = [...(lastId === '' ? [] : [() => relist]), ...(await present()), () => bookmark]
      outlet.begin(beginning.map((told) => () => eventText(told(), here)))
    }
  } catch (error) {
    outlet.stream.destroy()
    throw error
  }
  take = (placed) => outlet.push(textOf(placed))
  early.forEach(take)
  keepAlive(outlet, clock, () => eventText(bookmark, backlog.place(backlog.position)))
  answerStream(context, outlet)
}

/** Changes as they come, as server-sent events; also by the Accept header. */
export const watchField = z.enum(['', 'true']).optional()

/** Whether the caller wants to watch. */
export function wantsWatch(context: Context, watch: z.infer<typeof watchField>): boolean {
  return watch !== undefined || context.accepts('json', 'text/plain', 'text/event-stream') === 'text/event-stream'
}
