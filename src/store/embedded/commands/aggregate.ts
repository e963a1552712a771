// aggregate: a change stream, or a pipeline of the few stages that counting and simple reports need.
import type { Doc } from '../bson.ts'
import { encode, fieldOf } from '../bson.ts'
import { openChangeStream } from '../change-stream.ts'
import { openCursor, type Request } from '../command.ts'
import { CommandError } from '../errors.ts'
import { checkCommand, checkFields, countField, docField, docList } from '../options.ts'
import { parsePipeline } from '../pipeline.ts'
import { queryCursor } from '../query-cursor.ts'
import { select } from '../select.ts'

export function aggregate(request: Request): Uint8Array {
  const { store, db, body, session } = request
  checkCommand('aggregate', body, ['pipeline', 'cursor'])
  const options = docField(body, 'cursor')
  if (options === undefined) throw new CommandError('FailedToParse', "The 'cursor' option is required")
  checkFields('cursor', options, ['batchSize'])
  const batchSize = countField(options, 'batchSize')
  const target = fieldOf(body, 'aggregate')
  const coll = typeof target === 'string' ? target : undefined
  const pipeline = docList(body, 'pipeline')
  if (pipeline[0] !== undefined && Object.hasOwn(pipeline[0], '$changeStream')) {
    return openCursor(store, openChangeStream(store, db, coll, pipeline, session), batchSize, false)
  }
  if (coll === undefined)
    throw new CommandError('InvalidNamespace', 'a pipeline on a whole database must start with $changeStream')
  return openCursor(store, pipelineCursor(request, coll, pipeline), batchSize, false)
}

/** The leading $match, $sort, $skip and $limit run as a query, with indexes; the rest on its documents. */
function pipelineCursor({ store, db, session, deadline }: Request, coll: string, pipeline: readonly Doc[]) {
  const { query, transform } = parsePipeline(pipeline)
  const rows = select(store, db, coll, query, deadline)
  const documents = transform(read())
  return queryCursor(`${db}.${coll}`, session, { next, pause: () => rows.pause() }, 0)

  function* read(): Generator<Doc, undefined> {
    for (let row = rows.next(); row !== undefined; row = rows.next()) yield row.doc
    return undefined
  }

  function next(): Uint8Array | undefined {
    const { done, value } = documents.next()
    return done === true ? undefined : encode(value)
  }
}
