// delete: the first document that matches, or all of them.
import { decode, type Doc } from '../bson.ts'
import { collectionOf, type Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { parseFilter } from '../filter.ts'
import { checkCommand, checkFields, countField, docField, docList } from '../options.ts'
import { selectAll } from '../select.ts'
import { isUnordered } from './insert.ts'
import { perStatement } from './statements.ts'

export function remove(request: Request): Doc {
  const { store, body, sequences } = request
  checkCommand('delete', body, ['deletes', 'ordered'])
  const coll = collectionOf(request)
  const statements = sequences.get('deletes')?.map(decode) ?? docList(body, 'deletes')
  for (const statement of statements) checkFields('delete.deletes', statement, ['q', 'limit'])
  let n = 0
  const writeErrors = perStatement(store, statements, !isUnordered(body), (statement) => {
    n += runStatement(request, coll, statement)
  })
  return { n, ...writeErrors }
}

function runStatement({ store, db, deadline }: Request, coll: string, statement: Doc): number {
  const limit = countField(statement, 'limit')
  if (limit !== 0 && limit !== 1)
    throw new CommandError('FailedToParse', 'The limit field in delete objects must be 0 or 1')
  const filter = parseFilter(docField(statement, 'q') ?? {})
  const collection = store.catalog.find(db, coll)
  if (collection === undefined) return 0
  const rows = selectAll(store, db, coll, { filter, sort: [], skip: 0, limit }, deadline)
  for (const row of rows) store.records.remove(collection, row)
  return rows.length
}
