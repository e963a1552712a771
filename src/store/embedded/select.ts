// A query as a pull of rows: plan, match, sort, skip and limit. What find, update, delete and aggregate start from.
import { decode, type Doc, isDoc } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import type { Filter } from './filter.ts'
import { type KeyField, keyFields, sortKey } from './keys.ts'
import { matches } from './match.ts'
import { planQuery } from './planner.ts'
import type { Row } from './records.ts'
import { type Deadline, Scan } from './scan.ts'
import type { Store } from './store.ts'

export interface Query {
  readonly filter: Filter
  readonly sort: readonly KeyField[]
  readonly skip: number
  /** 0 for none. */
  readonly limit: number
}

/** Rows of a query, one by one. Pause it at the end of every command. */
export interface Rows {
  next(): Row | undefined
  pause(): void
}

/** A sort keeps its documents in memory; mongod's bound is the same where it may not write to disk. */
const maxSortBytes = 100 * 1024 * 1024

const maxSortFields = 32

/** Parses a sort pattern. Errors: 2 for directions that are not 1 or -1. */
export function parseSort(spec: Doc): KeyField[] {
  const fields = keyFields(spec, (name) => {
    if (isDoc(spec[name])) return refused(`the sort expression on '${name}'`)
    return new CommandError('BadValue', `Illegal key in $sort specification: ${name} must be 1 (for ascending) or -1`)
  })
  const wrong = fields.find(({ path }) => path.some((part) => part === '' || part.startsWith('$')))
  if (wrong !== undefined) throw new CommandError('BadValue', `'${wrong.name}' is no path to sort by`)
  if (fields.length > maxSortFields) throw new CommandError('BadValue', `at most ${maxSortFields} fields to sort by`)
  return fields
}

/** Rows of nothing, for a collection that does not exist. */
export const noRows: Rows = { next: () => undefined, pause: () => undefined }

export function select(store: Store, db: string, coll: string, query: Query, deadline: Deadline): Rows {
  const collection = store.catalog.find(db, coll)
  if (collection === undefined) return noRows
  const plan = planQuery(collection, query.filter, query.sort)
  const scan = new Scan(store.database, store.catalog, collection, plan)
  const rows = generate(scan, plan.sorted, query, deadline)
  return {
    next: () => {
      const { done, value } = rows.next()
      return done === true ? undefined : value
    },
    pause: () => scan.pause(),
  }
}

/** The rows in a loop that lets go of them at its end, however it ends. */
export function* eachRow(rows: Rows): Generator<Row, undefined> {
  try {
    for (let row = rows.next(); row !== undefined; row = rows.next()) yield row
    return undefined
  } finally {
    rows.pause()
  }
}

/** All rows of a query at once: writers must not change what they are still reading. */
export function selectAll(store: Store, db: string, coll: string, query: Query, deadline: Deadline): Row[] {
  return [...eachRow(select(store, db, coll, query, deadline))]
}

function* generate(scan: Scan, isSorted: boolean, query: Query, deadline: Deadline): Generator<Row, undefined> {
  const matching = match(scan, query.filter, deadline)
  const { skip, limit } = query
  let at = 0
  for (const row of isSorted ? matching : sortRows(matching, query)) {
    at++
    if (at <= skip) continue
    yield row
    if (limit > 0 && at >= skip + limit) return undefined
  }
  return undefined
}

function* match(scan: Scan, filter: Filter, deadline: Deadline): Generator<Row, undefined> {
  for (let row = scan.next(); row !== undefined; row = scan.next()) {
    deadline()
    if (matches(filter, row.doc)) yield row
  }
  return undefined
}

interface Keyed {
  readonly key: Uint8Array
  readonly rid: number
  readonly raw: Uint8Array
}

/** Keeps only the first `skip + limit`, cutting back whenever twice as many have gathered. Equal keys keep their order. */
function* sortRows(rows: Iterable<Row>, { sort, skip, limit }: Query): Generator<Row, undefined> {
  const wanted = limit === 0 ? Infinity : skip + limit
  let keyed: Keyed[] = []
  let bytes = 0
  for (const { doc, rid, raw } of rows) {
    keyed.push({ key: sortKey(doc, sort), rid, raw })
    bytes += raw.length
    if (keyed.length >= Math.max(2 * wanted, 1000)) {
      keyed = inOrder(keyed).slice(0, wanted)
      bytes = keyed.reduce((sum, entry) => sum + entry.raw.length, 0)
    }
    if (bytes > maxSortBytes) throw tooMuchToSort()
  }
  // Decoded again one by one: decoded documents take several times the memory of their bytes.
  for (const { rid, raw } of inOrder(keyed)) yield { rid, raw, doc: decode(raw) }
  return undefined
}

function tooMuchToSort(): CommandError {
  return new CommandError(
    'QueryExceededMemoryLimitNoDiskUseAllowed',
    `Sort exceeded memory limit of ${maxSortBytes} bytes; add an index for this sort or a limit`,
  )
}

function inOrder(keyed: readonly Keyed[]): Keyed[] {
  return keyed.toSorted((a, b) => Buffer.compare(a.key, b.key))
}
