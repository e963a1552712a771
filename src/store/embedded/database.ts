// The SQLite file: opened by one owner at a time, durable on every commit, with its statements prepared once.
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'

const schemaVersion = 1

const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE collections (id INTEGER PRIMARY KEY AUTOINCREMENT, db TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (db, name));
  CREATE TABLE indexes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, spec BLOB NOT NULL, multikey INTEGER NOT NULL);
  CREATE TABLE oplog (
    seq INTEGER PRIMARY KEY, db TEXT NOT NULL, coll TEXT NOT NULL, op TEXT NOT NULL, upto INTEGER NOT NULL, event BLOB NOT NULL);
  CREATE TABLE retries (
    session BLOB PRIMARY KEY, txn INTEGER NOT NULL, at INTEGER NOT NULL, reply BLOB NOT NULL) WITHOUT ROWID;
`

export type SqlRow = Record<string, SQLOutputValue>

/** A thin wrapper: positional parameters, cached statements, nothing that knows of documents. */
export class Database {
  readonly #sqlite: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(file: string) {
    this.#sqlite = openExclusively(file)
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid)
  }

  get(sql: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#prepare(sql).get(...values)
  }

  all(sql: string, ...values: SQLInputValue[]): SqlRow[] {
    return this.#prepare(sql).all(...values)
  }

  /** Rows one by one. Close the iterator (`return`) before the next write: SQLite locks a table that is being read. */
  iterate(sql: string, ...values: SQLInputValue[]): NodeJS.Iterator<SqlRow> {
    return this.#prepare(sql).iterate(...values)
  }

  /** Statements without parameters or rows: transactions and tables. */
  exec(sql: string): void {
    this.#sqlite.exec(sql)
  }

  /** False when SQLite itself gave a transaction up, as it may when the disk is full. */
  get inTransaction(): boolean {
    return this.#sqlite.isTransaction
  }

  /** Forgets statements on tables that are gone. */
  forgetStatements(): void {
    this.#statements.clear()
  }

  close(): void {
    this.#statements.clear()
    this.#sqlite.close()
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#sqlite.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/**
 * Opens the file and takes its lock for as long as it is open; the kernel drops the lock with the holder's life, whatever
 * ends it. FULL makes each commit wait for the disk. Throws SQLite's error 5 (busy) when another process holds the file.
 */
function openExclusively(file: string): DatabaseSync {
  const sqlite = new DatabaseSync(file, { timeout: 0 })
  try {
    sqlite.exec('PRAGMA locking_mode = EXCLUSIVE')
    sqlite.exec('PRAGMA journal_mode = WAL')
    sqlite.exec('PRAGMA synchronous = FULL')
    sqlite.exec('BEGIN IMMEDIATE')
    applySchema(sqlite, file)
    sqlite.exec('COMMIT')
    return sqlite
  } catch (error) {
    sqlite.close()
    throw error
  }
}

function applySchema(sqlite: DatabaseSync, file: string): void {
  const found = Number(sqlite.prepare('PRAGMA user_version').get()?.['user_version'])
  if (found === schemaVersion) return
  if (found !== 0) throw new Error(`${file} has format ${found}; this version of Moorage reads format ${schemaVersion}`)
  sqlite.exec(schema)
  sqlite.exec(`PRAGMA user_version = ${schemaVersion}`)
}

/** Whether an error says that another process holds the file. */
export function isLocked(error: unknown): boolean {
  const sqliteBusy = 5
  return error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === sqliteBusy
}
