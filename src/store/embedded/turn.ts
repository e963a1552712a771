// Group commit: all writes of one turn of the event loop share one transaction, and nothing that was read or written in
// it is answered before the commit.
import type { Database } from './database.ts'

export interface TurnListener {
  /** The transaction is durable: what it wrote may be shown. */
  committed(): void
  /** A part was undone: memory that follows the tables has to be read again. */
  rolledBack(): void
}

export class Turn {
  readonly #database: Database
  readonly #listener: TurnListener
  #open = false
  #waiting: ((failure: unknown) => void)[] = []
  /** Why SQLite gave up the transaction, if it did: then nothing of this turn may count. */
  #lost: unknown

  constructor(database: Database, listener: TurnListener) {
    this.#database = database
    this.#listener = listener
  }

  /** Runs `work` inside the turn's transaction; all of it counts or, when it throws, none. May be nested. */
  write<T>(work: () => T): T {
    this.#begin()
    this.#refuseLost()
    this.#database.exec('SAVEPOINT part')
    try {
      const result = work()
      this.#database.exec('RELEASE part')
      return result
    } catch (error) {
      this.#undo(error)
      this.#listener.rolledBack()
      throw error
    }
  }

  /** Calls `answer` at once, or after the commit where a transaction is open; with the error if that commit fails. */
  afterCommit(answer: (failure: unknown) => void): void {
    if (this.#open) this.#waiting.push(answer)
    else answer(undefined)
  }

  /** Commits what is open. */
  flush(): void {
    if (!this.#open) return
    const failure = this.#commit()
    this.#open = false
    this.#lost = undefined
    const answers = this.#waiting
    this.#waiting = []
    if (failure === undefined) this.#listener.committed()
    else this.#listener.rolledBack()
    for (const answer of answers) answer(failure)
  }

  #refuseLost(): void {
    if (this.#lost !== undefined) throw new Error('the transaction of this turn was lost', { cause: this.#lost })
  }

  #begin(): void {
    if (this.#open) return
    this.#database.exec('BEGIN IMMEDIATE')
    this.#open = true
    setImmediate(() => this.flush())
  }

  #undo(error: unknown): void {
    if (this.#database.inTransaction) this.#database.exec('ROLLBACK TO part; RELEASE part')
    else this.#lost = error
  }

  #commit(): unknown {
    if (this.#lost !== undefined) return this.#lost
    try {
      this.#database.exec('COMMIT')
      return undefined
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
      return error
    }
  }
}
