// Writes of single documents: the row, its entries in every index, the unique checks and the event, as one change.
import { type Doc, encode, show } from './bson.ts'
import { type Catalog, type Collection, documentTable, entryTable, type Index } from './catalog.ts'
import type { Database } from './database.ts'
import { CommandError } from './errors.ts'
import { keysOf } from './keys.ts'
import { matches } from './match.ts'
import { encodeKey } from './order.ts'
import type { Change, Oplog } from './oplog.ts'
import { describeUpdate } from './diff.ts'

/** A stored document with the number of its row. */
export interface Row {
  readonly rid: number
  readonly raw: Uint8Array
  readonly doc: Doc
}

const maxDocumentBytes = 16 * 1024 * 1024

/** All methods must run inside a turn's `write`; an error leaves the undoing to its rollback. */
export class Records {
  readonly #database: Database
  readonly #catalog: Catalog
  readonly #oplog: Oplog

  constructor(database: Database, catalog: Catalog, oplog: Oplog) {
    this.#database = database
    this.#catalog = catalog
    this.#oplog = oplog
  }

  /** Errors: 11000 for a taken unique key, 10334 for a document over 16 MB. */
  insert(collection: Collection, doc: Doc, raw: Uint8Array): void {
    checkSize(raw)
    const rid = this.#database.run(`INSERT INTO ${documentTable(collection.id)} (doc) VALUES (?)`, raw)
    for (const index of collection.indexes) this.#addEntries(collection, index, doc, rid)
    this.#record(collection, 'insert', { fullDocument: doc, documentKey: keyOf(doc) })
  }

  /** Puts another document in the place of a stored one. Answers whether a byte changed; if none, there is no event. */
  change(collection: Collection, row: Row, after: Doc, op: 'update' | 'replace'): boolean {
    if (after === row.doc) return false
    const raw = encode(after)
    if (Buffer.compare(raw, row.raw) === 0) return false
    checkSize(raw)
    this.#database.run(`UPDATE ${documentTable(collection.id)} SET doc = ? WHERE rid = ?`, raw, row.rid)
    for (const index of collection.indexes) this.#moveEntries(collection, index, row, after)
    this.#record(collection, op, { documentKey: keyOf(after), ...describe(op, row.doc, after) })
    return true
  }

  remove(collection: Collection, row: Row): void {
    this.#database.run(`DELETE FROM ${documentTable(collection.id)} WHERE rid = ?`, row.rid)
    for (const index of collection.indexes) {
      const sql = `DELETE FROM ${entryTable(index.id)} WHERE key = ? AND rid = ?`
      for (const key of entriesOf(index, row.doc).keys.values()) this.#database.run(sql, key, row.rid)
    }
    this.#record(collection, 'delete', { documentKey: keyOf(row.doc) })
  }

  drop(collection: Collection): void {
    this.#catalog.drop(collection)
    this.#record(collection, 'drop', {})
  }

  /** Enters the documents that the collection already has into a new index. */
  fill(collection: Collection, index: Index, rows: Iterable<Row>): void {
    for (const row of rows) this.#addEntries(collection, index, row.doc, row.rid)
  }

  #addEntries(collection: Collection, index: Index, doc: Doc, rid: number): void {
    const { keys, multikey } = entriesOf(index, doc)
    if (multikey) this.#catalog.markMultikey(index)
    for (const key of keys.values()) this.#addEntry(collection, index, key, rid, doc)
  }

  #moveEntries(collection: Collection, index: Index, row: Row, after: Doc): void {
    const old = entriesOf(index, row.doc)
    const fresh = entriesOf(index, after)
    const sql = `DELETE FROM ${entryTable(index.id)} WHERE key = ? AND rid = ?`
    for (const [text, key] of old.keys) if (!fresh.keys.has(text)) this.#database.run(sql, key, row.rid)
    if (fresh.multikey) this.#catalog.markMultikey(index)
    for (const [text, key] of fresh.keys) {
      if (!old.keys.has(text)) this.#addEntry(collection, index, key, row.rid, after)
    }
  }

  #addEntry(collection: Collection, index: Index, key: Uint8Array, rid: number, doc: Doc): void {
    const table = entryTable(index.id)
    if (index.unique) {
      const other = this.#database.get(`SELECT rid FROM ${table} WHERE key = ? AND rid <> ? LIMIT 1`, key, rid)
      if (other !== undefined) throw duplicateKey(collection, index, key, doc)
    }
    this.#database.run(`INSERT INTO ${table} (key, rid) VALUES (?, ?)`, key, rid)
  }

  #record(collection: Collection, op: Change['op'], fields: Doc): void {
    this.#oplog.append({ db: collection.db, coll: collection.name, op, fields })
  }
}

/** A document's entries by their bytes as text, so that sets of them can be compared. */
function entriesOf(index: Index, doc: Doc): { keys: Map<string, Uint8Array>; multikey: boolean } {
  if (index.partial !== undefined && !matches(index.partial, doc)) return { keys: new Map(), multikey: false }
  const { entries, multikey } = keysOf(doc, index.fields)
  const directions = index.fields.map((field) => field.direction)
  const keys = entries.map((entry) => encodeKey(entry, directions))
  return { keys: new Map(keys.map((key) => [Buffer.from(key).toString('latin1'), key])), multikey }
}

function describe(op: 'update' | 'replace', before: Doc, after: Doc): Doc {
  if (op === 'replace') return { fullDocument: after }
  return { updateDescription: { ...describeUpdate(before, after), truncatedArrays: [] } }
}

function keyOf(doc: Doc): Doc {
  return { _id: doc['_id'] }
}

function checkSize(raw: Uint8Array): void {
  if (raw.length <= maxDocumentBytes) return
  throw new CommandError(
    'BSONObjectTooLarge',
    `the document has ${raw.length} bytes; at most ${maxDocumentBytes} are allowed`,
  )
}

/** mongod's message and fields, which the driver and its callers read. */
function duplicateKey(collection: Collection, index: Index, key: Uint8Array, doc: Doc): CommandError {
  const directions = index.fields.map((field) => field.direction)
  const entry = keysOf(doc, index.fields).entries.find(
    (values) => Buffer.compare(encodeKey(values, directions), key) === 0,
  )
  const keyValue = Object.fromEntries(index.fields.map((field, at) => [field.name, entry?.[at] ?? null]))
  const where = `collection: ${collection.db}.${collection.name} index: ${index.name}`
  return new CommandError('DuplicateKey', `E11000 duplicate key error ${where} dup key: ${show(keyValue)}`, {
    keyPattern: index.document['key'],
    keyValue,
  })
}
