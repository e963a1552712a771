// `moor apply`: the documents of a YAML file, each sent as it is written, so that the API's lines are the file's lines.
import { LineCounter, parseAllDocuments, type Document } from 'yaml'
import { type Api, type FieldError, RequestError } from './client.ts'

interface Piece {
  readonly name: string
  readonly text: string
  /** How many lines of the file stand before it. */
  readonly linesBefore: number
}

/** `file:line:column`, as far as it is known. */
function place(file: string, line: number | undefined, column: number | undefined): string {
  return [file, line, column].filter((part) => part !== undefined).join(':')
}

function pieceOf(file: string, text: string, document: Document.Parsed, lines: LineCounter): Piece {
  const [start, , end] = document.range
  const [error] = document.errors
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0])
    throw new RequestError(`${place(file, line, col)} ${error.message.split('\n')[0] ?? error.message}`)
  }
  const { line, col } = lines.linePos(document.contents?.range[0] ?? start)
  const [kind, name] = [document.get('kind'), document.get('name')]
  if (kind !== 'Tenant' || typeof name !== 'string')
    throw new RequestError(`${place(file, line, col)} must be a Tenant with a name`)
  return { name, text: text.slice(start, end), linesBefore: lines.linePos(start).line - 1 }
}

/** Every document of the text. Throws a RequestError with file, line and column where one cannot be sent. */
function piecesOf(file: string, text: string): readonly Piece[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })
  const full = (Array.isArray(documents) ? documents : []).filter(
    ({ contents, errors }) => contents !== null || errors.length > 0,
  )
  if (full.length === 0) throw new RequestError(`${file} holds no document`)
  return full.map((document) => pieceOf(file, text, document, lines))
}

function located(file: string, { linesBefore }: Piece, { path, detail, line, column }: FieldError): FieldError {
  const where = place(file, line === undefined ? undefined : line + linesBefore, column)
  return { path: `${where} ${path}`.trim(), detail }
}

/** Applies every document, or none where one cannot be read. Answers a line for each. */
export async function apply(api: Api, file: string, text: string, say: (line: string) => void): Promise<void> {
  for (const piece of piecesOf(file, text)) {
    const path = `/v1/tenants/${encodeURIComponent(piece.name)}`
    const before = await api.get(path).catch((error: unknown) => {
      if (error instanceof RequestError && error.status === 404) return undefined
      throw error
    })
    const after = await api.put(path, { type: 'application/yaml', body: piece.text }).catch((error: unknown) => {
      if (!(error instanceof RequestError)) throw error
      const errors = error.errors.map((field) => located(file, piece, field))
      throw new RequestError(`${piece.name}: ${error.message}`, error.status, errors, error)
    })
    const word =
      before === undefined ? 'created' : generation(before.body) === generation(after.body) ? 'unchanged' : 'changed'
    say(`tenant ${piece.name} ${word}`)
  }
}

function generation(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'generation' in body ? body.generation : undefined
}
