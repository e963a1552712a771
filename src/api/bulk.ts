// Many documents at once: each is applied for itself and has a result of its own; one that is refused keeps none of the others
// from being applied. Limited callers may apply tenants here, and nothing that concerns everybody.
import type { Context } from 'koa'
import { z } from 'zod'
import { classDocument } from '../../specs/class.ts'
import { check } from '../../specs/parse.ts'
import { poolDocument } from '../../specs/pool.ts'
import { tenantDocument } from '../../specs/tenant.ts'
import { bytesOf, decode, formatOf, isForced, type BodyReader } from './body.ts'
import { callerOf } from './caller.ts'
import { applyClass, classInput, classShape, classView } from './classes.ts'
import { parseDocument, type Format } from './document.ts'
import { dryOptions } from './dry-run.ts'
import { asProblem } from './failure.ts'
import { problemShape } from './openapi.ts'
import { json, operation, type Operation } from './operation.ts'
import { forcedDocument, refusedDocument } from './owners.ts'
import { applyPool, poolInput, poolShape, poolView } from './pools.ts'
import { invalid, Problem, problemBody } from './problem.ts'
import { applyQuery } from './query.ts'
import type { ApiOptions } from './server.ts'
import { tenantInput, tenantShape, tenantView } from './view.ts'
import { applyTenant, type Outcome } from './writes.ts'

const mostDocuments = 500

/** A document as it came; each is bounded and checked on its own. */
interface Piece {
  readonly text: string
  readonly format: Format
  /** How many lines of the body stand before it. */
  readonly linesBefore: number
}

const schemas = { Tenant: tenantDocument, Class: classDocument, Pool: poolDocument } as const
const unforced = z.discriminatedUnion('kind', [tenantDocument, classDocument, poolDocument])
const forced = z.discriminatedUnion('kind', [forcedDocument, classDocument, poolDocument])
type Wanted = z.infer<typeof forced>

/** Of a document of whatever kind. */
const headShape = z.looseObject({ kind: z.string().optional(), name: z.string().optional() })
type Head = z.infer<typeof headShape>

