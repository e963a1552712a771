// Retryable writes: the last reply of each session, written with the write itself, so that a repeated command is
// answered and not done twice, also after a crash.
import { decode } from './bson.ts'
import type { Database } from './database.ts'
import { CommandError } from './errors.ts'
import type { Doc } from './bson.ts'

/** As long as mongod keeps an idle session. */
export const sessionMinutes = 30

export class Retries {
  readonly #database: Database
  readonly #now: () => Date

  constructor(database: Database, now: () => Date) {
    this.#database = database
    this.#now = now
  }

  /** The reply of this very command, if it was done before. Errors: 225 when a newer one of the session was. */
  find(session: Uint8Array, txn: number): Doc | undefined {
    const row = this.#database.get('SELECT txn, reply FROM retries WHERE session = ?', session)
    if (row === undefined) return undefined
    const newest = Number(row['txn'])
    if (txn > newest) return undefined
    if (txn === newest) return decode(row['reply'] as Uint8Array)
    throw new CommandError(
      'TransactionTooOld',
      `Retryable write with txnNumber ${txn} is prohibited: ${newest} has already started`,
    )
  }

  store(session: Uint8Array, txn: number, reply: Uint8Array): void {
    this.#database.run(
      'INSERT OR REPLACE INTO retries (session, txn, at, reply) VALUES (?, ?, ?, ?)',
      ...[session, txn, this.#now().getTime(), reply],
    )
  }

  /** A session has ended: nobody will repeat its commands. */
  forget(session: Uint8Array): void {
    this.#database.run('DELETE FROM retries WHERE session = ?', session)
  }

  /** Forgets the sessions that nobody has used for half an hour. */
  expire(): void {
    this.#database.run('DELETE FROM retries WHERE at < ?', this.#now().getTime() - sessionMinutes * 60_000)
  }
}
