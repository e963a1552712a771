// Holds answers against the API's own description: the status is one that the operation documents, and the body is as its
// schema says.
import type { IncomingHttpHeaders } from 'node:http'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { openApiDocument } from '../../src/api/openapi.ts'
import { allOperations } from '../../src/api/operations.ts'
import type { ApiOptions } from '../../src/api/server.ts'

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

interface Described {
  readonly $ref?: string
  readonly content?: Readonly<Record<string, { readonly schema: unknown }>>
}

type Paths = Readonly<Record<string, Readonly<Record<string, { readonly responses: Record<string, Described> }>>>>

/** Nothing of the options is looked at before a request comes. */
export const description = openApiDocument(allOperations({} as ApiOptions))

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false })
ajv.addSchema({ ...description, $id: 'openapi' })
const compiled = new Map<string, ValidateFunction>()

const pointer = (parts: readonly string[]) =>
  parts.map((part) => `/${encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('')

function validator(ref: string): ValidateFunction {
  const made = compiled.get(ref) ?? ajv.compile({ $ref: `openapi#${ref}` })
  compiled.set(ref, made)
  return made
}

const paths = Object.entries(description.paths as unknown as Paths).map(([path, methods]) => {
  const source = path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')
  return { path, methods, pattern: new RegExp(`^${source}/?$`) }
})

/** The place of what a status is described by. */
function described(method: string, path: string, status: number): { place: string[]; content: string[] } | undefined {
  // Written out before patterns, as the router does.
  const found = paths
    .filter(({ pattern, methods }) => pattern.test(path) && methods[method] !== undefined)
    .sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0]
  const answer = found?.methods[method]?.responses[status]
  if (found === undefined || answer === undefined) return undefined
  const name = /^#\/components\/responses\/(\w+)$/.exec(answer.$ref ?? '')?.[1]
  const shared = description.components?.responses?.[name ?? ''] as Described | undefined
  const place = name === undefined ? ['paths', found.path, method, 'responses', String(status)] : undefined
  return {
    place: place ?? ['components', 'responses', name ?? ''],
    content: Object.keys((shared ?? answer).content ?? {}),
  }
}

/** Before an operation is found: no token, an unknown address or method, something that is not HTTP. */
const beforeRoutes = new Set([400, 401, 404, 405, 408, 431])

function bodyFault(place: string, type: string, text: string): string | undefined {
  if (!type.endsWith('json')) return undefined
  const validate = validator(place)
  return validate(JSON.parse(text)) ? undefined : ajv.errorsText(validate.errors)
}

/** What is wrong with an answer; undefined where it is as described. */
export function undescribed(method: string, url: string, { status, headers, text }: Answered): string | undefined {
  const [path = ''] = url.split('?')
  // The simulator's own addresses are none of the API's.
  if (method === 'OPTIONS' || path.startsWith('/_sim/')) return undefined
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
  const type = (headers['content-type'] ?? '').split(';')[0] ?? ''
  const found = described(verb, path, status)
  const what = `${method} ${path} answered ${status}`
  const problem = type === 'application/problem+json'
  if (found === undefined && !(problem && beforeRoutes.has(status))) return `${what}, which is not documented`
  if (method === 'HEAD' || text === '') return undefined
  if (found === undefined) {
    const fault = bodyFault('/components/schemas/Problem', type, text)
    return fault === undefined ? undefined : `${what}: ${fault}`
  }
  if (!found.content.includes(type)) return `${what} with ${type}, not one of ${found.content.join(', ')}`
  if (type === 'text/event-stream') return undefined
  const fault = bodyFault(pointer([...found.place, 'content', type, 'schema']), type, text)
  return fault === undefined ? undefined : `${what}: ${fault}`
}

/** Throws where an answer is not as described. */
export function checkDescribed<A extends Answered>(method: string, url: string, answer: A): A {
  const fault = undescribed(method, url, answer)
  if (fault !== undefined) throw new Error(`not as described: ${fault}\n${answer.text.slice(0, 2_000)}`)
  return answer
}
