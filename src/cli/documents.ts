// The documents of files: each as it is written, with where it stands, so that what the API says of a line is said of the file's.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LineCounter, parseAllDocuments, type Document } from 'yaml'
import { type FieldError, RequestError } from './client.ts'

export interface Piece {
  readonly file: string
  /** `tenant/acme`. */
  readonly label: string
  readonly text: string
  /** How many lines of the file stand before it. */
  readonly linesBefore: number
}

const kinds: readonly unknown[] = ['Tenant', 'Class', 'Pool']

/** `file:line:column`, as far as it is known. */
function place(file: string, line: number | undefined, column: number | undefined): string {
  return [file, line, column].filter((part) => part !== undefined).join(':')
}

/** A wrong field with its place in the file; `line` counts from the piece's first. */
export function located({ file, linesBefore }: Piece, { path, detail, line, column }: FieldError): FieldError {
  const where = place(file, line === undefined ? undefined : line + linesBefore, column)
  return { path: `${where} ${path}`.trim(), detail }
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
  if (!kinds.includes(kind) || typeof name !== 'string')
    throw new RequestError(`${place(file, line, col)} must be a Tenant, a Class or a Pool with a name`)
  const label = `${String(kind).toLowerCase()}/${name}`
  return { file, label, text: text.slice(start, end), linesBefore: lines.linePos(start).line - 1 }
}

/** Every document of the text. Throws a RequestError with file, line and column where one cannot be sent. */
export function piecesOf(file: string, text: string): readonly Piece[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })
  const full = (Array.isArray(documents) ? documents : []).filter(
    ({ contents, errors }) => contents !== null || errors.length > 0,
  )
  if (full.length === 0) throw new RequestError(`${file} holds no document`)
  return full.map((document) => pieceOf(file, text, document, lines))
}

function read<T>(path: string, how: (path: string) => T): T {
  try {
    return how(path)
  } catch (error) {
    throw new RequestError(
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      undefined,
      [],
      error,
    )
  }
}

function filesIn(folder: string, recursive: boolean): readonly string[] {
  const names = read(folder, (path) => readdirSync(path, { recursive, encoding: 'utf8' }))
  const files = names.filter((name) => /\.(ya?ml|json)$/.test(name)).sort()
  if (files.length === 0) throw new RequestError(`${folder} holds no .yaml, .yml or .json file`)
  return files.map((name) => join(folder, name))
}

/** Every document of files and folders, in this order; `-` is `input`. */
export async function readPieces(
  paths: readonly string[],
  { recursive, input }: { readonly recursive: boolean; readonly input: () => Promise<string> },
): Promise<readonly Piece[]> {
  const pieces: Piece[] = []
  for (const path of paths) {
    if (path === '-') pieces.push(...piecesOf('-', await input()))
    else {
      const files = read(path, (name) => statSync(name)).isDirectory() ? filesIn(path, recursive) : [path]
      for (const file of files)
        pieces.push(
          ...piecesOf(
            file,
            read(file, (name) => readFileSync(name, 'utf8')),
          ),
        )
    }
  }
  return pieces
}
