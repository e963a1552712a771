// Change streams: a position in the history, moved by every read, and named by a token that outlives the server.
import { BSON } from 'mongodb'
import { decode, type Doc, encode, fieldOf, isDoc, show } from './bson.ts'
import type { Batch, Cursor } from './cursors.ts'
import { CommandError, refused } from './errors.ts'
import { type Filter, parseFilter } from './filter.ts'
import { matches } from './match.ts'
import { type OplogRow, positionOfTime, tokenOf } from './oplog.ts'
import { select } from './select.ts'
import type { Store } from './store.ts'

interface Settings {
  readonly db: string
  /** One collection, or the whole database. */
  readonly coll: string | undefined
  readonly filter: Filter | undefined
  readonly lookup: boolean
}

const pageRows = 500
const maxBatchBytes = 16 * 1024 * 1024
const nonResumable = { errorLabels: ['NonResumableChangeStreamError'] }

/**
 * Opens a stream from the stages of its pipeline. Errors: 286 when the history it asks for is gone, 280 for a token of
 * another history, 260 for `resumeAfter` an invalidate, 238 for stages and options outside the subset.
 */
export function openChangeStream(
  store: Store,
  db: string,
  coll: string | undefined,
  pipeline: readonly Doc[],
  session: string | undefined,
): Cursor {
  const [first, ...stages] = pipeline
  const options = first?.['$changeStream']
  if (!isDoc(options)) throw new CommandError('FailedToParse', 'the $changeStream stage must be given an object')
  const settings = { db, coll, filter: parseStages(stages), lookup: parseOptions(options) }
  let position = startOf(store, options)
  refuseLost(store, position)

  const read = (size: number | undefined): Batch => {
    refuseLost(store, position)
    for (;;) {
      const { batch, position: reached } = readPage(store, settings, position, size)
      position = reached
      // Pages in which nothing matches are passed over now, and not one per wait.
      if (batch.documents.length > 0 || !batch.more || size === 0 || position >= store.oplog.committed) return batch
    }
  }
  return { namespace: `${db}.${coll ?? '$cmd.aggregate'}`, session, waits: true, read }
}

function parseStages(stages: readonly Doc[]): Filter | undefined {
  const filters = stages.map((stage) => {
    const [name = ''] = Object.keys(stage)
    const filter = fieldOf(stage, '$match')
    if (name !== '$match') throw refused(`the stage ${name} in a change stream`)
    if (!isDoc(filter)) throw new CommandError('BadValue', 'the match filter must be an expression in an object')
    return parseFilter(filter)
  })
  return filters.length === 0 ? undefined : { kind: 'and', parts: filters }
}

const startOptions = ['resumeAfter', 'startAfter', 'startAtOperationTime']

/** Answers whether updates are to carry the document as it is now. */
function parseOptions(options: Doc): boolean {
  for (const [name, value] of Object.entries(options)) {
    const isPlain = name === 'fullDocument' || startOptions.includes(name)
    if (isPlain || (name === 'fullDocumentBeforeChange' && value === 'off')) continue
    if (name === 'allChangesForCluster' || name === 'showExpandedEvents') {
      if (value === false) continue
    }
    throw refused(`the change stream option ${name}: ${show(value)}`)
  }
  const full = fieldOf(options, 'fullDocument') ?? 'default'
  if (full !== 'default' && full !== 'updateLookup')
    throw refused(`the change stream option fullDocument: ${show(full)}`)
  if (startOptions.filter((name) => Object.hasOwn(options, name)).length > 1) {
    throw new CommandError('BadValue', `only one of ${startOptions.join(', ')} may be given`)
  }
  return full === 'updateLookup'
}

function startOf(store: Store, options: Doc): number {
  const time = fieldOf(options, 'startAtOperationTime')
  if (time instanceof BSON.Timestamp) return positionOfTime(time)
  const token = fieldOf(options, 'resumeAfter') ?? fieldOf(options, 'startAfter')
  if (token === undefined) return store.oplog.last
  const position = parseToken(token, Object.hasOwn(options, 'resumeAfter'))
  if (position <= store.oplog.last) return position
  throw new CommandError(
    'ChangeStreamFatalError',
    'cannot resume stream; the resume token was not found: it belongs to another history',
    nonResumable,
  )
}

function parseToken(token: unknown, isResume: boolean): number {
  const text = isDoc(token) ? fieldOf(token, '_data') : undefined
  const parts = typeof text === 'string' ? /^([0-9a-f]{16})(00|01)$/.exec(text) : null
  if (parts?.[1] === undefined) throw new CommandError('InvalidResumeToken', `not a resume token: ${show(token)}`)
  if (isResume && parts[2] === '01') {
    throw new CommandError('InvalidResumeToken', 'a stream cannot be resumed after an invalidate event: use startAfter')
  }
  return Number.parseInt(parts[1], 16)
}

function refuseLost(store: Store, position: number): void {
  if (position >= store.oplog.floor) return
  throw new CommandError(
    'ChangeStreamHistoryLost',
    'Resume of change stream was not possible, as the resume point may no longer be in the oplog.',
    nonResumable,
  )
}

interface Page {
  readonly batch: Batch
  readonly position: number
}

function readPage(store: Store, settings: Settings, from: number, size: number | undefined): Page {
  const { db, coll } = settings
  const rows = store.oplog.after(from, db, coll, pageRows)
  const documents: Uint8Array[] = []
  let bytes = 0
  for (const row of rows) {
    const found = present(store, settings, row)
    const isFull = (size !== undefined && documents.length >= size) || bytes > maxBatchBytes
    if (found !== undefined && isFull) return pageUntil(row.seq - 1, documents)
    if (found !== undefined) documents.push(found)
    bytes += found?.length ?? 0
    if (row.op === 'drop' && coll !== undefined) return endOfStream(store, row.seq, documents)
  }
  return pageUntil(
    rows.length === pageRows ? (rows.at(-1)?.seq ?? from) : Math.max(from, store.oplog.committed),
    documents,
  )
}

function pageUntil(position: number, documents: readonly Uint8Array[]): Page {
  return { position, batch: { documents, more: true, extra: { postBatchResumeToken: tokenOf(position) } } }
}

/** A dropped collection ends its own streams, though not those of the database. */
function endOfStream(store: Store, seq: number, documents: readonly Uint8Array[]): Page {
  const invalidate = store.oplog.invalidate(seq)
  const extra = { postBatchResumeToken: invalidate['_id'] }
  return { position: seq, batch: { documents: [...documents, encode(invalidate)], more: false, extra } }
}

/** The event as the client gets it, or undefined where the stream's $match leaves it out. */
function present(store: Store, { filter, lookup }: Settings, { op, event }: OplogRow): Uint8Array | undefined {
  const looksUp = lookup && op === 'update'
  if (filter === undefined && !looksUp) return event
  const plain = decode(event)
  const full = looksUp ? { ...plain, fullDocument: currentOf(store, plain) } : plain
  if (filter !== undefined && !matches(filter, full)) return undefined
  return looksUp ? encode(full) : event
}

/** The document as it is now, which may be later than the event, or null when it is gone. */
function currentOf(store: Store, event: Doc): Doc | null {
  const { ns, documentKey } = event
  if (!isDoc(ns) || !isDoc(documentKey)) return null
  const query = { filter: parseFilter({ _id: { $eq: documentKey['_id'] } }), sort: [], skip: 0, limit: 1 }
  const rows = select(store, String(ns['db']), String(ns['coll']), query, () => undefined)
  try {
    return rows.next()?.doc ?? null
  } finally {
    rows.pause()
  }
}