/** `---` at the beginning of a line starts a document, in block scalars too (YAML 1.2, 9.1.2). */
function yamlPieces(text: string): Piece[] {
  let lines = 0
  return text.split(/^(?=---(?:\s|$))/m).flatMap((piece): Piece[] => {
    const linesBefore = lines
    lines += piece.split('\n').length - 1
    const isEmpty = piece.split('\n').every((line) => /^\s*(#|$|---\s*(#|$)|\.\.\.\s*$)/.test(line))
    return isEmpty ? [] : [{ text: piece, format: 'yaml', linesBefore }]
  })
}

function jsonPieces(text: string): Piece[] {
  const whole = (message: string) => invalid([{ path: '', pointer: '', message }])
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw whole('is not JSON')
  }
  const list = check(z.array(z.unknown(), 'must be a list of documents'), value)
  if (!list.ok) throw invalid(list.problems)
  return list.value.map((item) => ({ text: JSON.stringify(item), format: 'json', linesBefore: 0 }))
}

async function read(context: Context): Promise<readonly Piece[]> {
  const format = formatOf(context)
  const text = decode(await bytesOf(context))
  const pieces = format === 'yaml' ? yamlPieces(text) : jsonPieces(text)
  if (pieces.length === 0) throw new Problem(400, 'invalid', 'The body holds no document.')
  if (pieces.length > mostDocuments)
    throw new Problem(413, 'too-large', `${pieces.length} documents at once; ${mostDocuments} at most.`)
  return pieces
}

const documents: BodyReader<readonly Piece[]> = {
  schema: z.array(z.union([tenantInput, classInput, poolInput])).max(mostDocuments),
  types: ['application/json', 'application/yaml'],
  required: true,
  read,
}

/** What can be known of a document that is refused. */
function headOf({ text, format }: Piece): Head {
  const result = parseDocument(text, format, headShape)
  return result.ok ? { kind: result.value.kind, name: result.value.name } : {}
}

function parsed(piece: Piece, force: boolean): Wanted {
  const { text, format, linesBefore } = piece
  const result = parseDocument(text, format, force ? forced : unforced)
  if (result.ok) return result.value
  const moved = result.problems.map((problem) => {
    const { line, column, ...rest } = problem
    // A document of a list has no lines that anybody knows.
    return format === 'json' || line === undefined || column === undefined
      ? rest
      : { ...rest, line: line + linesBefore, column }
  })
  const { kind = '' } = headOf(piece)
  throw Object.hasOwn(schemas, kind) ? refusedDocument(schemas[kind as keyof typeof schemas], moved) : invalid(moved)
}

const outcomes = ['created', 'configured', 'unchanged', 'refused', 'failed'] as const

const resultShape = z.strictObject({
  index: z.int().meta({ description: 'Of the document among those that were sent, from 0.' }),
  line: z.int().optional().meta({ description: 'Where it begins in a YAML stream, from 1.' }),
  kind: z.string().optional(),
  name: z.string().optional(),
  outcome: z.enum(outcomes).meta({ description: 'failed: through no fault of the document.' }),
  status: z.int().meta({ description: 'As if it had been sent alone.' }),
  result: z.union([tenantShape, classShape, poolShape]).optional(),
  problem: problemShape.optional(),
})

const resultsShape = z
  .strictObject({
    dryRun: z
      .literal(true)
      .optional()
      .meta({ description: 'Nothing was stored; the outcomes are those that there would be.' }),
    results: z.array(resultShape),
    failed: z.int(),
  })
  .meta({ id: 'Applied' })

export type AppliedView = z.infer<typeof resultsShape>
type Result = z.infer<typeof resultShape>
type Applied = Pick<Result, 'status' | 'outcome' | 'result'>

const anyway = { ifMatch: '', ifNoneMatch: '' }

function appliedAs({ created, changed }: Outcome, result: Result['result']): Applied {
  const outcome = created ? 'created' : changed ? 'configured' : 'unchanged'
  return { status: created ? 201 : 200, outcome, result }
}

async function applied(options: ApiOptions, wanted: Wanted): Promise<Applied> {
  switch (wanted.kind) {
    case 'Class': {
      const { found, ...outcome } = await applyClass(options, wanted, anyway)
      return appliedAs(outcome, classView(found))
    }
    case 'Pool': {
      const { found, ...outcome } = await applyPool(options, wanted, anyway)
      return appliedAs(outcome, await poolView(options, found))
    }
    case 'Tenant': {
      const { tenant, ...outcome } = await applyTenant(options, wanted, anyway)
      options.wake(tenant.uid)
      if (outcome.created) options.arrived?.(tenant)
      return appliedAs(outcome, tenantView(tenant))
    }
  }
}

/** A class or a pool is not one of anybody's tenants. */
function checkWithin(context: Context, { kind }: Wanted): void {
  const { selector } = callerOf(context)
  if (selector === undefined || kind === 'Tenant') return
  throw new Problem(
    403,
    'forbidden',
    `A ${kind} concerns more than the tenants with ${selector}, to which the token is limited.`,
  )
}

async function resultOf(options: ApiOptions, context: Context, piece: Piece, index: number): Promise<Result> {
  const place = piece.format === 'yaml' ? { index, line: piece.linesBefore + 1 } : { index }
  try {
    const wanted = parsed(piece, isForced(context))
    checkWithin(context, wanted)
    return { ...place, kind: wanted.kind, name: wanted.name, ...(await applied(options, wanted)) }
  } catch (error) {
    const problem = asProblem(error)
    const requestId = context.response.get('x-request-id')
    const outcome = problem.status >= 500 ? 'failed' : 'refused'
    if (outcome === 'failed') options.log.error({ requestId, err: error }, 'a document could not be applied')
    const { success, data } = problemShape.safeParse(problemBody(problem, requestId))
    return { ...place, ...headOf(piece), outcome, status: problem.status, ...(success ? { problem: data } : {}) }
  }
}

/** `POST /v1/apply`. */
export function bulkOperations(options: ApiOptions): readonly Operation[] {
  return [
    operation({
      ...{ id: 'applyAll', method: 'post', path: '/v1/apply', tag: 'tenants', roles: ['admin'], limited: true },
      summary:
        'Applies many tenants, classes and pools, each for itself: a YAML stream or a JSON list, in the order sent.',
      query: applyQuery,
      body: documents,
      answers: { 200: json(resultsShape, { description: 'A result for each; look at their outcomes.' }) },
      handle: async ({ context, body, query: { dryRun } }) => {
        const dry = dryRun !== undefined
        const used = dry ? dryOptions(options) : options
        const results: Result[] = []
        for (const [index, piece] of body.entries()) results.push(await resultOf(used, context, piece, index))
        const failed = results.filter(({ status }) => status >= 400).length
        context.body = { ...(dry ? { dryRun: true } : {}), results, failed }
      },
    }),
  ]
}
