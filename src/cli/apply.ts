// `moor apply`: all documents in few requests, and a result for each. One that is refused keeps none of the others from being
// applied.
import type { AppliedView } from '../api/bulk.ts'
import { type Api, inWords, RequestError } from './client.ts'
import { located, type Piece } from './documents.ts'
import { type Format, shown } from './output.ts'

/** What one request may hold, below the API's own limits of 500 documents and a mebibyte. */
const most = { documents: 500, bytes: 1_000_000 } as const

type Result = AppliedView['results'][number]

export interface ApplyOptions {
  /** Takes over fields that belong to somebody else. */
  readonly force: boolean
  /** Only tells what would become of them. */
  readonly dryRun: boolean
  readonly format: Format
  readonly print: (line: string) => void
  readonly note: (line: string) => void
}

interface Batch {
  readonly pieces: readonly Piece[]
  /** The line on which each begins, from 0. */
  readonly starts: readonly number[]
  readonly text: string
}

const separator = '\n---\n'
const newlines = (text: string) => text.split('\n').length - 1

function batchOf(pieces: readonly Piece[]): Batch {
  const starts: number[] = []
  let line = 0
  for (const { text } of pieces) {
    starts.push(line)
    line += newlines(text) + newlines(separator)
  }
  return { pieces, starts, text: pieces.map(({ text }) => text).join(separator) }
}

/** In their order; one that is too large goes alone, and is refused by the API. */
function batchesOf(pieces: readonly Piece[]): readonly Batch[] {
  const found: Piece[][] = []
  let bytes = Infinity
  for (const piece of pieces) {
    const size = Buffer.byteLength(piece.text) + separator.length
    const last = found.at(-1)
    if (last === undefined || last.length >= most.documents || bytes + size > most.bytes) {
      found.push([piece])
      bytes = size
    } else {
      last.push(piece)
      bytes += size
    }
  }
  return found.map(batchOf)
}

/** What was wrong, each field with its place in the file. */
function refusalOf({ problem, status }: Result, piece: Piece, start: number): readonly string[] {
  const said = inWords(problem) ?? { message: `it was answered with ${status}`, errors: [] }
  const errors = said.errors.map((error) => {
    const { line, ...rest } = error
    return located(piece, line === undefined ? rest : { ...rest, line: line - start })
  })
  const first = `${piece.label} refused (${piece.file}): ${said.message}`
  return [first, ...errors.map(({ path, detail }) => `  ${path} ${detail}`)]
}

/**
 * Applies every document, and prints a line for each: `tenant/acme configured`. Throws a RequestError afterwards where any was
 * refused, and at once where a whole request was.
 */
export async function apply(api: Api, pieces: readonly Piece[], options: ApplyOptions): Promise<void> {
  const { force, dryRun, format, print, note } = options
  const asked = { query: { force: force ? 'true' : undefined, dryRun: dryRun ? ('server' as const) : undefined } }
  const results: Result[] = []
  for (const { pieces: sent, starts, text } of batchesOf(pieces)) {
    const { body } = await api.post('/v1/apply', asked, { type: 'application/yaml', body: text })
    for (const result of body.results) {
      const [piece, start = 0] = [sent[result.index], starts[result.index]]
      if (piece === undefined) continue
      results.push({ ...result, index: results.length })
      if (result.status >= 400) refusalOf(result, piece, start).forEach(note)
      else if (format === 'table') print(`${piece.label} ${result.outcome}${dryRun ? ' (dry run)' : ''}`)
    }
  }
  const failed = results.filter(({ status }) => status >= 400).length
  if (format !== 'table') print(shown(format, { ...(dryRun ? { dryRun } : {}), results, failed }, () => ''))
  if (failed > 0)
    throw new RequestError(`${failed} of ${results.length} documents ${dryRun ? 'would not be' : 'were not'} applied.`)
}
