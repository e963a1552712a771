// Reads the rows of a plan one at a time, and can be paused between two commands: it then holds nothing in SQLite and
// goes on after the last row it gave.
import { decode } from './bson.ts'
import { type Catalog, type Collection, documentTable, entryTable } from './catalog.ts'
import type { Database, SqlRow } from './database.ts'
import { CommandError } from './errors.ts'
import type { Interval, Plan } from './planner.ts'
import type { Row } from './records.ts'

/** Asked for every row that is read; throws when the command has run out of time. */
export type Deadline = () => void

interface Position {
  readonly key: Uint8Array
  readonly rid: number
}

export class Scan {
  readonly #database: Database
  readonly #catalog: Catalog
  readonly #collection: Collection
  readonly #plan: Plan
  readonly #seen: Set<number> | undefined
  #interval = 0
  #position: Position | undefined
  #rows: NodeJS.Iterator<SqlRow> | undefined

  constructor(database: Database, catalog: Catalog, collection: Collection, plan: Plan) {
    this.#database = database
    this.#catalog = catalog
    this.#collection = collection
    this.#plan = plan
    // Only a document with several entries can come up twice.
    this.#seen = plan.index?.multikey === true ? new Set() : undefined
  }

  /** The next row, or undefined at the end. Errors: 175 when the collection or index was dropped meanwhile. */
  next(): Row | undefined {
    for (;;) {
      this.#rows ??= this.#open()
      if (this.#rows === undefined) return undefined
      const { done, value } = this.#rows.next()
      if (done === true) this.#nextInterval()
      else {
        const rid = Number(value['rid'])
        this.#position = { key: (value['key'] ?? new Uint8Array()) as Uint8Array, rid }
        if (this.#isRepeat(rid)) continue
        const raw = value['doc'] as Uint8Array
        return { rid, raw, doc: decode(raw) }
      }
    }
  }

  pause(): void {
    this.#rows?.return?.()
    this.#rows = undefined
  }

  #isRepeat(rid: number): boolean {
    if (this.#seen === undefined) return false
    if (this.#seen.has(rid)) return true
    this.#seen.add(rid)
    return false
  }

  #nextInterval(): void {
    this.#rows = undefined
    this.#position = undefined
    this.#interval++
  }

  #open(): NodeJS.Iterator<SqlRow> | undefined {
    const { index, intervals } = this.#plan
    const count = index === undefined ? 1 : intervals.length
    if (this.#interval >= count) return undefined
    this.#refuseDropped()
    const interval = intervals[this.#interval]
    return interval === undefined ? this.#openTable() : this.#openIndex(interval)
  }

  #refuseDropped(): void {
    const { db, name, id } = this.#collection
    const index = this.#plan.index
    const isThere = this.#catalog.find(db, name)?.id === id && (index === undefined || this.#catalog.has(index))
    if (!isThere) throw new CommandError('QueryPlanKilled', `${db}.${name} or its index was dropped during the query`)
  }

  #openTable(): NodeJS.Iterator<SqlRow> {
    const sql = `SELECT rid, doc FROM ${documentTable(this.#collection.id)} WHERE rid > ? ORDER BY rid`
    return this.#database.iterate(sql, this.#position?.rid ?? 0)
  }

  #openIndex({ low, high }: Interval): NodeJS.Iterator<SqlRow> {
    const from = `${entryTable(this.#plan.index?.id ?? 0)} e JOIN ${documentTable(this.#collection.id)} d ON d.rid = e.rid`
    const select = `SELECT e.key AS key, e.rid AS rid, d.doc AS doc FROM ${from}`
    if (this.#plan.reverse) {
      const { key, rid } = this.#position ?? { key: high, rid: 0 }
      const sql = `${select} WHERE (e.key, e.rid) < (?, ?) AND e.key >= ? ORDER BY e.key DESC, e.rid DESC`
      return this.#database.iterate(sql, key, rid, low)
    }
    const { key, rid } = this.#position ?? { key: low, rid: 0 }
    const sql = `${select} WHERE (e.key, e.rid) > (?, ?) AND e.key < ? ORDER BY e.key, e.rid`
    return this.#database.iterate(sql, key, rid, high)
  }
}
