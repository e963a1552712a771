// What a command is given and what it answers with; the commands themselves are in commands/.
import { type Doc, fieldOf, isDoc } from './bson.ts'
import type { Cursor } from './cursors.ts'
import { CommandError } from './errors.ts'
import { encodeCursorReply } from './wire.ts'
import { textField } from './options.ts'
import { BSON } from 'mongodb'
import type { Deadline } from './scan.ts'
import type { Store } from './store.ts'

export interface Request {
  readonly store: Store
  readonly db: string
  readonly body: Doc
  readonly sequences: ReadonlyMap<string, readonly Uint8Array[]>
  /** The session's id as hex. */
  readonly session: string | undefined
  readonly deadline: Deadline
  readonly connection: ClientConnection
}

export interface ClientConnection {
  readonly id: number
  /** The path of the socket: the one address of this server. */
  readonly address: string
  /** Aborts when the socket closes. */
  readonly gone: AbortSignal
}

/** Answers with the fields of a reply, to which `ok: 1` is added, or with an encoded reply. */
export type Run = (request: Request) => Doc | Uint8Array | Promise<Uint8Array>

export interface Command {
  readonly run: Run
  /** Writes run inside the turn's transaction; a retryable one may carry a txnNumber. */
  readonly kind: 'read' | 'write' | 'retryable'
}

/** The collection that a command names in its first field. */
export function collectionOf(request: Request): string {
  return textField(request.body, Object.keys(request.body)[0] ?? '')
}

/** mongod's size of a first batch when the client does not say. */
const defaultBatch = 101

/** The first batch of a new cursor, which is kept when it has more and `single` does not forbid it. */
export function openCursor(store: Store, cursor: Cursor, batchSize: number | undefined, single: boolean): Uint8Array {
  const { documents, more, extra } = cursor.read(batchSize ?? defaultBatch)
  const id = more && !single ? store.cursors.add(cursor) : 0n
  return encodeCursorReply('firstBatch', documents, { id: BSON.Long.fromBigInt(id), ns: cursor.namespace, ...extra })
}

/** A session's id as hex. Errors: 2 when it is no UUID. */
export function sessionId(lsid: unknown): string {
  const id = isDoc(lsid) ? fieldOf(lsid, 'id') : undefined
  if (id instanceof BSON.Binary) return Buffer.from(id.buffer.subarray(0, id.position)).toString('hex')
  throw new CommandError('BadValue', 'lsid.id must be a UUID')
}
