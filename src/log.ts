// The log: pino with what must never be written taken out. On a laptop it goes to a file, elsewhere to standard output.
import { mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino, type Logger } from 'pino'

/** Wherever such a field turns up in a log object, at the top or two levels down, its value is not written. */
const secretFields: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'token',
  'secret',
  'password',
  'key',
  'masterKey',
  'config',
  'env',
])

export interface LogOptions {
  readonly level: string
  /** Undefined: standard output. */
  readonly file: string | undefined
}

/** The same kind of thing again, an error too. */
function copyOf(fields: object): Record<string, unknown> {
  if (Array.isArray(fields)) return [...(fields as unknown[])] as unknown as Record<string, unknown>
  const told = fields instanceof Error ? { message: fields.message, stack: fields.stack } : {}
  return Object.assign(Object.create(Object.getPrototypeOf(fields) as object) as Record<string, unknown>, fields, told)
}

/** A copy where something is to be hidden, else the same. (pino's own `redact` costs more than all the rest of a line.) */
function withoutSecrets(fields: object, depth = 2): object {
  let copy: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
    const hidden = secretFields.has(name) && value !== undefined
    const nested = depth > 0 && typeof value === 'object' && value !== null
    const shown = hidden ? '[redacted]' : nested ? withoutSecrets(value, depth - 1) : value
    if (shown !== value) (copy ??= copyOf(fields))[name] = shown
  }
  return copy ?? fields
}

/** Opened here and now, so that one that cannot be written ends the start and not a later line. */
function opened(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  return openSync(file, 'a', 0o600)
}

/**
 * Lines are written together, at most 100 ms late: one by one they cost a request as much as all its routing. When the
 * process ends by itself, also by an error, what waits is written first.
 *
 * @throws when the file cannot be opened
 */
export function openLog({ level, file }: LogOptions): Logger {
  const formatters = { log: (fields: object) => withoutSecrets(fields) as Record<string, unknown> }
  const options = { level, formatters, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(
    options,
    pino.destination({
      dest: file === undefined ? 1 : opened(file),
      sync: false,
      minLength: 16_000,
      periodicFlush: 100,
    }),
  )
}
