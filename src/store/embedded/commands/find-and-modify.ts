// findAndModify: find one document and change it in the same step, so that a compare-and-set has exactly one winner.
import { type Doc, encode, fieldOf } from '../bson.ts'
import { collectionOf, type Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { parseFilter } from '../filter.ts'
import { checkCommand, docField, flagField } from '../options.ts'
import { parseProjection } from '../project.ts'
import type { Row } from '../records.ts'
import { parseSort, selectAll } from '../select.ts'
import { applyUpdate, parseUpdate } from '../update.ts'
import { upsertDocument } from '../upsert.ts'

const fields = ['query', 'sort', 'update', 'remove', 'new', 'upsert', 'fields']

export function findAndModify(request: Request): Doc {
  const { store, db, body, deadline } = request
  checkCommand(Object.keys(body)[0] ?? '', body, [...fields, 'findAndModify', 'findandmodify'])
  checkCombination(body)
  const coll = collectionOf(request)
  const query = {
    filter: parseFilter(docField(body, 'query') ?? {}),
    sort: parseSort(docField(body, 'sort') ?? {}),
    skip: 0,
    limit: 1,
  }
  const project = parseProjection(docField(body, 'fields') ?? {}) ?? ((doc: Doc) => doc)
  const [row] = selectAll(store, db, coll, query, deadline)
  const { value, lastErrorObject } = flagField(body, 'remove') ? remove(request, coll, row) : change(request, coll, row)
  return { lastErrorObject, value: value === undefined ? null : project(value) }
}

interface Outcome {
  readonly value: Doc | undefined
  readonly lastErrorObject: Doc
}

function checkCombination(body: Doc): void {
  const isRemove = flagField(body, 'remove')
  if (isRemove === Object.hasOwn(body, 'update')) throw failed('Either an update or remove=true must be specified')
  if (isRemove && flagField(body, 'upsert')) throw failed('Cannot specify both upsert=true and remove=true')
  if (isRemove && flagField(body, 'new'))
    throw failed("Cannot specify both new=true and remove=true; 'remove' always returns the deleted document")
}

function failed(message: string): CommandError {
  return new CommandError('FailedToParse', message)
}

function remove({ store, db }: Request, coll: string, row: Row | undefined): Outcome {
  const collection = store.catalog.find(db, coll)
  if (row !== undefined && collection !== undefined) store.records.remove(collection, row)
  return { value: row?.doc, lastErrorObject: { n: row === undefined ? 0 : 1 } }
}

function change(request: Request, coll: string, row: Row | undefined): Outcome {
  const { store, db, body } = request
  const update = parseUpdate(fieldOf(body, 'update'))
  const isNew = flagField(body, 'new')
  if (row === undefined) return upsert(request, coll)
  const after = applyUpdate(update, row.doc, { now: store.now(), inserting: false })
  const op = update.kind === 'replace' ? 'replace' : 'update'
  store.records.change(store.catalog.ensure(db, coll), row, after, op)
  return { value: isNew ? after : row.doc, lastErrorObject: { n: 1, updatedExisting: true } }
}

function upsert({ store, db, body }: Request, coll: string): Outcome {
  if (!flagField(body, 'upsert')) return { value: undefined, lastErrorObject: { n: 0, updatedExisting: false } }
  const filter = parseFilter(docField(body, 'query') ?? {})
  const doc = upsertDocument(filter, parseUpdate(fieldOf(body, 'update')), store.now())
  store.records.insert(store.catalog.ensure(db, coll), doc, encode(doc))
  return {
    value: flagField(body, 'new') ? doc : undefined,
    lastErrorObject: { n: 1, updatedExisting: false, upserted: doc['_id'] },
  }
}
