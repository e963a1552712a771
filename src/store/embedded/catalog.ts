// Which collections and indexes there are: tables of the file, with a copy in memory that follows every rollback.
import { decode, encode } from './bson.ts'
import type { Database } from './database.ts'
import { CommandError } from './errors.ts'
import { idIndex, type IndexSpec, parseIndexSpec } from './index-spec.ts'

export interface Index extends IndexSpec {
  readonly id: number
  /** Whether some document has had several entries: then bounds on two fields cannot be combined. */
  multikey: boolean
}

/** `indexes[0]` is always the one on `_id`. */
export interface Collection {
  readonly id: number
  readonly db: string
  readonly name: string
  readonly indexes: readonly Index[]
}

/** Where the documents of a collection are: `rid` numbers them in the order of insertion. */
export function documentTable(collection: number): string {
  return `documents_${collection}`
}

/** Where the entries of an index are: order-preserving keys, each with a `rid`. */
export function entryTable(index: number): string {
  return `entries_${index}`
}

export class Catalog {
  readonly #database: Database
  #collections = new Map<string, Collection>()
  #changed = false

  constructor(database: Database) {
    this.#database = database
    this.#load()
  }

  find(db: string, name: string): Collection | undefined {
    return this.#collections.get(`${db}.${name}`)
  }

  all(): Collection[] {
    return [...this.#collections.values()]
  }

  inDatabase(db: string): Collection[] {
    return this.all().filter((collection) => collection.db === db)
  }

  has(index: Index): boolean {
    return this.all().some((collection) => collection.indexes.some((other) => other.id === index.id))
  }

  /** The collection, made with its `_id` index where it does not exist. Errors: 73 for a name that mongod refuses. */
  ensure(db: string, name: string): Collection {
    const found = this.find(db, name)
    if (found !== undefined) return found
    checkName(db, name)
    const id = this.#database.run('INSERT INTO collections (db, name) VALUES (?, ?)', db, name)
    this.#database.exec(`CREATE TABLE ${documentTable(id)} (rid INTEGER PRIMARY KEY, doc BLOB NOT NULL)`)
    return this.addIndex({ id, db, name, indexes: [] }, parseIndexSpec(idIndex))
  }

  /** Adds an empty index; whoever asks fills it. */
  addIndex(collection: Collection, spec: IndexSpec): Collection {
    const sql = 'INSERT INTO indexes (collection, spec, multikey) VALUES (?, ?, 0)'
    const id = this.#database.run(sql, collection.id, encode(spec.document))
    const table = entryTable(id)
    this.#database.exec(`CREATE TABLE ${table} (key BLOB, rid INTEGER, PRIMARY KEY (key, rid)) WITHOUT ROWID`)
    return this.#put({ ...collection, indexes: [...collection.indexes, { ...spec, id, multikey: false }] })
  }

  dropIndex(collection: Collection, index: Index): Collection {
    this.#database.run('DELETE FROM indexes WHERE id = ?', index.id)
    this.#database.forgetStatements()
    this.#database.exec(`DROP TABLE ${entryTable(index.id)}`)
    return this.#put({ ...collection, indexes: collection.indexes.filter((other) => other.id !== index.id) })
  }

  drop(collection: Collection): void {
    const empty = collection.indexes.reduce((rest, index) => this.dropIndex(rest, index), collection)
    this.#database.exec(`DROP TABLE ${documentTable(empty.id)}`)
    this.#database.run('DELETE FROM collections WHERE id = ?', empty.id)
    this.#collections.delete(`${empty.db}.${empty.name}`)
  }

  markMultikey(index: Index): void {
    if (index.multikey) return
    this.#database.run('UPDATE indexes SET multikey = 1 WHERE id = ?', index.id)
    index.multikey = true
    this.#changed = true
  }

  settled(): void {
    this.#changed = false
  }

  /** After a rollback: what memory says may never have happened. */
  rolledBack(): void {
    if (!this.#changed) return
    this.#database.forgetStatements()
    this.#load()
  }

  #put(collection: Collection): Collection {
    this.#collections.set(`${collection.db}.${collection.name}`, collection)
    this.#changed = true
    return collection
  }

  #load(): void {
    const indexes = Map.groupBy(
      this.#database.all('SELECT id, collection, spec, multikey FROM indexes ORDER BY id'),
      (row) => row['collection'],
    )
    const rows = this.#database.all('SELECT id, db, name FROM collections ORDER BY id')
    const collections = rows.map((row): Collection => ({
      id: Number(row['id']),
      db: String(row['db']),
      name: String(row['name']),
      indexes: (indexes.get(row['id'] ?? null) ?? []).map((index) => ({
        ...parseIndexSpec(decode(index['spec'] as Uint8Array)),
        id: Number(index['id']),
        multikey: index['multikey'] === 1,
      })),
    }))
    this.#collections = new Map(collections.map((collection) => [`${collection.db}.${collection.name}`, collection]))
  }
}

function checkName(db: string, name: string): void {
  const ok = db !== '' && !/[/\\. "$\0]/.test(db) && name !== '' && !name.startsWith('system.') && !/[$\0]/.test(name)
  if (!ok) throw new CommandError('InvalidNamespace', `Invalid namespace specified '${db}.${name}'`)
}
