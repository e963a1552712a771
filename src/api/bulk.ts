// Many documents at once: each is applied for itself and has a result of its own; one that is refused keeps none of the others
// from being applied.
import type { Context } from 'koa'
import { z } from 'zod'
import { classDocument, type ClassDocument } from '../../specs/class.ts'
import { check } from '../../specs/parse.ts'
import { tenantDocument, type TenantDocument } from '../../specs/tenant.ts'
import { bytesOf, decode, formatOf, type BodyReader } from './body.ts'
import { applyClass, classInput, classShape, classView } from './classes.ts'
import { parseDocument, type Format } from './document.ts'
import { asProblem } from './failure.ts'
import { problemShape } from './openapi.ts'
import { json, operation, type Operation } from './operation.ts'
import { invalid, Problem, problemBody } from './problem.ts'
import type { ApiOptions } from './server.ts'
import { tenantInput, tenantShape, tenantView } from './view.ts'
import { applyTenant } from './writes.ts'

const mostDocuments = 500

/** A document as it came; each is bounded and checked on its own. */
interface Piece {
  readonly text: string
  readonly format: Format
  /** How many lines of the body stand before it. */
  readonly linesBefore: number
}

const anyKind = z.discriminatedUnion('kind', [tenantDocument, classDocument])

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
  schema: z.array(z.union([tenantInput, classInput])).max(mostDocuments),
  types: ['application/json', 'application/yaml'],
  required: true,
  read,
}

function parsed({ text, format, linesBefore }: Piece): TenantDocument | ClassDocument {
  const result = parseDocument(text, format, anyKind)
  if (result.ok) return result.value
  const moved = result.problems.map((problem) => {
    const { line, column, ...rest } = problem
    // A document of a list has no lines that anybody knows.
    return format === 'json' || line === undefined || column === undefined
      ? rest
      : { ...rest, line: line + linesBefore, column }
  })
  throw invalid(moved)
}

const resultShape = z.strictObject({
  index: z.int().meta({ description: 'Of the document among those that were sent, from 0.' }),
  kind: z.string().optional(),
  name: z.string().optional(),
  status: z.int().meta({ description: 'As if it had been sent alone.' }),
  result: z.union([tenantShape, classShape]).optional(),
  problem: problemShape.optional(),
})

type Result = z.infer<typeof resultShape>
type Applied = Pick<Result, 'status' | 'result'>

const anyway = { ifMatch: '', ifNoneMatch: '' }

async function applied(options: ApiOptions, wanted: TenantDocument | ClassDocument): Promise<Applied> {
  if (wanted.kind === 'Class') {
    const { found, created } = await applyClass(options, wanted, anyway)
    return { status: created ? 201 : 200, result: classView(found) }
  }
  const { tenant, created } = await applyTenant(options, wanted, anyway)
  options.wake(tenant.uid)
  return { status: created ? 201 : 200, result: tenantView(tenant) }
}

async function resultOf(options: ApiOptions, piece: Piece, index: number, requestId: string): Promise<Result> {
  let about: Pick<Result, 'kind' | 'name'> = {}
  try {
    const wanted = parsed(piece)
    about = { kind: wanted.kind, name: wanted.name }
    return { index, ...about, ...(await applied(options, wanted)) }
  } catch (error) {
    const problem = asProblem(error)
    if (problem.status >= 500) options.log.error({ requestId, err: error }, 'a document could not be applied')
    const { success, data } = problemShape.safeParse(problemBody(problem, requestId))
    return { index, ...about, status: problem.status, ...(success ? { problem: data } : {}) }
  }
}

/** `POST /v1/apply`. */
export function bulkOperations(options: ApiOptions): readonly Operation[] {
  return [
    operation({
      ...{ id: 'applyAll', method: 'post', path: '/v1/apply', tag: 'tenants', roles: ['admin'] },
      summary: 'Applies many tenants and classes, each for itself: a YAML stream or a JSON list, in the order sent.',
      body: documents,
      answers: {
        200: json(z.strictObject({ results: z.array(resultShape), failed: z.int() }), {
          description: 'A result for each; look at their statuses.',
        }),
      },
      handle: async ({ context, body }) => {
        const requestId = context.response.get('x-request-id')
        const results: Result[] = []
        for (const [index, piece] of body.entries()) results.push(await resultOf(options, piece, index, requestId))
        context.body = { results, failed: results.filter(({ status }) => status >= 400).length }
      },
    }),
  ]
}
