// The simulator's memory: every record in one sqlite file, read once at the start and written through on each change.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Kinds } from './state.ts'

type Kind = keyof Kinds
type Change = { readonly [K in Kind]: { readonly kind: K; readonly record: Kinds[K] } }[Kind]
type Maps = { readonly [K in Kind]: Map<string, Kinds[K]> }

const kinds: readonly Kind[] = ['machine', 'volume', 'snapshot', 'certificate', 'app', 'fault']

/** Opens the file and takes it for this process alone; the lock goes with the process, however that ends. */
function open(folder: string): DatabaseSync {
  mkdirSync(folder, { recursive: true })
  const database = new DatabaseSync(join(folder, 'fly.sqlite'))
  try {
    // WAL with NORMAL: what was committed survives a kill -9 (the kernel has it); only a power cut can lose the tail.
    database.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS calls (action TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
      INSERT INTO settings VALUES ('opened', '1') ON CONFLICT DO UPDATE SET value = value + 1;
    `)
  } catch (error) {
    database.close()
    if (error instanceof Error && /locked|busy/i.test(error.message))
      throw new Error(`Another simulator already uses the folder ${folder}. Stop it, or choose another folder.`, {
        cause: error,
      })
    throw error
  }
  return database
}

/** Records by kind and id, kept in memory and on disk. */
export class Store {
  readonly #database: DatabaseSync
  readonly #maps: Maps = {
    machine: new Map(),
    volume: new Map(),
    snapshot: new Map(),
    certificate: new Map(),
    app: new Map(),
    fault: new Map(),
  }
  readonly #watchers = new Set<(change: Change) => void>()
  readonly #calls = new Map<string, number>()
  readonly #put
  readonly #drop
  readonly #count

  /** Throws a sentence when another process has the folder. */
  constructor(folder: string) {
    this.#database = open(folder)
    for (const kind of kinds) {
      const rows = this.#database.prepare('SELECT id, body FROM records WHERE kind = ? ORDER BY id').all(kind)
      // The file is ours alone: what it holds under a kind was written from a record of that kind.
      const records = this.#maps[kind] as Map<string, unknown>
      for (const row of rows) records.set(String(row['id']), JSON.parse(String(row['body'])))
    }
    for (const row of this.#database.prepare('SELECT action, count FROM calls').all())
      this.#calls.set(String(row['action']), Number(row['count']))
    this.#put = this.#database.prepare('INSERT OR REPLACE INTO records VALUES (?, ?, ?)')
    this.#drop = this.#database.prepare('DELETE FROM records WHERE kind = ? AND id = ?')
    this.#count = this.#database.prepare('INSERT OR REPLACE INTO calls VALUES (?, ?)')
  }

  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    return this.#maps[kind].get(id)
  }

  all<K extends Kind>(kind: K): Kinds[K][] {
    return [...this.#maps[kind].values()]
  }

  /** Writes the changes as one, then tells the watchers. */
  save(...changes: readonly Change[]): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const { kind, record } of changes) this.#put.run(kind, record.id, JSON.stringify(record))
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
    for (const change of changes) this.#remember(change.kind, change.record)
    for (const change of changes) for (const watcher of [...this.#watchers]) watcher(change)
  }

  #remember<K extends Kind>(kind: K, record: Kinds[K]): void {
    this.#maps[kind].set(record.id, record)
  }

  drop(kind: Kind, id: string): void {
    this.#drop.run(kind, id)
    this.#maps[kind].delete(id)
  }

  /** Calls `watcher` after each change, with the record as it is then; the answer ends it. */
  watch(watcher: (change: Change) => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** A lasting setting, made by `first` when it is not there yet. */
  setting(name: string, first: () => string): string {
    const row = this.#database.prepare('SELECT value FROM settings WHERE name = ?').get(name)
    if (row !== undefined) return String(row['value'])
    const value = first()
    this.set(name, value)
    return value
  }

  set(name: string, value: string): void {
    this.#database.prepare('INSERT OR REPLACE INTO settings VALUES (?, ?)').run(name, value)
  }

  /** Counts one call of an action. */
  called(action: string): void {
    const count = (this.#calls.get(action) ?? 0) + 1
    this.#calls.set(action, count)
    this.#count.run(action, count)
  }

  calls(): ReadonlyMap<string, number> {
    return this.#calls
  }

  close(): void {
    this.#watchers.clear()
    this.#database.close()
  }
}
