// The stages of an aggregation as functions from documents to documents, chained lazily.
import { type Doc, fieldOf, isDoc, numberOf } from './bson.ts'
import { CommandError, refused } from './errors.ts'
import { type Filter, parseFilter } from './filter.ts'
import { parseGroup } from './group.ts'
import { sortKey } from './keys.ts'
import { matches } from './match.ts'
import { parseProjection } from './project.ts'
import { parseSort, type Query } from './select.ts'

export type Documents = Iterator<Doc, undefined> & Iterable<Doc>
type Stage = (documents: Iterable<Doc>) => Iterable<Doc>

export interface Pipeline {
  /** What a plan with indexes can do before the stages. */
  readonly query: Query
  readonly transform: (documents: Iterable<Doc>) => Documents
}

/** Parses a pipeline. Errors: 40324 for an unknown stage, 238 for stages and expressions outside the subset. */
export function parsePipeline(pipeline: readonly Doc[]): Pipeline {
  const parsed = pipeline.map(parseStage)
  const [match, sort] = parsed
  const filter = match?.kind === 'match' ? match.filter : undefined
  const order = filter === undefined ? match : sort
  const leading = (filter === undefined ? 0 : 1) + (order?.kind === 'sort' ? 1 : 0)
  const query = {
    filter: filter ?? parseFilter({}),
    sort: order?.kind === 'sort' ? parseSort(order.spec) : [],
    skip: 0,
    limit: limitOf(parsed[leading]),
  }
  const stages = parsed.slice(leading).map(run)
  return { query, transform: (documents) => chain(stages.reduce<Iterable<Doc>>((all, stage) => stage(all), documents)) }
}

function* chain(documents: Iterable<Doc>): Generator<Doc, undefined> {
  yield* documents
  return undefined
}

type Parsed =
  | { readonly kind: 'match'; readonly filter: Filter }
  | { readonly kind: 'sort'; readonly spec: Doc }
  | { readonly kind: 'limit'; readonly count: number }
  | { readonly kind: 'other'; readonly stage: Stage }

function limitOf(stage: Parsed | undefined): number {
  return stage?.kind === 'limit' ? stage.count : 0
}

function run(parsed: Parsed): Stage {
  switch (parsed.kind) {
    case 'match':
      return (documents) => matching(documents, parsed.filter)
    case 'sort':
      return sorting(parsed.spec)
    case 'limit':
      return (documents) => limited(documents, parsed.count)
    case 'other':
      return parsed.stage
  }
}

function parseStage(stage: Doc): Parsed {
  const [name = '', ...more] = Object.keys(stage)
  if (more.length > 0 || name === '') {
    throw new CommandError('Location40324', 'A pipeline stage specification object must contain exactly one field.')
  }
  const argument = fieldOf(stage, name)
  switch (name) {
    case '$match':
      return { kind: 'match', filter: parseFilter(document(name, argument)) }
    case '$sort':
      return { kind: 'sort', spec: document(name, argument) }
    case '$limit':
      return { kind: 'limit', count: count(name, argument, 1) }
    case '$skip':
      return other(skipping(count(name, argument, 0)))
    case '$project':
      return other(projecting(document(name, argument)))
    case '$count':
      return other(counting(argument))
    case '$group':
      return other(parseGroup(document(name, argument)))
    default:
      throw unknownStage(name)
  }
}

function other(stage: Stage): Parsed {
  return { kind: 'other', stage }
}

const refusedStages =
  /^\$(addFields|bucket|bucketAuto|collStats|densify|documents|facet|fill|geoNear|graphLookup|indexStats|lookup|merge|out|redact|replaceRoot|replaceWith|sample|search|set|setWindowFields|sortByCount|unionWith|unset|unwind|changeStream)$/

function unknownStage(name: string): CommandError {
  if (refusedStages.test(name)) return refused(`the pipeline stage ${name} (at this place)`)
  return new CommandError('Location40324', `Unrecognized pipeline stage name: '${name}'`)
}

function document(name: string, argument: unknown): Doc {
  if (isDoc(argument)) return argument
  throw new CommandError('FailedToParse', `the ${name} stage must be given an object`)
}

function count(name: string, argument: unknown, least: number): number {
  const number = numberOf(argument)
  if (number !== undefined && Number.isSafeInteger(number) && number >= least) return number
  throw new CommandError('BadValue', `invalid argument to ${name} stage: expected a whole number >= ${least}`)
}

function* matching(documents: Iterable<Doc>, filter: Filter): Generator<Doc> {
  for (const doc of documents) if (matches(filter, doc)) yield doc
}

function sorting(spec: Doc): Stage {
  const fields = parseSort(spec)
  return (documents) => {
    const keyed = [...documents].map((doc) => ({ doc, key: sortKey(doc, fields) }))
    return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ doc }) => doc)
  }
}

function* limited(documents: Iterable<Doc>, most: number): Generator<Doc> {
  let given = 0
  for (const doc of documents) {
    yield doc
    if (++given === most) return
  }
}

function skipping(skip: number): Stage {
  return function* skipFirst(documents) {
    let seen = 0
    for (const doc of documents) if (++seen > skip) yield doc
  }
}

function projecting(spec: Doc): Stage {
  const project = parseProjection(spec)
  if (project === undefined) throw new CommandError('BadValue', '$project needs at least one field')
  return function* projectEach(documents) {
    for (const doc of documents) yield project(doc)
  }
}

function counting(name: unknown): Stage {
  if (typeof name !== 'string' || name === '' || name.startsWith('$') || name.includes('.')) {
    throw new CommandError('BadValue', 'the count field must be a non-empty string without $ and dots')
  }
  return function* countAll(documents) {
    const rest = documents[Symbol.iterator]()
    let total = 0
    while (rest.next().done !== true) total++
    if (total > 0) yield { [name]: total }
  }
}
