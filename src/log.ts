// The log: pino with what must never be written taken out. On a laptop it goes to a file, elsewhere to standard output.
import { pino, type Logger } from 'pino'

/** Wherever such a field turns up in a log object, at the top or one level down, its value is not written. */
const secretFields = ['authorization', 'cookie', 'token', 'secret', 'password', 'key', 'masterKey', 'config', 'env']

export interface LogOptions {
  readonly level: string
  /** Undefined: standard output. */
  readonly file: string | undefined
}

export function openLog({ level, file }: LogOptions): Logger {
  const redact = { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' }
  const options = { level, redact, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return file === undefined ? pino(options) : pino(options, pino.destination({ dest: file, mkdir: true, mode: 0o600 }))
}
