// createIndexes, listIndexes and dropIndexes.
import { type Doc, encode, fieldOf, identical, isDoc } from '../bson.ts'
import type { Collection, Index } from '../catalog.ts'
import { collectionOf, openCursor, type Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { identityOf, type IndexSpec, parseIndexSpec } from '../index-spec.ts'
import { checkCommand, checkFields, countField, docField, docList } from '../options.ts'
import { queryCursor } from '../query-cursor.ts'
import { parseFilter } from '../filter.ts'
import { eachRow, select } from '../select.ts'

export function createIndexes(request: Request): Doc {
  const { store, db, body } = request
  checkCommand('createIndexes', body, ['indexes'])
  const coll = collectionOf(request)
  const specs = docList(body, 'indexes').map(parseIndexSpec)
  const createdCollectionAutomatically = store.catalog.find(db, coll) === undefined
  const before = store.catalog.ensure(db, coll)
  const after = specs.reduce((collection, spec) => build(request, collection, spec), before)
  const counts = { numIndexesBefore: before.indexes.length, numIndexesAfter: after.indexes.length }
  const note = after === before ? { note: 'all indexes already exist' } : {}
  return { ...counts, createdCollectionAutomatically, ...note }
}

/** The collection with the index, which is filled at once; the same one when it has it. Errors: 85, 86, 11000. */
function build({ store, db, deadline }: Request, collection: Collection, spec: IndexSpec): Collection {
  if (exists(collection, spec)) return collection
  const after = store.catalog.addIndex(collection, spec)
  const index = after.indexes.at(-1)
  const all = { filter: parseFilter({}), sort: [], skip: 0, limit: 0 }
  const rows = eachRow(select(store, db, collection.name, all, deadline))
  if (index !== undefined) store.records.fill(after, index, rows)
  return after
}

function exists(collection: Collection, spec: IndexSpec): boolean {
  const namesake = collection.indexes.find((index) => index.name === spec.name)
  if (namesake !== undefined) {
    if (identityOf(namesake) !== identityOf(spec)) {
      throw new CommandError(
        'IndexKeySpecsConflict',
        `An existing index has the same name as the requested index: ${spec.name}`,
      )
    }
    if (namesake.expireAfterSeconds !== spec.expireAfterSeconds) {
      throw new CommandError(
        'IndexOptionsConflict',
        `An equivalent index already exists with the same name but different options: ${spec.name}`,
      )
    }
    return true
  }
  const twin = collection.indexes.find((index) => identityOf(index) === identityOf(spec))
  if (twin === undefined) return false
  throw new CommandError('IndexOptionsConflict', `Index already exists with a different name: ${twin.name}`)
}

export function dropIndexes(request: Request): Doc {
  const { store, body } = request
  checkCommand('dropIndexes', body, ['index'])
  const collection = existing(request)
  const dropped = indexesNamed(collection, fieldOf(body, 'index'))
  if (dropped.some((index) => index.name === '_id_')) throw new CommandError('InvalidOptions', 'cannot drop _id index')
  dropped.reduce((rest, index) => store.catalog.dropIndex(rest, index), collection)
  return { nIndexesWas: collection.indexes.length }
}

function indexesNamed(collection: Collection, wanted: unknown): Index[] {
  if (wanted === '*') return collection.indexes.slice(1)
  if (Array.isArray(wanted)) return wanted.flatMap((name: unknown) => indexesNamed(collection, name))
  const isWanted = (index: Index) => (isDoc(wanted) ? identical(index.document['key'], wanted) : index.name === wanted)
  const found = collection.indexes.filter(isWanted)
  if (found.length > 0) return found
  throw new CommandError('IndexNotFound', 'index not found: no index of that name or key')
}

export function listIndexes(request: Request): Uint8Array {
  const { body } = request
  checkCommand('listIndexes', body, ['cursor'])
  const collection = existing(request)
  const documents = collection.indexes.map(({ document }) => document)
  return listCursor(request, `${collection.db}.${collection.name}`, documents)
}

/** A cursor over a list that is made for the question, such as that of indexes. */
export function listCursor(
  { store, body, session }: Request,
  namespace: string,
  documents: readonly Doc[],
): Uint8Array {
  const options = docField(body, 'cursor') ?? {}
  checkFields('cursor', options, ['batchSize'])
  const rest = documents.values()
  const next = () => {
    const { done, value } = rest.next()
    return done === true ? undefined : encode(value)
  }
  const cursor = queryCursor(namespace, session, { next, pause: () => undefined }, documents.length)
  return openCursor(store, cursor, countField(options, 'batchSize'), false)
}

function existing(request: Request): Collection {
  const { store, db } = request
  const coll = collectionOf(request)
  const collection = store.catalog.find(db, coll)
  if (collection === undefined) throw new CommandError('NamespaceNotFound', `ns does not exist: ${db}.${coll}`)
  return collection
}
