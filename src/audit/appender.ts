// Puts entries at the end of the chain, several at once where several wait. Processes that append at the same time meet at a
// unique number: whoever comes second reads the end again.
import type { Clock } from '../../specs/clock.ts'
import { chained } from './chain.ts'
import type { AuditBody, AuditEntry, AuditHead } from './entry.ts'

export interface AuditChainStore {
  /** The last entry's number and hash. */
  last(): Promise<AuditHead | undefined>
  /** Inserts in this order until a number is taken; answers how many it inserted. */
  insert(entries: readonly AuditEntry[]): Promise<number>
  /** Keeps the head in another place; an earlier one than is kept changes nothing. */
  keepHead(head: AuditHead): Promise<void>
}

export interface AppenderOptions {
  readonly store: AuditChainStore
  readonly clock: Clock
  readonly log: { warn(fields: object, message: string): void }
}

interface Waiting {
  readonly body: AuditBody
  readonly resolve: (entry: AuditEntry) => void
  readonly reject: (error: unknown) => void
}

const mostAtOnce = 100
/** Tries without getting one entry in; each means that another process got one in. */
const mostTries = 50
const pauseMs = 20

export class Appender {
  readonly #options: AppenderOptions
  #head: AuditHead | undefined
  #waiting: Waiting[] = []
  #working = false

  constructor(options: AppenderOptions) {
    this.#options = options
  }

  /** Resolves once the entry is stored. When it rejects, it may have been stored all the same. */
  append(body: AuditBody): Promise<AuditEntry> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, resolve, reject })
      if (!this.#working) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, mostAtOnce)
      this.#waiting = this.#waiting.slice(mostAtOnce)
      try {
        await this.#write(batch)
      } catch (error) {
        this.#head = undefined
        for (const { reject } of batch) reject(error)
      }
    }
    this.#working = false
  }

  /** Rejecting what is resolved already does nothing, so a failure half-way fails the rest alone. */
  async #write(batch: readonly Waiting[]): Promise<void> {
    const { store } = this.#options
    let rest = batch
    for (let tries = 0; rest.length > 0; tries += 1) {
      if (tries === mostTries) throw new Error('the end of the audit could not be reached')
      const head: AuditHead | undefined = this.#head ?? (await store.last())
      const entries = chained(
        head,
        rest.map(({ body }) => body),
      )
      const count = await store.insert(entries)
      this.#settle(rest, entries.slice(0, count))
      rest = rest.slice(count)
      if (rest.length === 0) break
      this.#head = undefined
      if (count > 0) tries = 0
      await this.#pause()
    }
    await this.#keepHead()
  }

  #settle(waiting: readonly Waiting[], entries: readonly AuditEntry[]): void {
    const last = entries.at(-1)
    if (last !== undefined) this.#head = { seq: last.seq, hash: last.hash }
    for (const [index, entry] of entries.entries()) waiting[index]?.resolve(entry)
  }

  #pause(): Promise<void> {
    const { clock } = this.#options
    return new Promise((resolve) => void clock.after(clock.random() * pauseMs, resolve))
  }

  /** The head is a help for whoever checks: an audit without the newest one is still an audit. */
  async #keepHead(): Promise<void> {
    const { store, log } = this.#options
    if (this.#head === undefined) return
    try {
      await store.keepHead(this.#head)
    } catch (error) {
      log.warn({ err: error }, 'the head of the audit could not be kept')
    }
  }
}
