// listCollections and drop. Collections are made by the first insert or index, never by a command of their own.
import type { Doc } from '../bson.ts'
import { collectionOf, type Request } from '../command.ts'
import { parseFilter } from '../filter.ts'
import { idIndex } from '../index-spec.ts'
import { matches } from '../match.ts'
import { checkCommand, docField, flagField } from '../options.ts'
import { listCursor } from './indexes.ts'

export function listCollections(request: Request): Uint8Array {
  const { store, db, body } = request
  checkCommand('listCollections', body, ['filter', 'nameOnly', 'authorizedCollections', 'cursor'])
  const filter = parseFilter(docField(body, 'filter') ?? {})
  const isBrief = flagField(body, 'nameOnly')
  const documents = store.catalog
    .inDatabase(db)
    .map(({ name }) => ({ name, type: 'collection', options: {}, info: { readOnly: false }, idIndex }))
    .filter((document) => matches(filter, document))
    .map(({ name, type, ...rest }) => (isBrief ? { name, type } : { name, type, ...rest }))
  return listCursor(request, `${db}.$cmd.listCollections`, documents)
}

/** As mongod 7.0, dropping what does not exist is no error. */
export function drop(request: Request): Doc {
  const { store, db, body } = request
  checkCommand('drop', body, [])
  const coll = collectionOf(request)
  const collection = store.catalog.find(db, coll)
  if (collection === undefined) return {}
  store.records.drop(collection)
  return { nIndexesWas: collection.indexes.length, ns: `${db}.${coll}` }
}
