// The errors of the wire: mongod's codes and names, so that the driver and its callers react as they would in production.
import type { Doc } from './bson.ts'

/** Codes as in mongod's error_codes.yml; the `Location` ones are plain assertion numbers. */
const codes = {
  InternalError: 1,
  BadValue: 2,
  FailedToParse: 9,
  TypeMismatch: 14,
  Overflow: 15,
  InvalidBSON: 22,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  MaxTimeMSExpired: 50,
  DollarPrefixedFieldName: 52,
  InvalidIdField: 53,
  NotSingleValueField: 54,
  EmptyFieldName: 56,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  UnsatisfiableWriteConcern: 100,
  CannotIndexParallelArrays: 171,
  QueryPlanKilled: 175,
  TransactionTooOld: 225,
  CursorKilled: 237,
  NotImplemented: 238,
  InvalidResumeToken: 260,
  OperationNotSupportedInTransaction: 263,
  ChangeStreamFatalError: 280,
  ChangeStreamHistoryLost: 286,
  QueryExceededMemoryLimitNoDiskUseAllowed: 292,
  UnsupportedOpQueryCommand: 352,
  BSONObjectTooLarge: 10334,
  DuplicateKey: 11000,
  CursorInUse: 12051,
  OutOfDiskSpace: 14031,
  Location31249: 31249,
  Location31253: 31253,
  Location31254: 31254,
  Location40324: 40324,
  Location40415: 40415,
} as const

export type CodeName = keyof typeof codes

/** A refusal that the client sees: `ok: 0`, or an entry in `writeErrors`. */
export class CommandError extends Error {
  readonly code: number
  readonly codeName: CodeName
  /** More fields of the reply, such as `keyPattern` or `errorLabels`. */
  readonly extra: Doc

  constructor(codeName: CodeName, message: string, extra: Doc = {}) {
    super(message)
    this.name = 'CommandError'
    this.code = codes[codeName]
    this.codeName = codeName
    this.extra = extra
  }
}

/** The answer to what mongod has and this server has not. Never an approximation: a wrong result is worse than none. */
export function refused(what: string): CommandError {
  return new CommandError('NotImplemented', `${what} is not in the embedded store's subset`)
}

/** Any thrown value as the fields of a failed reply. */
export function errorReply(error: unknown): Doc {
  if (error instanceof CommandError)
    return { ok: 0, errmsg: error.message, code: error.code, codeName: error.codeName, ...error.extra }
  const message = error instanceof Error ? error.message : String(error)
  if (isDiskFull(error)) return { ok: 0, errmsg: message, code: codes.OutOfDiskSpace, codeName: 'OutOfDiskSpace' }
  return { ok: 0, errmsg: `embedded store: ${message}`, code: codes.InternalError, codeName: 'InternalError' }
}

function isDiskFull(error: unknown): boolean {
  const sqliteFull = 13
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteFull
}
