// insert: documents one by one, each whole or not at all.
import { decode, type Doc, encode, isDoc } from '../bson.ts'
import { collectionOf, type Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { checkCommand, docList, flagField } from '../options.ts'
import { withIdFirst } from '../upsert.ts'
import { perStatement } from './statements.ts'

export function insert(request: Request): Doc {
  const { store, db, body, sequences } = request
  checkCommand('insert', body, ['documents', 'ordered'])
  const coll = collectionOf(request)
  const documents = sequences.get('documents') ?? docList(body, 'documents').map(encode)
  if (documents.length === 0) throw new CommandError('BadValue', 'Write batch sizes must be between 1 and 100000')
  store.catalog.ensure(db, coll)
  let n = 0
  const writeErrors = perStatement(store, documents, !isUnordered(body), (raw) => {
    const { doc, bytes } = prepared(raw)
    store.records.insert(store.catalog.ensure(db, coll), doc, bytes)
    n++
  })
  return { n, ...writeErrors }
}

export function isUnordered(body: Doc): boolean {
  return Object.hasOwn(body, 'ordered') && !flagField(body, 'ordered')
}

/** A document with `_id` in first place is stored byte for byte as it came. */
function prepared(raw: Uint8Array): { doc: Doc; bytes: Uint8Array } {
  const given = decode(raw)
  if (!isDoc(given)) throw new CommandError('BadValue', 'a document cannot be a DBRef')
  const doc = withIdFirst(given)
  const keeps = Buffer.from(raw.buffer, raw.byteOffset + 5, 4).toString('latin1') === '_id\0'
  return { doc, bytes: keeps ? raw : encode(doc) }
}
