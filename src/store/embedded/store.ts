// Everything behind the socket, put together: the file, its catalog and history, and what lives only in memory.
import { Catalog } from './catalog.ts'
import { Cursors } from './cursors.ts'
import { Database } from './database.ts'
import { Oplog } from './oplog.ts'
import { Records } from './records.ts'
import { Retries } from './retries.ts'
import { Turn } from './turn.ts'

export interface StoreOptions {
  /** The SQLite file. */
  readonly file: string
  /** Bytes of change events to keep. */
  readonly oplogBytes: number
  readonly now: () => Date
}

export interface Store {
  readonly now: () => Date
  readonly database: Database
  readonly catalog: Catalog
  readonly oplog: Oplog
  readonly records: Records
  readonly retries: Retries
  readonly cursors: Cursors
  readonly turn: Turn
  /** Commits what is open and gives the file up. */
  close(): void
}

export function openStore({ file, oplogBytes, now }: StoreOptions): Store {
  const database = new Database(file)
  const catalog = new Catalog(database)
  const oplog = new Oplog(database, oplogBytes, now)
  const cursors = new Cursors(now)
  const turn = new Turn(database, {
    committed: () => {
      catalog.settled()
      oplog.markCommitted()
      cursors.wake()
    },
    rolledBack: () => catalog.rolledBack(),
  })
  return {
    now,
    database,
    catalog,
    oplog,
    cursors,
    turn,
    records: new Records(database, catalog, oplog),
    retries: new Retries(database, now),
    close: () => {
      cursors.closeAll()
      turn.flush()
      database.close()
    },
  }
}
