// Open cursors by their id: queries that have more to give, and change streams that wait for events.
import { randomBytes } from 'node:crypto'
import type { Doc } from './bson.ts'
import { CommandError } from './errors.ts'

/** One answer's worth of documents. */
export interface Batch {
  readonly documents: readonly Uint8Array[]
  /** Whether a getMore could bring more. */
  readonly more: boolean
  /** Further fields of the reply's `cursor`, such as `postBatchResumeToken`. */
  readonly extra: Doc
}

export interface Cursor {
  /** `db.collection`, as replies name it. */
  readonly namespace: string
  /** The session that opened it, as hex. */
  readonly session: string | undefined
  /** The next documents, at most `size` of them, or as many as fit a batch. */
  read(size: number | undefined): Batch
  /** Whether getMore waits when there is nothing to read. */
  readonly waits: boolean
}

interface Held {
  readonly cursor: Cursor
  usedAt: number
  waiter: Waiter | undefined
}

interface Waiter {
  wake(): void
  end(error: CommandError): void
}

/** mongod's cursorTimeoutMillis. */
const idleMs = 10 * 60_000

export class Cursors {
  readonly #held = new Map<bigint, Held>()
  readonly #now: () => Date

  constructor(now: () => Date) {
    this.#now = now
  }

  /** Keeps a cursor for later getMores. Ids are random: after a restart an old one is unknown, never another's. */
  add(cursor: Cursor): bigint {
    const id = randomBytes(8).readBigUInt64BE() >> 1n
    this.#held.set(id, { cursor, usedAt: this.#now().getTime(), waiter: undefined })
    return id
  }

  /**
   * The next batch, waiting up to `waitMs` for one that is not empty where the cursor waits. `gone` ends the wait when
   * the client's socket closes. Errors: 43 for an unknown cursor, 237 when it is killed meanwhile, 12051 while in use.
   */
  async next(
    id: bigint,
    namespace: string,
    size: number | undefined,
    waitMs: number,
    gone: AbortSignal,
  ): Promise<Batch> {
    const held = this.#held.get(id)
    if (held?.cursor.namespace !== namespace) throw new CommandError('CursorNotFound', `cursor id ${id} not found`)
    if (held.waiter !== undefined) throw new CommandError('CursorInUse', `cursor id ${id} is already in use`)
    held.usedAt = this.#now().getTime()
    const batch = this.#read(id, held, size)
    if (!held.cursor.waits || batch.documents.length > 0 || !batch.more || gone.aborted) return batch
    return this.#wait(id, held, size, waitMs, gone)
  }

  /** Ends cursors; answers those that were there. */
  kill(ids: readonly bigint[]): bigint[] {
    return ids.filter((id) => {
      const held = this.#held.get(id)
      this.#held.delete(id)
      held?.waiter?.end(new CommandError('CursorKilled', `cursor id ${id} was killed`))
      return held !== undefined
    })
  }

  killSession(session: string): void {
    this.kill(this.#ids(({ cursor }) => cursor.session === session))
  }

  /** Ends the cursors that nobody has read for ten minutes. */
  expire(): void {
    const before = this.#now().getTime() - idleMs
    this.kill(this.#ids(({ usedAt, waiter }) => usedAt < before && waiter === undefined))
  }

  /** New events are committed: whoever waits looks again. */
  wake(): void {
    for (const { waiter } of [...this.#held.values()]) waiter?.wake()
  }

  closeAll(): void {
    this.kill([...this.#held.keys()])
  }

  #ids(which: (held: Held) => boolean): bigint[] {
    return [...this.#held].filter(([, held]) => which(held)).map(([id]) => id)
  }

  /** A cursor that is at its end, or has failed, is forgotten. */
  #read(id: bigint, held: Held, size: number | undefined): Batch {
    try {
      const batch = held.cursor.read(size)
      if (!batch.more) this.#held.delete(id)
      return batch
    } catch (error) {
      this.#held.delete(id)
      throw error
    }
  }

  #wait(id: bigint, held: Held, size: number | undefined, waitMs: number, gone: AbortSignal): Promise<Batch> {
    const { promise, resolve, reject } = Promise.withResolvers<Batch>()
    const end = () => {
      // At once and not in a `finally`: a second wake of the same turn would read a batch that nobody gets.
      held.waiter = undefined
      held.usedAt = this.#now().getTime()
      clearTimeout(timer)
      gone.removeEventListener('abort', giveUp)
    }
    const attempt = (isLast: boolean) => {
      try {
        const batch = this.#read(id, held, size)
        if (!isLast && batch.documents.length === 0 && batch.more) return
        end()
        resolve(batch)
      } catch (error) {
        end()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }
    const fail = (error: CommandError) => {
      end()
      reject(error)
    }
    const giveUp = () => this.kill([id])
    const timer = setTimeout(() => attempt(true), waitMs)
    gone.addEventListener('abort', giveUp, { once: true })
    held.waiter = { wake: () => attempt(false), end: fail }
    return promise
  }
}
