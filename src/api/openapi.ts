// The description of the API (OpenAPI 3.1), made from the operations that are served: what is not served is not in it. Pure.
import { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi'
import { isRepeatable, type Answered, type AnswerHeader, type Operation } from './operation.ts'
import { titles, type ProblemCode } from './problem.ts'

export type OpenApiDocument = ReturnType<typeof createDocument>

const codes = Object.keys(titles) as [ProblemCode, ...ProblemCode[]]

/** RFC 9457; a problem may have further members. */
export const problemShape = z
  .looseObject({
    type: z.string().meta({ description: 'The address of a page that says what the code means.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What is wrong, in a sentence.' }),
    instance: z.string().meta({ description: 'The request, as in the log and in X-Request-Id.' }),
    code: z.enum(codes).meta({ description: 'A stable word to match on.' }),
    errors: z
      .array(
        z.strictObject({
          path: z.string().meta({ description: 'As in spec.domains[1].' }),
          pointer: z.string().meta({ description: 'The same as a JSON pointer (RFC 6901).' }),
          detail: z.string(),
          line: z.int().optional(),
          column: z.int().optional(),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Problem' })

const answerHeaders: Readonly<Record<AnswerHeader | (typeof everyHeader)[number], z.ZodType>> = {
  'X-Request-Id': z.string().meta({ description: 'Names the request in the log.', header: { id: 'X-Request-Id' } }),
  'RateLimit-Policy': z
    .string()
    .optional()
    .meta({ description: 'How many requests a caller has in how many seconds.', header: { id: 'RateLimit-Policy' } }),
  RateLimit: z
    .string()
    .optional()
    .meta({ description: 'How many are left, and for how long.', header: { id: 'RateLimit' } }),
  ETag: z.string().meta({ description: 'To be sent as If-Match with a write.', header: { id: 'ETag' } }),
  Location: z.string().meta({ description: 'The address of what was created.', header: { id: 'Location' } }),
  Link: z.string().meta({ description: 'rel="next": the next page (RFC 8288).', header: { id: 'Link' } }),
}

const ifMatch = z
  .string()
  .optional()
  .meta({
    description: 'Refuses with 412 unless the resource is wanted as it was when this tag was read.',
    param: { id: 'If-Match' },
  })
const ifNoneMatch = z
  .string()
  .optional()
  .meta({
    description: 'The tag of what the reader has already; * to create and never replace.',
    param: { id: 'If-None-Match' },
  })

const idempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .optional()
  .meta({
    description: 'The same request with the same key again gets the first answer, for 24 hours.',
    param: { id: 'Idempotency-Key' },
  })

const reason = z
  .string()
  .max(500)
  .optional()
  .meta({ description: 'Why it is done; the audit has it.', param: { id: 'X-Reason' } })

/** What a problem's status means, whichever operation answers with it. */
const meanings = {
  400: 'The address, the query or the body is wrong; each wrong field is named.',
  401: 'A valid token is needed.',
  403: 'The role of the token does not allow this.',
  404: 'There is no such thing.',
  409: 'Something stands in the way; the code says what.',
  412: 'A precondition does not hold.',
  413: 'The body is too large.',
  415: 'The body is in a format that is not read here.',
  422: 'The same Idempotency-Key came with another request before.',
  429: 'Too many requests; Retry-After says when to go on.',
  500: 'A defect of ours.',
  503: 'Something that the answer needs cannot be reached.',
} as const satisfies Readonly<Record<number, string>>

/** The statuses of the problems that an operation may answer with. */
export function problemStatuses(operation: Operation): readonly number[] {
  const { roles, body, conditional, problems, method } = operation
  const repeated = isRepeatable(operation) ? [409, 413, 422] : []
  const closed = roles === 'open' ? [] : [401, 403, 429]
  const sent = body === undefined ? [] : [413, 415]
  const guarded = conditional && method !== 'get' ? [412] : []
  return [...new Set([400, ...closed, ...sent, ...guarded, ...repeated, ...problems, 500, 503])].sort((a, b) => a - b)
}

const everyHeader = ['X-Request-Id', 'RateLimit-Policy', 'RateLimit'] as const

function response({ description, content, headers }: Answered) {
  const bodies = Object.entries(content).map(([type, schema]) => [type, { schema }] as const)
  const names = [...everyHeader, ...headers]
  return {
    description,
    headers: z.object(Object.fromEntries(names.map((name) => [name, answerHeaders[name]]))),
    ...(bodies.length === 0 ? {} : { content: Object.fromEntries(bodies) }),
  }
}

function responses(operation: Operation): ZodOpenApiResponsesObject {
  const found: Record<`${1 | 2 | 3 | 4 | 5}${string}`, ZodOpenApiResponseObject | { $ref: string }> = {}
  for (const [status, answered] of Object.entries(operation.answers)) found[status as '200'] = response(answered)
  for (const status of problemStatuses(operation))
    found[String(status) as '400'] = { $ref: `#/components/responses/Problem${status}` }
  return found
}

function problemResponses(): Record<string, ZodOpenApiResponseObject> {
  const content = { 'application/problem+json': problemShape }
  const named = Object.entries(meanings).map(([status, description]): [string, ZodOpenApiResponseObject] => [
    `Problem${status}`,
    response({ description, content, headers: [] }),
  ])
  return Object.fromEntries(named)
}

function parameters(operation: Operation) {
  const { path, query, conditional } = operation
  const headers = {
    ...(conditional ? { 'If-Match': ifMatch, 'If-None-Match': ifNoneMatch } : {}),
    ...(isRepeatable(operation) ? { 'Idempotency-Key': idempotencyKey } : {}),
    ...(operation.changes && operation.roles !== 'open' ? { 'X-Reason': reason } : {}),
  }
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  return {
    ...(names.length === 0 ? {} : { path: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) }),
    ...(Object.keys(query.shape).length === 0 ? {} : { query }),
    ...(Object.keys(headers).length === 0 ? {} : { header: z.object(headers) }),
  }
}

function requestBody({ body }: Operation): Pick<ZodOpenApiOperationObject, 'requestBody'> {
  if (body === undefined) return {}
  const schema = body.schema ?? { description: 'Bytes, as they are signed.' }
  const content = Object.fromEntries(body.types.map((type) => [type, { schema }]))
  return { requestBody: { required: body.required, content } }
}

function described(operation: Operation): ZodOpenApiOperationObject {
  const { id, summary, tag, roles, deprecated } = operation
  return {
    operationId: id,
    summary,
    tags: [tag],
    ...(deprecated === undefined ? {} : { deprecated: true }),
    security: roles === 'open' ? [] : [{ token: [] }],
    ...(roles === 'open' ? {} : { 'x-roles': roles }),
    requestParams: parameters(operation),
    ...requestBody(operation),
    responses: responses(operation),
  }
}

/** The document; the same for the same operations. */
export function openApiDocument(operations: readonly Operation[]): OpenApiDocument {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {}
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: described(operation) }
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Moorage',
      version: '1',
      description:
        'One microVM per tenant, kept as declared. Bodies are JSON or YAML; errors are problem+json (RFC 9457).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      responses: problemResponses(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'x-roles lists the roles that may call an operation.' },
      },
    },
  })
}
