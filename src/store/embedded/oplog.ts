// The history of changes: one row per event, written in the transaction of the change, trimmed by size.
import { BSON } from 'mongodb'
import { type Doc, encode } from './bson.ts'
import type { Database } from './database.ts'

/** A change as it is recorded, before it has a place in the history. */
export interface Change {
  readonly db: string
  readonly coll: string
  readonly op: 'insert' | 'update' | 'replace' | 'delete' | 'drop'
  /** The event's own fields: documentKey, fullDocument, updateDescription. */
  readonly fields: Doc
}

export interface OplogRow {
  readonly seq: number
  readonly op: string
  readonly event: Uint8Array
}

/** Events of one second, so that a sequence number is also its cluster time: seconds * 2^20 + ordinal, below 2^53. */
const perSecond = 2 ** 20

/** The name of the place after an event; `invalidate` marks the end of a stream, which only `startAfter` may pass. */
export function tokenOf(seq: number, invalidate = false): Doc {
  return { _data: seq.toString(16).padStart(16, '0') + (invalidate ? '01' : '00') }
}

export function clusterTimeOf(seq: number): BSON.Timestamp {
  return new BSON.Timestamp({ t: Math.floor(seq / perSecond), i: seq % perSecond })
}

export class Oplog {
  readonly #database: Database
  readonly #limit: number
  readonly #now: () => Date
  #last = 0
  #committed: number
  #upto: number
  #trimmedAt: number

  /** `limit` is in bytes of events; about a tenth more is kept before old ones are trimmed. */
  constructor(database: Database, limit: number, now: () => Date) {
    this.#database = database
    this.#limit = limit
    this.#now = now
    const newest = database.get('SELECT seq, upto FROM oplog ORDER BY seq DESC LIMIT 1')
    const oldest = database.get('SELECT upto FROM oplog ORDER BY seq LIMIT 1')
    this.#last = Math.max(Number(newest?.['seq'] ?? 0), this.#readFloor() ?? this.#begin())
    this.#committed = this.#last
    this.#upto = Number(newest?.['upto'] ?? 0)
    this.#trimmedAt = Number(oldest?.['upto'] ?? 0)
  }

  /** The newest event that a reader may see. */
  get committed(): number {
    return this.#committed
  }

  /** The newest event that was written, committed or not. */
  get last(): number {
    return this.#last
  }

  /** Everything up to here is no longer held: a stream can resume from here, and not from before. */
  get floor(): number {
    return this.#readFloor() ?? 0
  }

  markCommitted(): void {
    this.#committed = this.#last
  }

  append({ db, coll, op, fields }: Change): void {
    const seq = this.#next()
    const event = encode({ ...this.#head(seq, op), ns: { db, coll }, ...fields })
    this.#upto += event.length
    this.#database.run(
      'INSERT INTO oplog (seq, db, coll, op, upto, event) VALUES (?, ?, ?, ?, ?, ?)',
      ...[seq, db, coll, op, this.#upto, event],
    )
    if (this.#upto - this.#trimmedAt > this.#limit * 1.1) this.#trim(seq)
  }

  /** Committed events after `seq`, oldest first, of one collection or (without `coll`) of a database. */
  after(seq: number, db: string, coll: string | undefined, count: number): OplogRow[] {
    const where = coll === undefined ? '' : 'AND coll = ?'
    const sql = `SELECT seq, op, event FROM oplog WHERE seq > ? AND seq <= ? AND db = ? ${where} ORDER BY seq LIMIT ?`
    const names = coll === undefined ? [db] : [db, coll]
    return this.#database.all(sql, seq, this.#committed, ...names, count).map((row) => ({
      seq: Number(row['seq']),
      op: String(row['op']),
      event: row['event'] as Uint8Array,
    }))
  }

  /** The event that ends the stream of a dropped collection; it is made up by the reader and stands in no history. */
  invalidate(seq: number): Doc {
    return { ...this.#head(seq, 'invalidate'), _id: tokenOf(seq, true) }
  }

  #head(seq: number, operationType: string): Doc {
    return { _id: tokenOf(seq), operationType, clusterTime: clusterTimeOf(seq), wallTime: this.#now() }
  }

  /** Never backwards, also where the clock is: tokens and cluster times only grow. */
  #next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.#now().getTime() / 1000) * perSecond + 1)
    return this.#last
  }

  /** Drops the oldest events beyond the limit, but never the newest: it remembers where the sequence stands. */
  #trim(newest: number): void {
    const beyond = 'upto <= ? AND seq < ?'
    const bounds = [this.#upto - this.#limit, newest]
    const top = this.#database.get(`SELECT max(seq) AS seq FROM oplog WHERE ${beyond}`, ...bounds)?.['seq']
    this.#trimmedAt = this.#upto - this.#limit
    if (typeof top !== 'number') return
    this.#database.run(`DELETE FROM oplog WHERE seq <= ?`, top)
    this.#writeFloor(top)
  }

  #begin(): number {
    const seq = this.#next()
    this.#writeFloor(seq)
    return seq
  }

  #readFloor(): number | undefined {
    const floor = this.#database.get("SELECT value FROM meta WHERE name = 'floor'")?.['value']
    return typeof floor === 'number' ? floor : undefined
  }

  #writeFloor(seq: number): void {
    this.#database.run(
      "INSERT INTO meta (name, value) VALUES ('floor', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
      seq,
    )
  }
}

/** The place just before the events of a cluster time. */
export function positionOfTime(time: BSON.Timestamp): number {
  return time.t * perSecond + time.i - 1
}
