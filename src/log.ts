// The log: pino with what must never be written taken out. On a laptop it goes to a file, elsewhere to standard output.
import { pino, type Logger } from 'pino'
import { realClock } from './clock.ts'

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
  for (const name of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[name]
    const hidden = secretFields.has(name) && value !== undefined
    const nested = depth > 0 && typeof value === 'object' && value !== null
    const shown = hidden ? '[redacted]' : nested ? withoutSecrets(value, depth - 1) : value
    if (shown !== value) (copy ??= copyOf(fields))[name] = shown
  }
  return copy ?? fields
}

/** As much is kept back at most, in characters and in milliseconds. */
const together = { characters: 65_536, ms: 100 }

/**
 * Lines are written together: one by one they cost a request more than all of its routing. When the process ends by itself,
 * also by an error, what waits is written first.
 */
function collected(sink: { write(text: string): unknown }) {
  let waiting = ''
  let timer: NodeJS.Timeout | undefined
  const flushSync = () => {
    clearTimeout(timer)
    timer = undefined
    if (waiting !== '') sink.write(waiting)
    waiting = ''
  }
  process.prependListener('exit', flushSync)
  return {
    flushSync,
    flush: (done?: () => void) => {
      flushSync()
      done?.()
    },
    write: (line: string) => {
      waiting += line
      if (waiting.length > together.characters) flushSync()
      // Nobody's time, so no Clock: it only says how late a line may be, and keeps no process alive.
      else timer ??= setTimeout(flushSync, together.ms).unref()
    },
  }
}

/** The time of a line. Under load many lines have the same. */
function timestamp(): () => string {
  let last = 0
  let text = ''
  return () => {
    const now = realClock.now()
    if (now !== last) text = `,"time":"${new Date(now).toISOString()}"`
    last = now
    return text
  }
}

/** @throws when the file cannot be opened */
export function openLog({ level, file }: LogOptions): Logger {
  const formatters = { log: (fields: object) => withoutSecrets(fields) as Record<string, unknown> }
  const options = { level, formatters, base: null, timestamp: timestamp() }
  const to = file === undefined ? { dest: 1 } : { dest: file, mkdir: true, mode: 0o600 }
  return pino(options, collected(pino.destination({ ...to, sync: true })))
}
