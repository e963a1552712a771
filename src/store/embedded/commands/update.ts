// update: operators or replacements on the documents that match, or one new document where none does.
import { decode, type Doc, encode, fieldOf } from '../bson.ts'
import { collectionOf, type Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { type Filter, parseFilter } from '../filter.ts'
import { checkCommand, checkFields, docField, docList, flagField } from '../options.ts'
import { selectAll } from '../select.ts'
import { applyUpdate, parseUpdate, type Update } from '../update.ts'
import { upsertDocument } from '../upsert.ts'
import { isUnordered } from './insert.ts'
import { perStatement } from './statements.ts'

interface Tally {
  n: number
  nModified: number
  readonly upserted: Doc[]
}

export function update(request: Request): Doc {
  const { store, body, sequences } = request
  checkCommand('update', body, ['updates', 'ordered'])
  const coll = collectionOf(request)
  const statements = sequences.get('updates')?.map(decode) ?? docList(body, 'updates')
  for (const statement of statements) checkFields('update.updates', statement, ['q', 'u', 'multi', 'upsert'])
  const tally: Tally = { n: 0, nModified: 0, upserted: [] }
  const writeErrors = perStatement(store, statements, !isUnordered(body), (statement, index) => {
    const done = runStatement(request, coll, statement)
    tally.n += done.n
    tally.nModified += done.nModified
    if (done.upsertedId !== undefined) tally.upserted.push({ index, _id: done.upsertedId })
  })
  const { n, nModified, upserted } = tally
  return { n, nModified, ...(upserted.length === 0 ? {} : { upserted }), ...writeErrors }
}

interface Done {
  readonly n: number
  readonly nModified: number
  readonly upsertedId?: unknown
}

function runStatement(request: Request, coll: string, statement: Doc): Done {
  const filter = parseFilter(docField(statement, 'q') ?? {})
  const update = parseUpdate(fieldOf(statement, 'u'))
  const isMulti = flagField(statement, 'multi')
  if (isMulti && update.kind === 'replace') {
    throw new CommandError('FailedToParse', 'multi update is not supported for replacement-style update')
  }
  const done = changeMatching(request, coll, filter, update, isMulti)
  if (done.n > 0 || !flagField(statement, 'upsert')) return done
  const doc = upsertDocument(filter, update, request.store.now())
  request.store.records.insert(request.store.catalog.ensure(request.db, coll), doc, encode(doc))
  return { n: 1, nModified: 0, upsertedId: doc['_id'] }
}

function changeMatching(
  { store, db, deadline }: Request,
  coll: string,
  filter: Filter,
  update: Update,
  isMulti: boolean,
): Done {
  const collection = store.catalog.find(db, coll)
  if (collection === undefined) return { n: 0, nModified: 0 }
  const rows = selectAll(store, db, coll, { filter, sort: [], skip: 0, limit: isMulti ? 0 : 1 }, deadline)
  const moment = { now: store.now(), inserting: false }
  const op = update.kind === 'replace' ? 'replace' : 'update'
  const changed = rows.filter((row) => store.records.change(collection, row, applyUpdate(update, row.doc, moment), op))
  return { n: rows.length, nModified: changed.length }
}
