// find: a filter, an order, a projection, and a cursor over the result.
import { encode } from '../bson.ts'
import { collectionOf, openCursor, type Request } from '../command.ts'
import { parseFilter } from '../filter.ts'
import { checkCommand, countField, docField, flagField } from '../options.ts'
import { parseProjection } from '../project.ts'
import { queryCursor } from '../query-cursor.ts'
import { parseSort, select } from '../select.ts'

const fields = ['filter', 'sort', 'projection', 'skip', 'limit', 'batchSize', 'singleBatch']

export function find(request: Request): Uint8Array {
  const { store, db, body, session, deadline } = request
  checkCommand('find', body, fields)
  const coll = collectionOf(request)
  const limit = countField(body, 'limit') ?? 0
  const query = {
    filter: parseFilter(docField(body, 'filter') ?? {}),
    sort: parseSort(docField(body, 'sort') ?? {}),
    skip: countField(body, 'skip') ?? 0,
    limit,
  }
  const project = parseProjection(docField(body, 'projection') ?? {})
  const rows = select(store, db, coll, query, deadline)
  const next = () => {
    const row = rows.next()
    if (row === undefined) return undefined
    return project === undefined ? row.raw : encode(project(row.doc))
  }
  const cursor = queryCursor(`${db}.${coll}`, session, { next, pause: () => rows.pause() }, limit)
  return openCursor(store, cursor, countField(body, 'batchSize'), flagField(body, 'singleBatch'))
}
