// Reads the head of an answer, strictly (RFC 9112): what can be read in two ways is no answer. Pure.
import type { IncomingHttpHeaders } from 'node:http'
import { joinHeaders } from './headers.ts'

/** As much as Node's own client takes. */
export const headBytes = 16_384

/** How long the body is: as many bytes, in chunks, until the connection ends, or there is none. */
export type Framing = { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' | 'close' }

export interface AnswerHead {
  readonly statusCode: number
  readonly statusMessage: string
  /** As Node's own client would give them. */
  readonly headers: IncomingHttpHeaders
  readonly framing: Framing
  /** Whether the connection may carry another request after this answer. */
  readonly stays: boolean
}

const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: ([^\r\n\0]*))?\r\n/
const headerLine = /([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t -~\x80-\xff]*)\r\n/y

/** Names and values in turn; undefined where a line is none. (A value that goes on in a second line begins with a blank.) */
function linesOf(text: string, from: number): string[] | undefined {
  const lines: string[] = []
  headerLine.lastIndex = from
  while (headerLine.lastIndex < text.length) {
    const [, name, value] = headerLine.exec(text) ?? []
    if (name === undefined || value === undefined) return undefined
    const last = value.charCodeAt(value.length - 1)
    lines.push(name, last === 32 || last === 9 ? value.replace(/[\t ]+$/, '') : value)
  }
  return lines
}

function count(lines: readonly string[], wanted: string): number {
  let found = 0
  for (let index = 0; index < lines.length; index += 2) {
    const name = lines[index] ?? ''
    if (name.length === wanted.length && name.toLowerCase() === wanted) found += 1
  }
  return found
}

/** Undefined where the length is in doubt: told twice, told in two ways, or no number. */
function framingOf(headers: IncomingHttpHeaders, lines: readonly string[], version: string): Framing | undefined {
  const { 'transfer-encoding': coding, 'content-length': length } = headers
  if (coding !== undefined) {
    const clear = version === '1' && length === undefined && coding.toLowerCase() === 'chunked'
    return clear ? { kind: 'chunked' } : undefined
  }
  if (length === undefined) return { kind: 'close' }
  const clear = /^\d{1,15}$/.test(length) && count(lines, 'content-length') === 1
  return clear ? { kind: 'length', bytes: Number(length) } : undefined
}

/** Answers that have no body, whatever their headers say (RFC 9112 6.3). */
const bodiless = (method: string, status: number) => method === 'HEAD' || status === 204 || status === 304

/** Where a head ends, with its empty line; -1 while it does not. */
export function endOfHead(bytes: Buffer): number {
  const end = bytes.indexOf('\r\n\r\n')
  return end === -1 ? -1 : end + 4
}

/**
 * Reads a head, up to and with its empty line.
 *
 * @returns undefined when it is none, or how long the body is cannot be told for certain
 */
export function readHead(bytes: Buffer, method: string): AnswerHead | undefined {
  const text = bytes.toString('latin1', 0, bytes.length - 2)
  const [line, version = '', status, statusMessage = ''] = statusLine.exec(text) ?? []
  const lines = line === undefined ? undefined : linesOf(text, line.length)
  if (lines === undefined) return undefined
  const headers = joinHeaders(lines)
  const framing = framingOf(headers, lines, version)
  if (framing === undefined) return undefined
  const statusCode = Number(status)
  const ends = version === '0' || /(^|,)\s*close\s*(,|$)/i.test(headers.connection ?? '')
  const none = bodiless(method, statusCode) || statusCode < 200
  return {
    statusCode,
    statusMessage,
    headers,
    framing: none ? { kind: 'length', bytes: 0 } : framing,
    stays: !ends && (none || framing.kind !== 'close'),
  }
}
